//! The progress of an import, and how it is saved in the bucket.
//!
//! Saved progress says how many of the file's first `position` orders were accepted, already known
//! and rejected, and at which mark the next one begins. It is true whichever attempt saved it,
//! since the result of a position does not depend on the attempt: an order that was accepted under
//! its command id is recognised as accepted again; one that another command placed stays known; and
//! one that contradicts the history or the rules stays rejected, since no order is ever deleted. So
//! two invocations for one file may run at once and overwrite each other's progress. The last
//! writer wins, and at the worst an invocation starts further back and repeats commands, which is
//! idempotent. The same holds for an event that is delivered twice, or after a later one.
//!
//! Progress is saved under two kinds of keys, with the same content:
//!
//! - `progress.json`, written at intervals: a retry after a crash continues from there.
//! - `<n>.checkpoint.json`, written when the time is up. S3 announces it, and that event invokes
//!   the function again: one write saves the progress and triggers the next invocation.

use serde::{Deserialize, Serialize};

use super::{
    event::{CHECKPOINT, File},
    files::{FileError, Files},
    splitter::ResumePoint,
};
use crate::limits::{PROGRESS_BYTES_MAX, REJECTIONS_PER_PART};

/// The progress of the import of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The file that is imported.
    pub file: File,
    /// The place in the file where the next order begins.
    pub mark: ResumePoint,
    /// The position of the next order, from 0: the number of orders that are done.
    pub position: u64,
    /// The number of orders that were committed under this file's command ids, by any attempt.
    pub accepted: u64,
    /// The number of orders that another command had placed before, with equal content.
    pub already_known: u64,
    /// The number of orders that were rejected.
    pub rejected: u64,
    /// The number of full parts of the report, which are written beside it.
    pub parts: u64,
    /// The rejections that are in no part yet.
    pub rejections: Vec<Rejection>,
    /// The number of checkpoints so far.
    #[serde(rename = "legs")]
    pub checkpoints: u32,
    /// Whether the report is written and announced.
    pub finished: bool,
}

/// The rejection of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The order's position in the file, from 0.
    pub position: u64,
    /// The byte of the unpacked file at which the order begins, from 0. It is missing in progress
    /// that an earlier build saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// The order's id, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The kind of fault, stable for machines.
    pub code: String,
    /// The field at fault, such as `items[3].price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, for people.
    pub reason: String,
}

/// The result of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OrderResult {
    Accepted,
    AlreadyKnown,
    Rejected(Rejection),
}

impl Progress {
    /// The progress at the beginning of a file.
    pub fn new(file: File) -> Self {
        Self {
            mark: ResumePoint::of_file(&file.object.key),
            file,
            position: 0,
            accepted: 0,
            already_known: 0,
            rejected: 0,
            parts: 0,
            rejections: Vec::new(),
            checkpoints: 0,
            finished: false,
        }
    }

    /// Counts the order at `position`; the file continues at `after`.
    pub(super) fn count(&mut self, result: OrderResult, after: ResumePoint) {
        self.position += 1;
        self.mark = after;
        match result {
            OrderResult::Accepted => self.accepted += 1,
            OrderResult::AlreadyKnown => self.already_known += 1,
            OrderResult::Rejected(rejection) => {
                self.rejected += 1;
                self.rejections.push(rejection);
            }
        }
    }

    /// Whether the rejections fill a part of the report. It is written before the next order is
    /// counted, so that a part is the same for every attempt.
    pub(super) fn has_part(&self) -> bool {
        self.rejections.len() >= REJECTIONS_PER_PART
    }

    /// The key of the part that the collected rejections become.
    pub(super) fn next_part(&self) -> String {
        self.part(self.parts + 1)
    }

    /// Notes that the next part is written.
    pub(super) fn part_written(&mut self) {
        self.parts += 1;
        self.rejections.clear();
    }

    /// The key of a part of the report, numbered from 1. A part always holds the same rejections,
    /// so writing it again changes nothing.
    pub fn part(&self, number: u64) -> String {
        let name = format!("rejected-{number}.json");
        self.file.report_key(&name)
    }

    /// The key of the report.
    pub fn report(&self) -> String {
        self.file.report_key("report.json")
    }

    /// The key under which this progress is saved as a checkpoint.
    pub fn checkpoint(&self) -> String {
        let name = format!("{}{CHECKPOINT}", self.checkpoints);
        self.file.report_key(&name)
    }

    /// Saves the progress for a retry.
    pub(super) async fn save(&self, files: &dyn Files) -> Result<(), FileError> {
        files.put(&progress_key(&self.file), to_json(self)?).await
    }

    /// Saves the progress as a checkpoint, which triggers the next invocation.
    pub(super) async fn save_checkpoint(&self, files: &dyn Files) -> Result<(), FileError> {
        files.put(&self.checkpoint(), to_json(self)?).await
    }

    /// The further one of this progress and the saved one of the same upload. Saved progress that
    /// cannot be read is of other code and is ignored: starting from the beginning is right as
    /// well.
    pub(super) async fn or_saved(self, files: &dyn Files) -> Result<Self, FileError> {
        let saved = files
            .get(&progress_key(&self.file), PROGRESS_BYTES_MAX)
            .await?;
        let saved: Option<Self> = saved.and_then(|saved| serde_json::from_slice(&saved).ok());
        let saved = saved.filter(|saved| saved.file.is_same_upload(&self.file));
        let further =
            saved.filter(|saved| (saved.finished, saved.position) > (false, self.position));
        Ok(further.unwrap_or(self))
    }
}

/// The key under which progress is saved for a retry.
fn progress_key(file: &File) -> String {
    file.report_key("progress.json")
}

/// The JSON of a value, as it is stored in the bucket.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, FileError> {
    // Texts and whole numbers can always be written.
    serde_json::to_vec(value).map_err(|error| FileError::Unavailable(error.to_string()))
}

/// Whether content that is no progress of this build names the file of the checkpoint with this
/// key. Then another build wrote it, which can continue with it.
pub(super) fn is_of_another_build(content: &[u8], checkpoint: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        file: File,
    }
    let named = serde_json::from_slice::<Named>(content);
    named.is_ok_and(|Named { file }| checkpoint.starts_with(&file.report_key("")))
}
