//! Compares the rows of one aggregate with its history, and repairs them.
//!
//! It may run concurrently with `project`: both write the fold of a prefix of one history, and
//! neither overwrites a row of a higher version. The rows are read first, and the history after
//! them, consistently. So a row with a higher version than its history follows from no history, and
//! is replaced, too. Such a row may have kept `project` from writing a later commit, so the
//! aggregate is compared again.

use std::collections::BTreeMap;

use domain::{AggregateId, Number, Timestamp, json::object_dynamodb_bytes};
use event_store::{Commit, open::holds_personal_data};
use lambda::read_models::Kind;

use super::{
    error::RebuildError,
    expected,
    finding::{Difference, Finding},
};
use crate::{
    Projectors,
    limits::{DIFFERENCES_PER_AGGREGATE, LIST_MAX, LOG_PAGES_MAX, REPAIRS_MAX},
    ports::{Row, Table},
    row,
};

/// The number of rows that were written and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The number of rows that were missing or different, and were written.
    pub written: u64,
    /// The number of rows that follow from no event, and were removed.
    pub removed: u64,
}

impl std::ops::AddAssign for Rebuilt {
    fn add_assign(&mut self, more: Self) {
        self.written += more.written;
        self.removed += more.removed;
    }
}

/// The result of comparing an aggregate's rows with its history.
#[derive(Debug)]
pub struct Comparison {
    /// Every row that differs from what is expected.
    pub findings: Vec<Finding>,
    /// The first findings with both rows, at most [`DIFFERENCES_PER_AGGREGATE`].
    pub differences: Vec<Difference>,
    /// The cost of reading rows and history, in halves of a read unit: estimated, not reported.
    pub half_units: u64,
    /// The time of the history's last commit.
    pub newest: Option<Timestamp>,
    /// Whether it must be compared once more after the repair: a row had a version that keeps
    /// `project` from overwriting it, or one with personal data is written.
    again: bool,
    table: Table,
    /// The rows to write, with their version and the version of the row that they replace.
    put: Vec<(Row, u64, Option<Number>)>,
    remove: Vec<Row>,
}

/// Rebuilds the rows of one aggregate, in every generation of its read model. Erasures have none.
pub async fn aggregate(projectors: &Projectors, id: &AggregateId) -> Result<Rebuilt, RebuildError> {
    match id {
        AggregateId::Order(_) => rows_of(projectors, Kind::ProcessedOrders, id).await,
        AggregateId::Shipment(_) => rows_of(projectors, Kind::ShipmentLog, id).await,
        AggregateId::Erasure(_) => Ok(Rebuilt::default()),
    }
}

/// Rebuilds the rows of one order or shipment, in every generation of its read model.
pub(crate) async fn rows_of(
    projectors: &Projectors,
    kind: Kind,
    id: &AggregateId,
) -> Result<Rebuilt, RebuildError> {
    let mut all = Rebuilt::default();
    for one in projectors.of_kind(kind) {
        all += compare_and_repair(one, &id.to_string()).await?.rebuilt;
    }
    Ok(all)
}

/// The result of comparing an aggregate, and of repairing it where the task says so.
#[derive(Debug, Default)]
pub(crate) struct RepairOutcome {
    /// The findings of the first comparison.
    pub findings: Vec<Finding>,
    /// The first findings of that comparison with both rows.
    pub differences: Vec<Difference>,
    /// The rows that were repaired, including those that were found later.
    pub rebuilt: Rebuilt,
    /// The estimated cost of reading, in halves of a read unit.
    pub half_units: u64,
}

/// Compares an aggregate and repairs it, within the limit on capacity.
pub(super) async fn compare_and_repair(
    projectors: &Projectors,
    name: &str,
) -> Result<RepairOutcome, RebuildError> {
    let mut compared = RepairOutcome::default();
    for attempt in 0..REPAIRS_MAX {
        let mut comparison = compare(projectors, name).await?;
        compared.half_units += comparison.half_units;
        let rebuilds = &projectors.rebuilds;
        rebuilds.read(projectors, comparison.half_units).await;
        let findings = std::mem::take(&mut comparison.findings);
        if attempt == 0 {
            compared.findings = findings;
            compared.differences = std::mem::take(&mut comparison.differences);
        }
        let again = comparison.again;
        compared.rebuilt += repair(projectors, comparison).await?;
        if !again {
            break;
        }
    }
    Ok(compared)
}

