//! The role `query`: answers queries of read models and histories over the HTTP API.
//!
//! - `single`: one order or shipment, at present or in the past; `past`: histories up to a time
//! - `lists`: lists of orders and shipments; `merge`: merges the shards of an index into one list
//! - `log`, `history`: a shipment's log, an order's history
//! - `parameters`: parameters of the query string
//!
//! A parameter that no query has is ignored. A parameter of another query is refused, since its
//! sender would misunderstand the answer.

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

pub use history::events_json;

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

/// A row without the attributes that only an index needs.
fn shown(mut row: Row) -> Row {
    for name in INDEX_ONLY {
        row.remove(name);
    }
    row
}

/// A shipment's row `CURRENT` as a query shows it: its current status is its `status`.
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

/// A page of a list with the cursor of the next one.
fn page(rows: Vec<Row>, cursor: Option<String>) -> Response {
    let items = rows.into_iter().map(Json::Object).collect();
    Response::ok(Json::Object(Object::from([
        ("items".to_owned(), Json::Array(items)),
        ("cursor".to_owned(), cursor.map_or(Json::Null, Json::from)),
    ])))
}

/// The size of a row in an answer, in bytes.
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
            tracing::error!(%error, "a history needs a newer build");
            Problem::unavailable()
        }
        error => {
            tracing::error!(%error, "a history cannot be read");
            Problem::internal()
        }
    }
}
