//! The rows of one order or shipment.

use domain::AggregateId;
use projectors::{
    erase,
    ports::Table,
    rebuild::{RebuildError, Rebuilt, aggregate::compare, finding::Finding, settle::Counted},
};

use super::summary::Summary;
use crate::{environment::Environment, error::OperatorError};

/// Compares the rows of one order or shipment with its history. A history that cannot be read is a
/// finding ([`Wrong::Unreadable`](super::Wrong::Unreadable)); the reason stands beside it.
/// `NotFound` where it has neither events nor rows. At most `sides` findings come with both rows.
pub async fn verify_one(
    environment: &Environment,
    id: &AggregateId,
    sides: usize,
) -> Result<(Summary, Option<String>), OperatorError> {
    let comparison = compare(&environment.projectors, &id.to_string()).await;
    let (findings, differences, half_units, reason) = match comparison {
        Err(RebuildError::Corrupt(reason)) => (vec![unreadable(id)], Vec::new(), 0, Some(reason)),
        comparison => {
            let comparison = comparison?;
            let mut differences = comparison.differences;
            differences.truncate(sides);
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
