//! The rows that follow from a history.

use std::panic::AssertUnwindSafe;

use domain::{AggregateId, EventSourced, Order, Shipment};
use event_store::{Commit, Loaded};

use super::error::RebuildError;
use crate::{
    Environment,
    ports::{Row, Table},
    processed_orders, shipment_log,
};

/// The table of an aggregate's rows, by the aggregate's name, valid or not; `None` where the name
/// begins with no kind of aggregate.
pub fn table(aggregate: &str) -> Option<Table> {
    match aggregate.split_once('#')?.0 {
        "order" => Some(Table::ProcessedOrders),
        "shipment" => Some(Table::ShipmentLog),
        _ => None,
    }
}

/// The id in an aggregate's name, valid or not.
pub fn id(aggregate: &str) -> &str {
    aggregate.split_once('#').map_or(aggregate, |(_, id)| id)
}

/// The rows that follow from a history; none from an empty one. A panic counts as a history that
/// cannot be folded, so that it stops this aggregate only.
pub fn rows(
    id: &AggregateId,
    history: Vec<Commit>,
    environment: &Environment,
) -> Result<Vec<Row>, RebuildError> {
    let rows = AssertUnwindSafe(|| follow(id, history, environment));
    let panicked = |_| {
        Err(RebuildError::Corrupt(
            "the code panicked while it processed this history".to_owned(),
        ))
    };
    std::panic::catch_unwind(rows).unwrap_or_else(panicked)
}

fn follow(
    id: &AggregateId,
    history: Vec<Commit>,
    environment: &Environment,
) -> Result<Vec<Row>, RebuildError> {
    let version = history.last().map_or(0, Commit::version);
    match id {
        AggregateId::Order(_) => {
            let order = fold::<Order>(id, history)?;
            let row = processed_orders::row(&order.state, version, environment);
            Ok(row.into_iter().collect())
        }
        AggregateId::Erasure(_) => Ok(Vec::new()),
        AggregateId::Shipment(_) => {
            let mut rows = log(&history, environment)?;
            let shipment = fold::<Shipment>(id, history)?;
            rows.extend(shipment_log::current(&shipment.state, version, environment));
            Ok(rows)
        }
    }
}

fn fold<A: EventSourced>(
    id: &AggregateId,
    history: Vec<Commit>,
) -> Result<Loaded<A>, RebuildError> {
    Ok(Loaded::from_history(id.clone(), history)?)
}

/// The log rows of a history, one for each update.
fn log(history: &[Commit], environment: &Environment) -> Result<Vec<Row>, RebuildError> {
    let mut rows = Vec::new();
    for commit in history {
        let entries = shipment_log::entries(commit, environment);
        rows.extend(entries.map_err(|error| RebuildError::Corrupt(error.to_string()))?);
    }
    Ok(rows)
}
