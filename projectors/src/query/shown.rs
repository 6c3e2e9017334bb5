//! Rows and pages as an answer shows them.

use domain::{Json, json::Object};
use lambda::http::Response;

use crate::{indexes::INDEX_ONLY, ports::Row};

/// A row without the attributes that only an index needs.
pub(super) fn shown(mut row: Row) -> Row {
    for name in INDEX_ONLY {
        row.remove(name);
    }
    row
}

/// A shipment's row `CURRENT` as a query shows it: its current status is its `status`.
pub(super) fn shipment_shown(row: Row) -> Row {
    let mut row = shown(row);
    row.remove("entry");
    for (stored, shown) in [
        ("currentStatus", "status"),
        ("currentTimestamp", "timestamp"),
    ] {
        if let Some(value) = row.remove(stored) {
            row.insert(shown.to_owned(), value);
        }
    }
    row
}

/// A page of a list with the cursor of the next one.
pub(super) fn page(rows: Vec<Row>, cursor: Option<String>) -> Response {
    let items = rows.into_iter().map(Json::Object).collect();
    Response::ok(Json::Object(Object::from([
        ("items".to_owned(), Json::Array(items)),
        ("cursor".to_owned(), cursor.map_or(Json::Null, Json::from)),
    ])))
}

/// The size of a row in an answer, in bytes.
pub(super) fn bytes(row: &Row) -> usize {
    serde_json::to_string(row).map_or(0, |text| text.len())
}
