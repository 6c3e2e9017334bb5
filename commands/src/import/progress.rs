//! How far an import has come, and the notes of it in the bucket.
//!
//! A note says: of the file's first `position` orders so many were accepted, known, rejected, and
//! the next one begins at this mark. It is true whoever wrote it and whenever: what becomes of a
//! position does not depend on the attempt. An order once accepted under its command id is found
//! accepted again; one that another command placed stays known, and one that stands against the
//! history or the rules stays rejected, since no order ever goes away. So two invocations of one
//! file may run at once and overwrite each other's notes. The last writer wins, and at the worst
//! somebody starts further back and does again what has no second effect. The same holds for an
//! event that comes twice, or after a later one.
//!
//! There are two kinds of notes, with the same content:
//!
//! - `progress.json`, written now and then: a retry after a crash goes on from there.
//! - `<leg>.checkpoint.json`, written when the time is up. S3 announces it, and that event invokes
//!   the function again: to keep the note and to be called again are one write, which cannot part.

use serde::{Deserialize, Serialize};

use super::{
    event::{CHECKPOINT, File},
    files::{FileError, Files},
    splitter::Mark,
};
use crate::limits::{NOTE_BYTES_MAX, REJECTIONS_PER_PART};

/// How far the import of one file has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The file.
    pub file: File,
    /// Where the next order begins.
    pub mark: Mark,
    /// Its position, from 0: so many orders are done with.
    pub position: u64,
    /// Orders committed under this file's command ids, by whichever attempt.
    pub accepted: u64,
    /// Orders that another command had placed before, with equal content.
    pub already_known: u64,
    /// Orders that were rejected.
    pub rejected: u64,
    /// Parts of the report that are full of rejections and lie beside it.
    pub parts: u64,
    /// Rejections that no part holds yet.
    pub rejections: Vec<Rejection>,
    /// Checkpoints so far.
    pub legs: u32,
    /// The report is written and announced.
    pub finished: bool,
}

/// An order that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Its position in the file, from 0.
    pub position: u64,
    /// The byte of the file, unpacked, at which it begins, from 0. Progress that an earlier build
    /// kept lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// Its id, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// What kind of fault; stable, for machines.
    pub code: String,
    /// The field at fault, such as `items[3].price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, for people.
    pub reason: String,
}

/// What became of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    AlreadyKnown,
    Rejected(Rejection),
}

impl Progress {
    /// The beginning of a file.
    pub fn new(file: File) -> Self {
        // A name that says so is better than a look at the beginning: then a broken first line
        // cannot be anything else.
        let lines = [".jsonl", ".ndjson"];
        let named_so = |end: &&str| file.object.key.to_ascii_lowercase().ends_with(*end);
        let mark = match lines.iter().any(named_so) {
            true => Mark::FIRST_LINE,
            false => Mark::BEGINNING,
        };
        Self {
            file,
            mark,
            position: 0,
            accepted: 0,
            already_known: 0,
            rejected: 0,
            parts: 0,
            rejections: Vec::new(),
            legs: 0,
            finished: false,
        }
    }

    /// Counts the order at `position`, behind which the file goes on at `after`.
    pub(super) fn count(&mut self, fate: Fate, after: Mark) {
        self.position += 1;
        self.mark = after;
        match fate {
            Fate::Accepted => self.accepted += 1,
            Fate::AlreadyKnown => self.already_known += 1,
            Fate::Rejected(rejection) => {
                self.rejected += 1;
                self.rejections.push(rejection);
            }
        }
    }

    /// Has it rejections enough for a part of the report? That one is written before the next
    /// order is counted, so that a part is full for whoever writes it.
    pub(super) fn has_part(&self) -> bool {
        self.rejections.len() >= REJECTIONS_PER_PART
    }

    /// The key of the part that its rejections make.
    pub(super) fn next_part(&self) -> String {
        self.part(self.parts + 1)
    }

    /// That part is written.
    pub(super) fn part_written(&mut self) {
        self.parts += 1;
        self.rejections.clear();
    }

    /// The key of a part of the report, from 1. It always holds the same rejections, so that
    /// writing it again changes nothing.
    pub fn part(&self, number: u64) -> String {
        let name = format!("rejected-{number}.json");
        self.file.beside_report(&name)
    }

    /// The key of the report.
    pub fn report(&self) -> String {
        self.file.beside_report("report.json")
    }

    /// The key of the checkpoint that it stands in.
    pub fn checkpoint(&self) -> String {
        let name = format!("{}{CHECKPOINT}", self.legs);
        self.file.beside_report(&name)
    }

    /// Keeps it for a retry.
    pub(super) async fn keep(&self, files: &dyn Files) -> Result<(), FileError> {
        files.put(&note(&self.file), to_json(self)?).await
    }

    /// Keeps it, and has the function called again.
    pub(super) async fn hand_over(&self, files: &dyn Files) -> Result<(), FileError> {
        files.put(&self.checkpoint(), to_json(self)?).await
    }

    /// The further one of this and what was kept of the same upload. What cannot be read was
    /// written by other code; from the start is right as well.
    pub(super) async fn or_kept(self, files: &dyn Files) -> Result<Self, FileError> {
        let kept = files.get(&note(&self.file), NOTE_BYTES_MAX).await?;
        let kept: Option<Self> = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
        let kept = kept.filter(|kept| kept.file.is_same_upload(&self.file));
        let further = kept.filter(|kept| (kept.finished, kept.position) > (false, self.position));
        Ok(further.unwrap_or(self))
    }
}

fn note(file: &File) -> String {
    file.beside_report("progress.json")
}

/// As it lies in the bucket.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, FileError> {
    // Texts and whole numbers can always be written.
    serde_json::to_vec(value).map_err(|error| FileError::Unavailable(error.to_string()))
}

/// Does this, which is no progress that this build can read, name the file of a checkpoint with this
/// key? Then another build has written it, which can go on with it.
pub(super) fn is_of_another_build(content: &[u8], checkpoint: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        file: File,
    }
    let named = serde_json::from_slice::<Named>(content);
    named.is_ok_and(|Named { file }| checkpoint.starts_with(&file.beside_report("")))
}
