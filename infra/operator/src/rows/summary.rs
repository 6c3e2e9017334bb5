//! What is done with rows that differ, and what came of it.

use projectors::rebuild::{
    finding::{Difference, Finding},
    settle::Counted,
};
use serde::{Deserialize, Serialize};

/// What is done with rows that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// They are named.
    Verify,
    /// They are made what they should be.
    Rebuild,
}

impl Kind {
    /// As its folder and the subcommand are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
        }
    }
}

/// What came of comparing rows with events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Commits that the scan read; 0 where there was no scan of the whole store.
    pub commits: u64,
    /// How many were compared, and what was found.
    pub counted: Counted,
    /// What the scans have cost, in read units.
    pub scanned_read_units: u64,
    /// What examining aggregates one by one has cost, in read units, estimated.
    pub examined_read_units: u64,
    /// The first findings, at most [`FINDINGS_KEPT`](crate::limits::FINDINGS_KEPT), sorted where the
    /// whole store was gone through.
    pub findings: Vec<Finding>,
    /// Both rows of the first of them, as many as were asked for. They hold what customers have sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

impl Summary {
    /// Was there nothing to compare? That must not pass for well.
    pub fn is_empty(&self) -> bool {
        self.counted.aggregates == 0 && self.counted.wrong() == 0
    }

    /// Findings that are counted and not among the [`Summary::findings`].
    pub fn more(&self) -> u64 {
        let kept = self.findings.len() as u64;
        self.counted.wrong().saturating_sub(kept)
    }
}
