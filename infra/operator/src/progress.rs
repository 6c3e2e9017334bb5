//! The progress of a long operation, reported to whoever shows it.

use projectors::rebuild::finding::{Difference, Finding};
use serde::{Deserialize, Serialize};

use crate::retried::Retried;

/// The stage of a long operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Events and rows are read. Counted in items, with an approximate total.
    Gathering,
    /// Buckets of digests are compared, and aggregates that differ are examined. Counted in
    /// buckets.
    Comparing,
    /// Commits are read, and those of the period are announced. Counted in commits.
    Announcing,
    /// Parked aggregates are resumed. Counted in aggregates.
    #[serde(rename = "taking-up")]
    Resuming,
    /// Messages of the queue of dead letters are retried. Counted in messages, with an approximate
    /// total.
    Retrying,
    /// A customer's orders are searched. Counted in orders; the total is not known.
    ReadingOrders,
    /// Order files are read or removed. Counted in files.
    ReadingFiles,
    /// An erasure waits until rows are rewritten. Counted in rows.
    AwaitingRows,
}

/// Receives the progress of an operation. Its functions are called from several tasks at once and
/// must return quickly. Every function does nothing unless it is implemented; `()` ignores
/// everything.
pub trait Progress: Send + Sync {
    /// A stage begins. An earlier run has done `done` of about `total` items.
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        let _ = (stage, done, total);
    }

    /// `by` more items of the latest stage are done.
    fn advances(&self, by: u64) {
        let _ = by;
    }

    /// The latest stage has ended, with success or in an error.
    fn ends(&self) {}

    /// A row is not as it should be. A finding that is repaired is reported once. When a run was
    /// stopped and is resumed, findings from before its last saved state are not reported again.
    fn finds(&self, finding: &Finding) {
        let _ = finding;
    }

    /// Both rows of a finding, for a limited number of findings. The finding itself is reported
    /// before or after it.
    fn differs(&self, difference: &Difference) {
        let _ = difference;
    }

    /// A parked aggregate or a dead letter was retried, with this result.
    fn retries(&self, retried: &Retried) {
        let _ = retried;
    }

    /// Whether the operation is to stop. It asks between its steps, of about a second each, and
    /// then ends with [`OperatorError::Stopped`](crate::OperatorError::Stopped).
    fn stopped(&self) -> bool {
        false
    }
}

impl Progress for () {}
