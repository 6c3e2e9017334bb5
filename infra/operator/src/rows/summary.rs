//! What a run does with rows that differ, and the summary of a run.

use projectors::rebuild::{
    finding::{Difference, Finding},
    settle::Counted,
};
use serde::{Deserialize, Serialize};

/// What a run does with rows that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It names them.
    Verify,
    /// It corrects them.
    Rebuild,
}

impl Kind {
    /// The name of the subcommand, which is also a part of the folder's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
        }
    }
}

/// The result of comparing rows with events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The number of commits that the scan has read; 0 where there was no scan of the whole store.
    pub commits: u64,
    /// The numbers of what was compared and found.
    pub counted: Counted,
    /// The read units that the scans have used.
    pub scanned_read_units: u64,
    /// The read units that examining single aggregates has used, estimated.
    pub examined_read_units: u64,
    /// The first findings, at most [`FINDINGS_KEPT`](crate::limits::FINDINGS_KEPT). They are sorted
    /// where the run was over the whole store.
    pub findings: Vec<Finding>,
    /// Both rows of the first findings, as many as were asked for. They contain what customers have
    /// sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

impl Summary {
    /// Whether there was nothing to compare. That must not count as correct.
    pub fn is_empty(&self) -> bool {
        self.counted.aggregates == 0 && self.counted.wrong() == 0
    }

    /// The number of findings that are counted but are not in [`Summary::findings`].
    pub fn more(&self) -> u64 {
        let kept = self.findings.len() as u64;
        self.counted.wrong().saturating_sub(kept)
    }
}
