//! One aggregate's rows, made again from its history: in place, while commands flow and `project`
//! goes on, written only where they differ, and nobody is notified.
//!
//! Why it may race `project`: both put the fold of a prefix of one history, and neither puts it
//! over one of a higher version. The rows are read first and the history, consistently, after
//! them: so a row that is ahead of its history is the fold of nothing, and is replaced, too.

use std::collections::BTreeMap;

use domain::{AggregateId, EventSourced, Order, Shipment, ShipmentId};
use event_store::{Commit, Loaded, StoreError};

use crate::{
    Environment, Projectors,
    limits::{LIST_MAX, LOG_PAGES_MAX},
    ports::{Row, RowError, Table},
    processed_orders, row, shipment_log,
};

/// How many rows a rebuild has written and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows that were missing or different.
    pub written: u64,
    /// Rows that follow from no event.
    pub removed: u64,
}

/// Why rows cannot be rebuilt. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// Try again.
    #[error("{0}")]
    Unavailable(String),
    /// The history cannot be folded; no row is touched.
    #[error("{0}")]
    Corrupt(String),
}

/// Rebuilds the rows of one aggregate.
pub async fn aggregate(projectors: &Projectors, id: &AggregateId) -> Result<Rebuilt, RebuildError> {
    let mut rebuilt = Rebuilt::default();
    let table = match id {
        AggregateId::Order(_) => Table::ProcessedOrders,
        AggregateId::Shipment(_) => Table::ShipmentLog,
    };
    let mut there = there(projectors, table, id).await?;
    let history = projectors.store.whole_history(id).await?;
    for row in expected(id, history, &projectors.environment)? {
        let found = there.remove(&shipment_log::key(&row));
        if found.as_ref() == Some(&row) {
            continue;
        }
        let version = row::version(&row);
        let seen = found.as_ref().map_or(version, row::version);
        projectors
            .rows
            .put_rebuilt(table, row, version, seen)
            .await?;
        rebuilt.written += 1;
    }
    for row in there.into_values() {
        projectors.rows.remove(table, row).await?;
        rebuilt.removed += 1;
    }
    Ok(rebuilt)
}

/// The rows that follow from a history; none from an empty one.
fn expected(
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

/// A row for each update.
fn log(history: &[Commit], environment: &Environment) -> Result<Vec<Row>, RebuildError> {
    let mut rows = Vec::new();
    for commit in history {
        let entries = shipment_log::entries(commit, environment);
        rows.extend(entries.map_err(|error| RebuildError::Corrupt(error.to_string()))?);
    }
    Ok(rows)
}

/// The rows that an aggregate has, by their sort key; an order's one row has none.
async fn there(
    projectors: &Projectors,
    table: Table,
    id: &AggregateId,
) -> Result<BTreeMap<String, Row>, RebuildError> {
    let one = match id {
        AggregateId::Order(id) => processed_orders::key(id),
        AggregateId::Shipment(id) => shipment_log::current_key(id),
    };
    let mut rows = Vec::from_iter(projectors.rows.get(table, one).await?);
    if let AggregateId::Shipment(id) = id {
        rows.extend(log_there(projectors, id).await?);
    }
    let placed = rows.into_iter().map(|row| (shipment_log::key(&row), row));
    Ok(placed.collect())
}

/// A shipment's whole log as it is there. One that does not end is an error: what was not read
/// must not pass for missing.
async fn log_there(projectors: &Projectors, id: &ShipmentId) -> Result<Vec<Row>, RebuildError> {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..LOG_PAGES_MAX {
        let after = rows.last().map(shipment_log::key);
        let log = projectors.rows.log(id.as_str(), after.as_deref(), LIST_MAX);
        let page = log.await?;
        rows.extend(page.rows);
        if !page.more {
            return Ok(rows);
        }
    }
    Err(RebuildError::Corrupt(format!("the log of {id} has no end")))
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(error) => Self::Unavailable(error.to_string()),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<RowError> for RebuildError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Unavailable(reason) => Self::Unavailable(reason),
            RowError::Refused(reason) => Self::Corrupt(reason),
        }
    }
}
