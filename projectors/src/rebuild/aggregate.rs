//! One aggregate's rows, examined and mended.
//!
//! Why it may race `project`: both put the fold of a prefix of one history, and neither puts it
//! over one of a higher version. The rows are read first and the history, consistently, after
//! them: so a row that is ahead of its history is the fold of nothing, and is replaced, too. Such a
//! row may have kept `project` from putting a commit that came meanwhile, so it is looked at again.

use std::collections::BTreeMap;

use domain::{AggregateId, Number, Timestamp, json::object_dynamodb_bytes};
use event_store::{Commit, StoreError};
use lambda::read_models::Kind;

use super::{
    expected,
    finding::{Difference, Finding},
};
use crate::{
    Projectors,
    limits::{DIFFERENCES_PER_AGGREGATE, LIST_MAX, LOG_PAGES_MAX, MEND_LOOKS},
    ports::{Row, RowError, Table},
    row,
};

/// How many rows were written and removed.
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

/// An aggregate's rows beside what they should be.
#[derive(Debug)]
pub struct Examined {
    /// Every row that is not as it should be.
    pub findings: Vec<Finding>,
    /// The first findings with both rows, at most
    /// [`DIFFERENCES_PER_AGGREGATE`].
    pub differences: Vec<Difference>,
    /// What reading all of it has cost, in halves of a read unit: estimated, not reported.
    pub half_units: u64,
    /// When the last commit of the history was made.
    pub newest: Option<Timestamp>,
    /// Is there a row that `project` puts nothing over?
    blocked: bool,
    table: Table,
    /// Rows to put, with their version and the one that was seen in their place.
    put: Vec<(Row, u64, Option<Number>)>,
    remove: Vec<Row>,
}

/// Rebuilds the rows of one aggregate, in every generation of its read model.
pub async fn aggregate(projectors: &Projectors, id: &AggregateId) -> Result<Rebuilt, RebuildError> {
    let kind = match id {
        AggregateId::Order(_) => Kind::ProcessedOrders,
        AggregateId::Shipment(_) => Kind::ShipmentLog,
    };
    let mut all = Rebuilt::default();
    for one in projectors.of_kind(kind) {
        let rebuilt = mended(one, &id.to_string()).await?.rebuilt;
        all.written += rebuilt.written;
        all.removed += rebuilt.removed;
    }
    Ok(all)
}

/// What came of examining an aggregate, and of mending it where that is asked for.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// What was found at the first look.
    pub findings: Vec<Finding>,
    /// The first of them with both rows.
    pub differences: Vec<Difference>,
    /// What was done about it, and about what came meanwhile.
    pub rebuilt: Rebuilt,
    /// What reading has cost, in halves of a read unit, estimated.
    pub half_units: u64,
}

/// Examines an aggregate and mends it, within the limit on capacity.
pub(super) async fn mended(projectors: &Projectors, name: &str) -> Result<Settled, RebuildError> {
    let mut settled = Settled::default();
    for look in 0..MEND_LOOKS {
        let mut examined = examine(projectors, name).await?;
        settled.half_units += examined.half_units;
        let rebuilds = &projectors.rebuilds;
        rebuilds.read(projectors, examined.half_units).await;
        let findings = std::mem::take(&mut examined.findings);
        if look == 0 {
            settled.findings = findings;
            settled.differences = std::mem::take(&mut examined.differences);
        }
        let blocked = examined.blocked;
        let rebuilt = mend(projectors, examined).await?;
        settled.rebuilt.written += rebuilt.written;
        settled.rebuilt.removed += rebuilt.removed;
        if !blocked {
            break;
        }
    }
    Ok(settled)
}

/// Compares the rows of an aggregate with its history. Its name is taken as it stands in a key: to
/// a name that can be no aggregate's there is no history, and no row should be.
pub async fn examine(projectors: &Projectors, name: &str) -> Result<Examined, RebuildError> {
    let unknown = || RebuildError::Corrupt(format!("{name:?} is no order and no shipment"));
    let table = expected::table(name).ok_or_else(unknown)?;
    let mut there = there(projectors, table, expected::id(name)).await?;
    let (history, known) = match name.parse() {
        Ok(id) => (projectors.store.whole_history(&id).await?, Some(id)),
        Err(_) => (Vec::new(), None),
    };
    let mut examined = Examined {
        findings: Vec::new(),
        differences: Vec::new(),
        half_units: cost(&there, &history),
        newest: history.last().map(|commit| commit.at),
        blocked: false,
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
        let found = there.remove(&entry);
        let finding = Finding::of(table, found.as_ref(), Some(&row));
        if let Some(finding) = finding {
            examined.note(finding, found.as_ref(), Some(&row));
            let version = row::version(&row);
            let seen = found.as_ref().and_then(row::written_version);
            let puts_over = seen.as_ref().is_some_and(|seen| *seen <= version.into());
            let versioned = found
                .as_ref()
                .is_some_and(|row| row.contains_key("version"));
            examined.blocked |= versioned && !puts_over;
            examined.put.push((row, version, seen));
        }
    }
    for row in there.into_values() {
        if let Some(finding) = Finding::of(table, Some(&row), None) {
            examined.note(finding, Some(&row), None);
        }
        examined.blocked |= row.contains_key("version");
        examined.remove.push(row);
    }
    Ok(examined)
}

impl Examined {
    fn note(&mut self, finding: Finding, there: Option<&Row>, expected: Option<&Row>) {
        if self.differences.len() < DIFFERENCES_PER_AGGREGATE {
            self.differences.push(Difference {
                finding: finding.clone(),
                there: there.cloned(),
                expected: expected.cloned(),
            });
        }
        self.findings.push(finding);
    }
}

/// Makes the rows what they should be, waiting for the capacity that it uses.
pub async fn mend(projectors: &Projectors, examined: Examined) -> Result<Rebuilt, RebuildError> {
    let (rows, table) = (&projectors.rows, examined.table);
    let (clock, pace) = (projectors.clock.as_ref(), &projectors.rebuilds.pace);
    let mut rebuilt = Rebuilt::default();
    for (row, version, seen) in examined.put {
        let cost = write_cost(&row);
        rows.put_rebuilt(table, row, version, seen).await?;
        rebuilt.written += 1;
        pace.written(clock, cost).await;
    }
    for row in examined.remove {
        let cost = write_cost(&row);
        rows.remove(table, row).await?;
        rebuilt.removed += 1;
        pace.written(clock, cost).await;
    }
    Ok(rebuilt)
}

/// The rows that an aggregate has, by their sort key; an order's one row has an empty one. Rows
/// that do not end are an error: what was not read must not pass for missing.
pub(super) async fn there(
    projectors: &Projectors,
    table: Table,
    id: &str,
) -> Result<BTreeMap<String, Row>, RebuildError> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for _ in 0..LOG_PAGES_MAX {
        let after = rows.last_key_value().map(|(entry, _)| entry.as_str());
        let page = projectors.rows.whole(table, id, after, LIST_MAX).await?;
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
        "the rows of {id} have no end"
    )))
}

/// Half a unit for each 4 KB of rows, and a whole one for each 4 KB of history; a commit is taken
/// for 1 KB.
fn cost(there: &BTreeMap<String, Row>, history: &[Commit]) -> u64 {
    let rows: usize = there.values().map(object_dynamodb_bytes).sum();
    (rows / 4_096 + history.len() / 2 + 3) as u64
}

/// A unit for each KB of a row, in its table and at the worst in three indexes.
fn write_cost(row: &Row) -> u64 {
    (object_dynamodb_bytes(row).div_ceil(1_024) * 4 * 2) as u64
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
