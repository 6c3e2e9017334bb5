//! The read model `shipment-log`: one row for each update, a function of its event alone, and one
//! row `CURRENT` for each shipment, a function of its history.

use domain::{
    Json, Shipment, ShipmentId, json::Object, shipment::ShipmentUpdated, time::Precision,
};
use event_store::{Commit, commit::UnreadableCommit};

pub use crate::tables::CURRENT;
use crate::{Environment, tables::Row};

/// The value under which stalled shipments are found in the index of watched shipments, in place of
/// their status. It cannot be confused with a status of this name: only shipments with a [known
/// status](domain::shipment::Status::EXPECTING_UPDATES) are watched.
pub const STALLED: &str = "STALLED";

/// The value of a location or carrier that no update names.
pub const UNKNOWN: &str = "Unknown";

/// The log rows of a commit's updates; other events have none. Fails where an event cannot be
/// decoded.
pub fn entries(commit: &Commit, environment: &Environment) -> Result<Vec<Row>, UnreadableCommit> {
    let events = commit.decoded::<Shipment>()?;
    let numbered = events.iter().zip(commit.sequence..);
    let updates = numbered.filter_map(|(event, sequence)| Some((event.update()?, sequence)));
    Ok(updates
        .map(|(update, sequence)| entry(update, sequence, environment))
        .collect())
}

