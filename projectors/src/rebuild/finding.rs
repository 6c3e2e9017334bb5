//! Findings: rows that differ from what follows from their history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ports::{Row, Table},
    row,
};

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// The row follows from the history and does not exist.
    Missing,
    /// The row has a lower version than the history.
    Stale,
    /// The row exists and follows from no event.
    Superfluous,
    /// The row has at least the history's version, and differs from what follows from it.
    Different,
    /// The history cannot be folded, so the expected row is not known.
    Unreadable,
}

/// A row that differs from what follows from its history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The end of the table's name, such as `processed-orders`.
    pub table: String,
    /// The order's or shipment's id.
    pub id: String,
    /// The row's sort key, where the table has one; `None` for an unreadable history.
    pub entry: Option<String>,
    /// The kind of the finding.
    #[serde(rename = "wrong")]
    pub kind: FindingKind,
    /// The version of the stored row, where it exists.
    #[serde(rename = "there")]
    pub stored: Option<u64>,
    /// The version that the row should have, where it should exist.
    pub expected: Option<u64>,
}

impl Finding {
    /// Compares the stored row `stored` with the row `expected`; `None` where they are equal.
    pub fn of(table: Table, stored: Option<&Row>, expected: Option<&Row>) -> Option<Self> {
        if stored == expected {
            return None;
        }
        let any = stored.or(expected)?;
        let (version, due) = (stored.map(row::version), expected.map(row::version));
        let kind = match (version, due) {
            (None, _) => FindingKind::Missing,
            (_, None) => FindingKind::Superfluous,
            (Some(version), Some(due)) if version < due => FindingKind::Stale,
            _ => FindingKind::Different,
        };
        let [id, entry] = table.key_of(any);
        Some(Self {
            table: table.suffix().to_owned(),
            id,
            entry: (table == Table::ShipmentLog).then_some(entry),
            kind,
            stored: version,
            expected: due,
        })
    }

    /// The finding about an aggregate whose history cannot be folded.
    pub fn unreadable(table: Table, id: &str) -> Self {
        Self {
            table: table.suffix().to_owned(),
            id: id.to_owned(),
            entry: None,
            kind: FindingKind::Unreadable,
            stored: None,
            expected: None,
        }
    }

    /// Whether the finding may disappear by itself: a row that `project` is about to write looks
    /// the same as one that is never written.
    pub fn may_be_pending(&self) -> bool {
        matches!(self.kind, FindingKind::Missing | FindingKind::Stale)
    }
}

/// A finding with the stored row and the expected row. Rows hold customer data, so a difference may
/// be shown to an operator but never logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The finding.
    pub finding: Finding,
    /// The stored row; `None` where there is none.
    #[serde(rename = "there")]
    pub stored: Option<Row>,
    /// The row that follows from the history; `None` where none does, or the history cannot be
    /// folded.
    pub expected: Option<Row>,
}

/// A callback that receives differences as they are found.
pub type OnDifference<'a> = &'a mut (dyn FnMut(Difference) + Send);

/// The callback that drops differences, for the deployed role, which must not keep rows.
pub(super) fn drop_difference(_: Difference) {}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Superfluous => "superfluous",
            Self::Different => "different",
            Self::Unreadable => "unreadable",
        })
    }
}
