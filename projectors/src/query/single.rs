//! Queries of one order or shipment: its present row, or its state at a time in the past, folded
//! from its history.

use std::time::Duration;

use domain::{AggregateId, Json, Order, OrderId, Shipment, ShipmentId, order};
use event_store::clock::backoff;
use lambda::http::{Problem, Request, Response};

use super::{
    parameters, past,
    problems::{row_problem, store_problem},
    shown::{shipment_shown, shown},
};
use crate::{
    Projectors,
    limits::{VERSION_WAIT, VERSION_WAIT_FIRST, VERSION_WAIT_MAX},
    ports::{Row, Table},
    processed_orders,
    row::version,
    shipment_log,
};

pub(super) async fn order(
    projectors: &Projectors,
    request: &Request,
    id: OrderId,
) -> Result<Response, Problem> {
    let key = processed_orders::key(&id);
    let aggregate = AggregateId::Order(id);
    let row = match past(request)? {
        Some(at) => past::folded::<Order>(projectors, &aggregate, at)
            .await?
            .and_then(|then| {
                processed_orders::row(&then.state, then.version, &projectors.environment)
            }),
        None => now(projectors, request, Table::ProcessedOrders, key, &aggregate).await?,
    };
    let row = row.ok_or_else(|| Problem::not_found("there is no such order"))?;
    let status = row.get("status").cloned();
    let is = |open: &&order::Status| status == Some(open.as_str().into());
    let actions = order::Status::ALL
        .iter()
        .find(is)
        .map(|status| status.allowed_actions());
    Ok(single(shown(row), actions.unwrap_or_default()))
}

pub(super) async fn shipment(
    projectors: &Projectors,
    request: &Request,
    id: ShipmentId,
) -> Result<Response, Problem> {
    let key = shipment_log::current_key(&id);
    let aggregate = AggregateId::Shipment(id);
    let row = match past(request)? {
        Some(at) => past::folded::<Shipment>(projectors, &aggregate, at)
            .await?
            .and_then(|then| {
                shipment_log::current(&then.state, then.version, &projectors.environment)
            }),
        None => now(projectors, request, Table::ShipmentLog, key, &aggregate).await?,
    };
    let row = row.ok_or_else(|| Problem::not_found("there is no such shipment"))?;
    Ok(single(shipment_shown(row), &["update"]))
}

/// The answer with a row, its allowed actions, and its version as the `ETag` that `If-Match` takes.
fn single(mut row: Row, actions: &[&str]) -> Response {
    let actions = actions.iter().map(|action| (*action).into()).collect();
    row.insert("allowedActions".to_owned(), Json::Array(actions));
    let version = row.get("version").map(Json::to_string).unwrap_or_default();
    Response::ok(Json::Object(row)).with("etag", format!("\"{version}\""))
}

/// The parameter `at`: the time in the past that is asked for, if any.
fn past(request: &Request) -> Result<Option<domain::Timestamp>, Problem> {
    let at = parameters::at(request)?;
    if at.is_some() {
        let why = "with at there is nothing to wait for: a history is never behind";
        parameters::without(request, "minVersion", why)?;
    }
    Ok(at)
}

/// The present row; with `minVersion`, once it has reached that version.
async fn now(
    projectors: &Projectors,
    request: &Request,
    table: Table,
    key: Row,
    id: &AggregateId,
) -> Result<Option<Row>, Problem> {
    match parameters::min_version(request)? {
        Some(wanted) => caught_up(projectors, table, key, id, wanted).await,
        None => projectors.rows.get(table, key).await.map_err(row_problem),
    }
}

/// Reads a row until its version is `wanted` or higher. It does not wait for an aggregate that does
/// not exist.
async fn caught_up(
    projectors: &Projectors,
    table: Table,
    key: Row,
    id: &AggregateId,
    wanted: u64,
) -> Result<Option<Row>, Problem> {
    let began = projectors.clock.now();
    // By the clock, which includes the time of the reads, and by the sum of the waits, since the
    // clock may jump.
    let mut slept = Duration::ZERO;
    for look in 1.. {
        let row = projectors.rows.get(table, key.clone()).await;
        let row = row.map_err(row_problem)?;
        if row.as_ref().is_some_and(|row| version(row) >= wanted) {
            return Ok(row);
        }
        if row.is_none() && look == 1 && !exists(projectors, id).await? {
            return Ok(None);
        }
        let passed = projectors.clock.now().millis() - began.millis();
        let passed = Duration::from_millis(u64::try_from(passed).unwrap_or_default());
        let left = VERSION_WAIT.saturating_sub(passed.max(slept));
        if left.is_zero() {
            break;
        }
        let pause = backoff(look, VERSION_WAIT_FIRST, VERSION_WAIT_MAX).min(left);
        projectors.clock.sleep(pause).await;
        slept += pause;
    }
    let message = format!("version {wanted} is not there yet, please ask again");
    Err(Problem::new(503, "not_caught_up", message))
}

async fn exists(projectors: &Projectors, id: &AggregateId) -> Result<bool, Problem> {
    let first = projectors.store.history(id, 1, 1).await;
    Ok(!first.map_err(store_problem)?.commits.is_empty())
}
