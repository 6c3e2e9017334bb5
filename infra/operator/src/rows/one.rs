//! The rows of one order or shipment.

use domain::AggregateId;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use projectors::{
    ports::Table,
    rebuild::{
        RebuildError, Rebuilt, aggregate::compare, erase, finding::Finding, settle::Counted,
    },
};

use super::summary::Summary;
use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{REPAIRS_AT_ONCE, REPAIRS_MAX},
};

/// What came of mending the rows of several orders and shipments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Rows that were written,
    pub written: u64,
    /// and removed.
    pub removed: u64,
    /// Orders and shipments of which a row is still not what follows from its events.
    pub left: u64,
}

/// Makes the rows of these orders and shipments what follows from their events, and compares them once
/// more. An error where there are more than [`REPAIRS_MAX`].
pub async fn repair(
    environment: &Environment,
    ids: &[AggregateId],
) -> Result<Repaired, OperatorError> {
    if ids.len() > REPAIRS_MAX {
        let text = format!("at most {REPAIRS_MAX} are mended at once: a rebuild mends all");
        return Err(OperatorError::TooMany(text));
    }
    let mut work: Vec<BoxFuture<'_, _>> = Vec::with_capacity(ids.len());
    for id in ids {
        work.push(repair_one(environment, id).boxed());
    }
    let all = stream::iter(work).buffer_unordered(REPAIRS_AT_ONCE);
    let sum = |sum: Repaired, one: Repaired| async move {
        Ok(Repaired {
            written: sum.written + one.written,
            removed: sum.removed + one.removed,
            left: sum.left + one.left,
        })
    };
    all.try_fold(Repaired::default(), sum).await
}

async fn repair_one(
    environment: &Environment,
    id: &AggregateId,
) -> Result<Repaired, OperatorError> {
    let rebuilt = match erase::aggregate(&environment.projectors, id).await {
        Ok(rebuilt) => rebuilt,
        // No rows follow from a history that cannot be read: they stay as they are.
        Err(RebuildError::Corrupt(_)) => {
            return Ok(Repaired {
                left: 1,
                ..Repaired::default()
            });
        }
        Err(error) => return Err(error.into()),
    };
    let again = compare(&environment.projectors, &id.to_string()).await?;
    Ok(Repaired {
        written: rebuilt.written,
        removed: rebuilt.removed,
        left: (!again.findings.is_empty()).into(),
    })
}

/// Compares the rows of one order or shipment with its history. A history that cannot be read is a
/// finding ([`Wrong::Unreadable`](super::Wrong::Unreadable)); the reason stands beside it.
/// `NotFound` where it has neither events nor rows. At most `max_differences` findings come with both rows.
pub async fn verify_one(
    environment: &Environment,
    id: &AggregateId,
    max_differences: usize,
) -> Result<(Summary, Option<String>), OperatorError> {
    let comparison = compare(&environment.projectors, &id.to_string()).await;
    let (findings, differences, half_units, reason) = match comparison {
        Err(RebuildError::Corrupt(reason)) => (vec![unreadable(id)], Vec::new(), 0, Some(reason)),
        comparison => {
            let comparison = comparison?;
            let mut differences = comparison.differences;
            differences.truncate(max_differences);
            (
                comparison.findings,
                differences,
                comparison.half_units,
                None,
            )
        }
    };
    if findings.is_empty() {
        environment.has_events(id).await?;
    }
    let mut counted = Counted {
        aggregates: 1,
        half_units,
        ..Counted::default()
    };
    counted.found(&findings);
    let summary = Summary {
        counted,
        examined_read_units: half_units.div_ceil(2),
        findings,
        differences,
        ..Summary::default()
    };
    Ok((summary, reason))
}

fn unreadable(id: &AggregateId) -> Finding {
    match id {
        AggregateId::Order(id) => Finding::unreadable(Table::ProcessedOrders, id.as_str()),
        AggregateId::Shipment(id) => Finding::unreadable(Table::ShipmentLog, id.as_str()),
        AggregateId::Erasure(owner) => {
            Finding::unreadable(Table::ProcessedOrders, &owner.to_string())
        }
    }
}

/// Makes the rows of one order or shipment what follows from its events, in every generation of its
/// read model. `NotFound` where it has neither events nor rows, `Corrupt` where its history cannot be
/// read: then no row is touched.
pub async fn rebuild_one(
    environment: &Environment,
    id: &AggregateId,
) -> Result<Rebuilt, OperatorError> {
    let rebuilt = erase::aggregate(&environment.projectors, id).await?;
    // Rows of what was never there are removed; without any, somebody has mistyped an id.
    if rebuilt == Rebuilt::default() {
        environment.has_events(id).await?;
    }
    Ok(rebuilt)
}
