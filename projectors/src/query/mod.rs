//! The role `query`: read models and histories over HTTP.
//!
//! - `single`: an order or shipment as it is, or was; `past`: histories up to some time
//! - `lists`: what a list is asked for; `merge`: one list out of the shards of an index
//! - `log`, `history`: everything about one
//! - `parameters`: what stands behind the question mark
//!
//! A parameter that no answer knows is passed over; one that this answer has no use for, but
//! another has, is refused: whoever sends it would take the answer for what it is not.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use domain::{AggregateId, Json, json::Object};
use event_store::StoreError;
use lambda::{
    Answer, Failed,
    http::{Problem, Request, Response},
};
use serde_json::value::RawValue;

use crate::{
    Projectors,
    indexes::INDEX_ONLY,
    ports::{Row, RowError},
};

mod history;
mod lists;
mod log;
mod merge;
mod parameters;
mod past;
mod single;

pub use history::told;

/// Handles a request of the HTTP API.
pub async fn handle(projectors: &Projectors, payload: &RawValue) -> Answer {
    let event: ApiGatewayV2httpRequest = serde_json::from_str(payload.get())
        .map_err(|_| Failed("not a request of an HTTP API".to_owned()))?;
    Ok(match answer(projectors, event).await {
        Ok(response) => response.to_payload(),
        Err(problem) => problem.to_payload(),
    })
}

async fn answer(
    projectors: &Projectors,
    event: ApiGatewayV2httpRequest,
) -> Result<Response, Problem> {
    let request = &Request::new(event)?;
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["orders"]) => lists::orders(projectors, request).await,
        ("GET", ["orders", id]) => single::order(projectors, request, parse("orderId", id)?).await,
        ("GET", ["orders", id, "history"]) => {
            let id = AggregateId::Order(parse("orderId", id)?);
            history::history(projectors, request, id).await
        }
        ("GET", ["shipments"]) => lists::shipments(projectors, request).await,
        ("GET", ["shipments", id]) => {
            single::shipment(projectors, request, parse("shipmentId", id)?).await
        }
        ("GET", ["shipments", id, "log"]) => {
            log::log(projectors, request, parse("shipmentId", id)?).await
        }
        _ => Err(Problem::not_found("there is nothing here")),
    }
}

fn parse<T: std::str::FromStr<Err: ToString>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: T::Err| parameters::wrong(field, error.to_string()))
}

/// A row without what only an index wants of it.
fn shown(mut row: Row) -> Row {
    for name in INDEX_ONLY {
        row.remove(name);
    }
    row
}

/// A shipment's row `CURRENT` as it is shown: its status is the current one.
fn shipment_shown(row: Row) -> Row {
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

/// A page of a list, and where the next one begins.
fn page(rows: Vec<Row>, cursor: Option<String>) -> Response {
    let items = rows.into_iter().map(Json::Object).collect();
    Response::ok(Json::Object(Object::from([
        ("items".to_owned(), Json::Array(items)),
        ("cursor".to_owned(), cursor.map_or(Json::Null, Json::from)),
    ])))
}

/// Bytes of a row in an answer.
fn bytes(row: &Row) -> usize {
    serde_json::to_string(row).map_or(0, |text| text.len())
}

fn row_problem(error: RowError) -> Problem {
    tracing::warn!(%error, "rows cannot be read");
    match error {
        RowError::Unavailable(_) => Problem::unavailable(),
        RowError::Refused(_) => Problem::internal(),
    }
}

fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable(error) => {
            tracing::warn!(%error, "a history cannot be read now");
            Problem::unavailable()
        }
        StoreError::Newer { .. } => {
            tracing::error!(%error, "a history takes a newer build");
            Problem::unavailable()
        }
        error => {
            tracing::error!(%error, "a history cannot be read");
            Problem::internal()
        }
    }
}
