//! What is wrong with a row.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ports::{Row, Table},
    row,
};

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wrong {
    /// It follows from the history and is not there.
    Missing,
    /// It is of a lower version than the history.
    Stale,
    /// It is there and follows from no event.
    Superfluous,
    /// It is of the history's version, or a higher one, and not what follows from it.
    Different,
    /// The history cannot be folded, so nobody knows what the row should be.
    Unreadable,
}

/// A row that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The table: the end of its name.
    pub table: String,
    /// The order's or shipment's id.
    pub id: String,
    /// The row's sort key, where the table has one; not of a history that is unreadable.
    pub entry: Option<String>,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// Its version, where it is there.
    pub there: Option<u64>,
    /// The version that it should have, where it should be there.
    pub expected: Option<u64>,
}

impl Finding {
    /// What is wrong with a row that is `there` and should be as `expected`; `None` where they are
    /// equal.
    pub fn of(table: Table, there: Option<&Row>, expected: Option<&Row>) -> Option<Self> {
        if there == expected {
            return None;
        }
        let any = there.or(expected)?;
        let (version, due) = (there.map(row::version), expected.map(row::version));
        let wrong = match (version, due) {
            (None, _) => Wrong::Missing,
            (_, None) => Wrong::Superfluous,
            (Some(version), Some(due)) if version < due => Wrong::Stale,
            _ => Wrong::Different,
        };
        let [id, entry] = table.key_of(any);
        Some(Self {
            table: table.suffix().to_owned(),
            id,
            entry: (table == Table::ShipmentLog).then_some(entry),
            wrong,
            there: version,
            expected: due,
        })
    }

    /// An aggregate whose history cannot be folded.
    pub fn unreadable(table: Table, id: &str) -> Self {
        Self {
            table: table.suffix().to_owned(),
            id: id.to_owned(),
            entry: None,
            wrong: Wrong::Unreadable,
            there: None,
            expected: None,
        }
    }

    /// May it be that the row is on its way? A row that the stream is about to bring looks the same
    /// as one that never comes.
    pub fn may_be_on_its_way(&self) -> bool {
        matches!(self.wrong, Wrong::Missing | Wrong::Stale)
    }
}

/// A finding with the row as it is and the row as it should be. Rows hold what customers have sent:
/// a difference belongs on an operator's screen, and in no log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What is wrong.
    pub finding: Finding,
    /// The row as it was read; `None` where there is none.
    pub there: Option<Row>,
    /// The row that follows from the history; `None` where none does, or nobody knows.
    pub expected: Option<Row>,
}

/// Takes differences as they are found.
pub type Tell<'a> = &'a mut (dyn FnMut(Difference) + Send);

/// Takes findings without their rows: of whoever keeps no rows, as a deployed role must not.
pub(super) fn nobody(_: Difference) {}

impl fmt::Display for Wrong {
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
