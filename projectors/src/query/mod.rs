//! The role `query`: answers queries of read models and histories over the HTTP API.
//!
//! - `single`: one order or shipment, at present or in the past; `past`: histories up to a time
//! - `lists`: lists of orders and shipments; `merge`: merges the shards of an index into one list
//! - `log`, `history`: a shipment's log, an order's history
//! - `parameters`: parameters of the path and of the query string
//! - `shown`: rows and pages as an answer shows them; `problems`: tables that cannot be read
//!
//! A parameter that no query has is ignored. A parameter that only other queries have is refused,
//! since its sender would misunderstand the answer.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use domain::AggregateId;
use lambda::{
    Answer, Failed,
    http::{Problem, Request, Response},
};
use serde_json::value::RawValue;

use crate::Projectors;

mod history;
mod lists;
mod log;
mod merge;
mod parameters;
mod past;
mod problems;
mod shown;
mod single;

pub use history::events_json;
use parameters::parsed;

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
        ("GET", ["orders", id]) => single::order(projectors, request, parsed("orderId", id)?).await,
        ("GET", ["orders", id, "history"]) => {
            let id = AggregateId::Order(parsed("orderId", id)?);
            history::history(projectors, request, id).await
        }
        ("GET", ["shipments"]) => lists::shipments(projectors, request).await,
        ("GET", ["shipments", id]) => {
            single::shipment(projectors, request, parsed("shipmentId", id)?).await
        }
        ("GET", ["shipments", id, "log"]) => {
            log::log(projectors, request, parsed("shipmentId", id)?).await
        }
        _ => Err(Problem::not_found("there is nothing here")),
    }
}