/// Compares the rows of an aggregate with its history. `name` is the text of a key, valid or not:
/// an invalid name has no history, so no row of it is expected.
pub async fn compare(projectors: &Projectors, name: &str) -> Result<Comparison, RebuildError> {
    let unknown = || RebuildError::Corrupt(format!("{name:?} is no order and no shipment"));
    let table = expected::table(name).ok_or_else(unknown)?;
    let mut stored = stored_rows(projectors, table, expected::id(name)).await?;
    let (history, known, personal) = match name.parse() {
        Ok(id) => {
            let history = projectors.store.whole_history(&id).await?;
            let opened = projectors.store.opened(history.clone()).await?;
            let personal = holds_personal_data(&history, &opened);
            (opened, Some(id), personal)
        }
        Err(_) => (Vec::new(), None, false),
    };
    let mut comparison = Comparison {
        findings: Vec::new(),
        differences: Vec::new(),
        half_units: cost(&stored, &history),
        newest: history.last().map(|commit| commit.at),
        again: false,
        table,
        put: Vec::new(),
        remove: Vec::new(),
    };
    let expected = match &known {
        Some(id) => expected::rows(id, history, &projectors.environment)?,
        None => Vec::new(),
    };
    for row in expected {
        let [_, entry] = table.key_of(&row);
        let found = stored.remove(&entry);
        let finding = Finding::of(table, found.as_ref(), Some(&row));
        if let Some(finding) = finding {
            comparison.add(finding, found.as_ref(), Some(&row));
            let version = row::version(&row);
            let seen = found.as_ref().and_then(row::written_version);
            let puts_over = seen.as_ref().is_some_and(|seen| *seen <= version.into());
            let versioned = found
                .as_ref()
                .is_some_and(|row| row.contains_key("version"));
            comparison.again |= versioned && !puts_over;
            comparison.put.push((row, version, seen));
            // They may be erased before the row is written, and the erasure not see it.
            comparison.again |= personal;
        }
    }
    for row in stored.into_values() {
        if let Some(finding) = Finding::of(table, Some(&row), None) {
            comparison.add(finding, Some(&row), None);
        }
        comparison.again |= row.contains_key("version");
        comparison.remove.push(row);
    }
    Ok(comparison)
}

impl Comparison {
    fn add(&mut self, finding: Finding, stored: Option<&Row>, expected: Option<&Row>) {
        if self.differences.len() < DIFFERENCES_PER_AGGREGATE {
            self.differences.push(Difference {
                finding: finding.clone(),
                stored: stored.cloned(),
                expected: expected.cloned(),
            });
        }
        self.findings.push(finding);
    }
}

/// Writes and removes rows as a comparison demands, and waits for the capacity that this uses.
pub async fn repair(
    projectors: &Projectors,
    comparison: Comparison,
) -> Result<Rebuilt, RebuildError> {
    let (rows, table) = (&projectors.rows, comparison.table);
    let (clock, pace) = (projectors.clock.as_ref(), &projectors.rebuilds.pace);
    let mut rebuilt = Rebuilt::default();
    for (row, version, seen) in comparison.put {
        let cost = write_cost(&row);
        rows.put_rebuilt(table, row, version, seen).await?;
        rebuilt.written += 1;
        pace.written(clock, cost).await;
    }
    for row in comparison.remove {
        let cost = write_cost(&row);
        rows.remove(table, row).await?;
        rebuilt.removed += 1;
        pace.written(clock, cost).await;
    }
    Ok(rebuilt)
}

/// The stored rows of an aggregate by their sort key; an order's only row has an empty one. It
/// fails where there are more pages than allowed, since a row that was not read must not count as
/// missing.
pub(super) async fn stored_rows(
    projectors: &Projectors,
    table: Table,
    id: &str,
) -> Result<BTreeMap<String, Row>, RebuildError> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for _ in 0..LOG_PAGES_MAX {
        let after = rows.last_key_value().map(|(entry, _)| entry.as_str());
        let page = projectors
            .rows
            .query_partition(table, id, after, LIST_MAX)
            .await?;
        let placed = page.rows.into_iter().map(|row| {
            let [_, entry] = table.key_of(&row);
            (entry, row)
        });
        rows.extend(placed);
        if !page.more {
            return Ok(rows);
        }
    }
    Err(RebuildError::Corrupt(format!(
        "the rows of {id} have more pages than they may have"
    )))
}

/// The estimated cost of reading: half a unit for each 4 KB of rows, and a whole one for each 4 KB
/// of history, where a commit counts as 1 KB.
fn cost(stored: &BTreeMap<String, Row>, history: &[Commit]) -> u64 {
    let rows: usize = stored.values().map(object_dynamodb_bytes).sum();
    (rows / 4_096 + history.len() / 2 + 3) as u64
}

/// The estimated cost of writing a row, in halves of a write unit: a unit for each KB, in its table
/// and at the worst in three indexes.
fn write_cost(row: &Row) -> u64 {
    (object_dynamodb_bytes(row).div_ceil(1_024) * 4 * 2) as u64
}