/// The log row of one update, which is the shipment's event number `sequence`.
pub fn entry(update: &ShipmentUpdated, sequence: u64, environment: &Environment) -> Row {
    let mut row = Object::from([
        ("shipmentId".to_owned(), update.shipment_id.as_str().into()),
        ("entry".to_owned(), entry_key(update, sequence).into()),
        ("timestamp".to_owned(), update.timestamp.to_string().into()),
        (
            "timestampMs".to_owned(),
            update.timestamp.millis().unsigned_abs().into(),
        ),
        ("status".to_owned(), update.status.as_str().into()),
        (
            "statusShard".to_owned(),
            environment.partition(update.status.as_str(), update.shipment_id.as_str()),
        ),
        (
            "location".to_owned(),
            update.location.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        (
            "carrier".to_owned(),
            update.carrier.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        ("eventType".to_owned(), update.kind.as_str().into()),
        (
            "eventSource".to_owned(),
            update.origin.source.clone().into(),
        ),
        ("eventId".to_owned(), update.origin.id.clone().into()),
        (
            "eventTime".to_owned(),
            update.origin.time.to_string().into(),
        ),
        ("processedAt".to_owned(), update.at.to_string().into()),
        ("version".to_owned(), sequence.into()),
        (
            "attributes".to_owned(),
            Json::Object(update.attributes.clone()),
        ),
        ("rawEvent".to_owned(), raw_event(update).to_string().into()),
    ]);
    insert(
        &mut row,
        "timestampOffset",
        update.timestamp_offset.as_deref(),
    );
    let precision = update.timestamp_precision.map(Precision::as_str);
    insert(&mut row, "timestampPrecision", precision);
    insert(&mut row, "carrierStatus", update.carrier_status.as_deref());
    insert(
        &mut row,
        "trackingNumber",
        update.tracking_number.as_deref(),
    );
    insert(
        &mut row,
        "orderId",
        update.order_id.as_ref().map(|id| id.as_str()),
    );
    row
}

/// The sort key of a log row.
pub(crate) fn key(row: &Row) -> String {
    match row.get("entry") {
        Some(Json::String(entry)) => entry.clone(),
        _ => String::new(),
    }
}

/// The sort key of a log row, `<timestamp>#<sequence>`. The sequence has leading zeros, so that it
/// sorts as a number: six digits are enough for the 20,000 commits of a shipment.
fn entry_key(update: &ShipmentUpdated, sequence: u64) -> String {
    format!("{}#{sequence:06}", update.timestamp)
}

/// The event that brought the update, rebuilt from the parts that were stored.
fn raw_event(update: &ShipmentUpdated) -> Json {
    let mut detail = update.attributes.clone();
    insert(&mut detail, "shipmentId", Some(update.shipment_id.as_str()));
    let status = update.carrier_status.as_deref();
    insert(
        &mut detail,
        "status",
        Some(status.unwrap_or(update.status.as_str())),
    );
    insert(
        &mut detail,
        "timestamp",
        Some(&update.timestamp.to_string()),
    );
    // A location that was sent as an object is among the attributes.
    if !detail.contains_key("location") {
        insert(&mut detail, "location", update.location.as_deref());
    }
    insert(&mut detail, "carrier", update.carrier.as_deref());
    insert(
        &mut detail,
        "trackingNumber",
        update.tracking_number.as_deref(),
    );
    insert(
        &mut detail,
        "orderId",
        update.order_id.as_ref().map(|id| id.as_str()),
    );
    Json::Object(Object::from([
        ("id".to_owned(), update.origin.id.clone().into()),
        ("source".to_owned(), update.origin.source.clone().into()),
        ("detail-type".to_owned(), update.kind.as_str().into()),
        ("time".to_owned(), update.origin.time.to_string().into()),
        ("detail".to_owned(), Json::Object(detail)),
    ]))
}

/// The row `CURRENT` with the present state of a shipment at version `version`; `None` before its
/// first update.
///
/// A shipment that may stall is in the index of watched shipments under its status, ordered by the
/// arrival of its last update. Once it is noted as stalled, it moves to partitions of its own under
/// [`STALLED`]. So `watch` does not read it again, and the list of stalled shipments reads only
/// these partitions.
pub fn current(shipment: &Shipment, version: u64, environment: &Environment) -> Option<Row> {
    let now = shipment.current.as_ref()?;
    let mut row = current_key(&now.shipment_id);
    row.extend([
        ("currentStatus".to_owned(), now.status.as_str().into()),
        (
            "currentStatusShard".to_owned(),
            environment.partition(now.status.as_str(), now.shipment_id.as_str()),
        ),
        (
            "currentTimestamp".to_owned(),
            now.timestamp.to_string().into(),
        ),
        (
            "location".to_owned(),
            now.location.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        ("version".to_owned(), version.into()),
        ("updates".to_owned(), shipment.updates.into()),
    ]);
    let carrier = shipment
        .carrier
        .as_ref()
        .map_or(UNKNOWN, |known| known.value.as_str());
    insert(&mut row, "carrier", Some(carrier));
    let tracking_number = shipment
        .tracking_number
        .as_ref()
        .map(|known| known.value.as_str());
    insert(&mut row, "trackingNumber", tracking_number);
    let stalled_since = shipment.stalled_since().map(|since| since.to_string());
    insert(&mut row, "stalledSince", stalled_since.as_deref());
    let watched = shipment.watched_since();
    let watched = watched.map(|last_update_at| (now.status.as_str(), last_update_at));
    let stalled = shipment.stalled_since().map(|since| (STALLED, since));
    if let Some((value, last_update_at)) = watched.or(stalled) {
        let partition = environment.partition(value, now.shipment_id.as_str());
        row.insert("watchShard".to_owned(), partition);
        row.insert("heardAt".to_owned(), last_update_at.to_string().into());
    }
    // `currentOrderId` is the key of an index that must not contain log rows, which have an
    // `orderId` too.
    let order_id = shipment.order_id.as_ref().map(|known| known.value.as_str());
    for name in ["orderId", "currentOrderId"] {
        insert(&mut row, name, order_id);
    }
    Some(row)
}

/// The key of a shipment's row `CURRENT`.
pub fn current_key(id: &ShipmentId) -> Row {
    Row::from([
        ("shipmentId".to_owned(), id.as_str().into()),
        ("entry".to_owned(), CURRENT.into()),
    ])
}

fn insert(row: &mut Row, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        row.insert(name.to_owned(), value.into());
    }
}
