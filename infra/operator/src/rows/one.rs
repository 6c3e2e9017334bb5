//! Verifying and rebuilding the rows of single orders and shipments.

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

/// The result of repairing the rows of several orders and shipments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// The number of rows that were written.
    pub written: u64,
    /// The number of rows that were removed.
    pub removed: u64,
    /// The number of orders and shipments that still have a row which does not follow from their
    /// events.
    pub left: u64,
    /// The others, of which every row follows from their events.
    pub right: Vec<AggregateId>,
}

/// Repairs the rows of these orders and shipments, so that they follow from the events, and
/// compares them again. Fails with `TooMany` where there are more than [`REPAIRS_MAX`].
pub async fn repair(
    environment: &Environment,
    ids: &[AggregateId],
) -> Result<Repaired, OperatorError> {
    if ids.len() > REPAIRS_MAX {
        let text = format!(
            "at most {REPAIRS_MAX} orders and shipments are repaired at once: a rebuild repairs all"
        );
        return Err(OperatorError::TooMany(text));
    }
    let mut work: Vec<BoxFuture<'_, _>> = Vec::with_capacity(ids.len());
    for id in ids {
        work.push(repair_one(environment, id).boxed());
    }
    let all = stream::iter(work).buffer_unordered(REPAIRS_AT_ONCE);
    let sum = |mut sum: Repaired, one: Repaired| async move {
        sum.written += one.written;
        sum.removed += one.removed;
        sum.left += one.left;
        sum.right.extend(one.right);
        Ok(sum)
    };
    all.try_fold(Repaired::default(), sum).await
}

async fn repair_one(
    environment: &Environment,
    id: &AggregateId,
) -> Result<Repaired, OperatorError> {
    let rebuilt = match erase::aggregate(&environment.projectors, id).await {
        Ok(rebuilt) => rebuilt,
        // No rows follow from a history that cannot be read, so its rows stay as they are.
        Err(RebuildError::Corrupt(_)) => {
            return Ok(Repaired {
                left: 1,
                ..Repaired::default()
            });
        }
        Err(error) => return Err(error.into()),
    };
    let again = compare(&environment.projectors, &id.to_string()).await?;
    let is_right = again.findings.is_empty();
    Ok(Repaired {
        written: rebuilt.written,
        removed: rebuilt.removed,
        left: (!is_right).into(),
        right: is_right.then(|| id.clone()).into_iter().collect(),
    })
}

/// Compares the rows of one order or shipment with its history. A history that cannot be read is a
/// finding ([`FindingKind::Unreadable`](super::FindingKind::Unreadable)), and the second value is the reason.
/// At most `max_differences` findings are returned with both rows. Fails with `NotFound` where
/// there are neither events nor rows.
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

/// Makes the rows of one order or shipment follow from its events, in every generation of its read
/// model. Fails with `NotFound` where there are neither events nor rows, and with `Corrupt` where
/// the history cannot be read: then no row is changed.
pub async fn rebuild_one(
    environment: &Environment,
    id: &AggregateId,
) -> Result<Rebuilt, OperatorError> {
    let rebuilt = erase::aggregate(&environment.projectors, id).await?;
    // Rows without events are removed. Where there were none either, the id is probably misspelt.
    if rebuilt == Rebuilt::default() {
        environment.has_events(id).await?;
    }
    Ok(rebuilt)
}
