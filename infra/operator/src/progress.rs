//! How far a long piece of work is, told to whoever shows it.

use projectors::rebuild::finding::{Difference, Finding};
use serde::{Deserialize, Serialize};

use crate::retried::Retried;

/// What a long piece of work is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Events and rows are read; counted in items, of which there are about as many as said.
    Gathering,
    /// Buckets of digests are compared, and what differs is examined; counted in buckets.
    Comparing,
    /// Commits are read and those of the time announced; counted in commits.
    Announcing,
    /// What is parked is taken up; counted in parked aggregates.
    #[serde(rename = "taking-up")]
    Resuming,
    /// Messages of the queue of dead letters are retried; counted in messages, about.
    Retrying,
    /// The orders of a customer are looked for; counted in orders, of which nobody knows how many
    /// there are.
    ReadingOrders,
    /// Order files are read, or removed; counted in files.
    ReadingFiles,
    /// Rows are waited for; counted in rows.
    AwaitingRows,
}

/// Is told how far a piece of work is. It is called from several tasks at once and must return
/// quickly. Every function does nothing unless it is implemented; `()` hears nothing.
pub trait Progress: Send + Sync {
    /// A stage begins, of which `done` of about `total` were done by an earlier run.
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        let _ = (stage, done, total);
    }

    /// So many more are done of the stage that has begun last.
    fn advances(&self, by: u64) {
        let _ = by;
    }

    /// The stage that has begun last is over, done or failed.
    fn ends(&self) {}

    /// Something is not as it should be. One that is mended is told once; when a run was stopped and
    /// goes on, what was told before it last wrote down where it stands is not told again.
    fn finds(&self, finding: &Finding) {
        let _ = finding;
    }

    /// Both rows of a finding that was told or is about to be; of a limited number of them.
    fn differs(&self, difference: &Difference) {
        let _ = difference;
    }

    /// One thing was taken up, with what became of it.
    fn retries(&self, retried: &Retried) {
        let _ = retried;
    }

    /// Is the work to end? MetricRequest between steps, of a second or so each; then it ends with
    /// [`OperatorError::Stopped`](crate::OperatorError::Stopped).
    fn stopped(&self) -> bool {
        false
    }
}

impl Progress for () {}
