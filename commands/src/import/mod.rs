//! The role `import`: a file uploaded under `orders/` is read as a stream, order by order, and its
//! result is written to a report.
//!
//! ```text
//! S3 ─Object Created─▶ event ─▶ reader ─pieces─▶ batch ─execute─▶ progress ─▶ report
//!                        ▲    (splitter)                             │
//!                        └──── Object Created ◀── checkpoint ◀───────┘ when the time is up
//! ```
//!
//! - [`event`]: the events of S3; [`files`]: the interface of the bucket; [`aws`]: the bucket on S3
//! - [`splitter`]: splits a file's bytes into orders; `sniff`: detects the file's format;
//!   [`unpacker`]: unpacks gzip; `reader`: reads a file as a stream, and resumes one that broke off
//! - `batch`: executes orders concurrently
//! - [`owners`]: whose orders a file holds, which nobody asks but who erases a person
//! - [`progress`]: an import's progress, and why everything may happen twice; `report`: the report
//!
//! # Objects in the bucket
//!
//! For the file `<key>` (which begins with `orders/`) in the version `<version>` (its version id,
//! or its ETag where the bucket keeps no versions), under `reports/<key>/<version>/`:
//!
//! - `report.json`, after the last order: `sourceFile`, `version`, `correlationId`, `total`,
//!   `accepted`, `alreadyKnown`, `rejected`, `rejections` (each with `position`, `orderId` where it
//!   could be read, `code`, `field` where one is at fault, `reason`) and `rejectionParts`
//! - `rejected-<n>.json`, from 1, for each full 1,000 rejections; the report lists their keys
//! - `progress.json` and `<n>.checkpoint.json`, for Waybill's own use
//!
//! `accepted + alreadyKnown + rejected = total`. An empty array is a file of no orders, and so is
//! an empty file called `.jsonl` or `.ndjson`; any other empty file is one rejection.
//!
//! # Failures
//!
//! - The table, the bucket or the topic is unavailable: the progress is saved, the invocation
//!   fails, and the platform retries. No order is rejected for it. The same happens where an
//!   order's history has an event of a newer build, or a checkpoint is of a newer build, as during
//!   a deployment or rollback: the file waits for a build that can read it.
//! - The object was deleted or overwritten before it was read to its end: a retry cannot help. The
//!   event becomes a dead letter, the operator is alerted, and orders that were placed stay placed.
//!   There is no report.
//! - An invocation makes no progress, or the file has had too many invocations: the import fails
//!   with an error in the log.

pub mod aws;
mod batch;
pub mod event;
pub mod files;
pub mod owners;
pub mod progress;
mod reader;
mod report;
mod sniff;
pub mod splitter;
pub mod unpacker;

use domain::Timestamp;
use event_store::Deadline;
use lambda::{Answer, Failed, Invocation, metrics::Orders};
use serde_json::{Value, value::RawValue};

use crate::{
    Commands,
    limits::{CHECKPOINTS_MAX, ORDERS_PER_SAVE, PROGRESS_BYTES_MAX, TIME_RESERVE},
    operator::Unreachable,
    rejection::{Rejection, reject},
    telemetry::{About, millis},
};
use batch::{Batch, Context, execute_all};
use event::{Request, read_event};
use files::FileError;
use progress::Progress;
use reader::{Read, Reader};

/// How far an invocation came that did not fail.
enum Reached {
    EndOfFile,
    TimeLimit,
}

/// Why an invocation stopped early.
enum Stop {
    /// A dependency is unavailable; a retry may succeed. The text is for logs.
    Unavailable(String),
    /// The file was deleted or overwritten.
    Gone,
    /// A retry of the same kind will not succeed. The text is for logs.
    Stuck(&'static str),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Unavailable(reason) => Self::Unavailable(reason),
            FileError::Gone => Self::Gone,
        }
    }
}

impl From<Unreachable> for Stop {
    fn from(error: Unreachable) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Handles an event of S3: imports a file, or continues an import.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    let started = commands.clock.now();
    let rejection = match begin(commands, payload).await {
        Err(Refused::Never(rejection)) => {
            commands.count_failed(About::Orders, (400, rejection.code), started);
            rejection
        }
        Err(Refused::NotNow(reason)) => {
            commands.count_failed(About::Orders, (503, "unavailable"), started);
            return Err(unavailable(&reason));
        }
        Ok(None) => return Ok(Value::Null),
        Ok(Some(progress)) => {
            let event_id = progress.file.event_id.clone();
            match Box::pin(counted(commands, progress, invocation, started)).await {
                Ok(()) => return Ok(Value::Null),
                Err(Stop::Unavailable(reason)) => return Err(unavailable(&reason)),
                Err(Stop::Stuck(reason)) => {
                    tracing::error!(reason, event_id, "an import cannot go on");
                    return Err(Failed("the import cannot go on".to_owned()));
                }
                Err(Stop::Gone) => Rejection {
                    event_id,
                    ..Rejection::new("file_gone", "the file was gone before it was read")
                },
            }
        }
    };
    reject(commands, payload, rejection).await?;
    Ok(Value::Null)
}

fn unavailable(reason: &str) -> Failed {
    tracing::warn!(reason, "an import waits for its next delivery");
    Failed("temporarily unavailable".to_owned())
}

// ---- Begin or resume

/// Why an event starts no import.
enum Refused {
    /// The event can never succeed; it becomes a dead letter.
    Never(Rejection),
    /// A dependency is unavailable; a retry may succeed. The text is for logs.
    NotNow(String),
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        Self::NotNow(error.to_string())
    }
}

/// The progress of the import that the event is about; `None` where nothing is left to do.
async fn begin(commands: &Commands, payload: &RawValue) -> Result<Option<Progress>, Refused> {
    let files = commands.files.as_ref();
    let start = match read_event(payload, files.bucket()).map_err(Refused::Never)? {
        Request::Nothing => return Ok(None),
        Request::Import(file) => Progress::new(file),
        Request::Continue {
            checkpoint,
            event_id,
        } => {
            let invalid = || {
                let text = "there is no checkpoint by this key";
                Refused::Never(Rejection {
                    event_id: event_id.clone(),
                    ..Rejection::new("not_a_checkpoint", text)
                })
            };
            let content = files.get(&checkpoint, PROGRESS_BYTES_MAX).await?;
            let content = content.ok_or_else(invalid)?;
            let left: Progress =
                serde_json::from_slice(&content).map_err(
                    |_| match progress::is_of_another_build(&content, &checkpoint) {
                        true => Refused::NotNow("a checkpoint of another build".to_owned()),
                        false => invalid(),
                    },
                )?;
            if left.checkpoint() != checkpoint || left.file.bucket != files.bucket() {
                return Err(invalid());
            }
            left
        }
    };
    let progress = start.or_saved(files).await?;
    Ok((!progress.finished).then_some(progress))
}

// ---- The import

/// Imports, and writes the metrics of this invocation.
async fn counted(
    commands: &Commands,
    mut progress: Progress,
    invocation: &Invocation,
    started: Timestamp,
) -> Result<(), Stop> {
    let before = (progress.accepted, progress.rejected);
    let imported = import(commands, &mut progress, invocation).await;
    let now = commands.clock.now();
    let orders = Orders {
        processed: progress.accepted - before.0,
        refused: progress.rejected - before.1,
        failures: u64::from(imported.is_err()),
        millis: millis(started, now),
        // They may have many: the report says each.
        code: None,
    };
    commands.metrics.orders(now, orders);
    imported
}

/// Continues from `progress` to the file's end, or until the time is up.
async fn import(
    commands: &Commands,
    progress: &mut Progress,
    invocation: &Invocation,
) -> Result<(), Stop> {
    let files = commands.files.as_ref();
    let clock = commands.clock.as_ref();
    let deadline = Deadline::before(invocation.deadline, TIME_RESERVE, clock);
    let began_at = progress.position;
    match read_all(commands, progress, invocation, &deadline).await {
        Ok(Reached::EndOfFile) => finish(commands, progress).await,
        Ok(Reached::TimeLimit) if progress.position == began_at => {
            Err(Stop::Stuck("no order was executed within the time"))
        }
        Ok(Reached::TimeLimit) if progress.checkpoints >= CHECKPOINTS_MAX => {
            Err(Stop::Stuck("too many invocations"))
        }
        Ok(Reached::TimeLimit) => {
            progress.checkpoints += 1;
            progress.save_checkpoint(files).await?;
            let (checkpoints, position) = (progress.checkpoints, progress.position);
            tracing::info!(
                checkpoints,
                position,
                "an import goes on in another invocation"
            );
            Ok(())
        }
        Err(Stop::Unavailable(reason)) => {
            if progress.position > began_at
                && let Err(error) = progress.save(files).await
            {
                tracing::warn!(%error, "the next attempt starts further back");
            }
            Err(Stop::Unavailable(reason))
        }
        Err(stop) => Err(stop),
    }
}

/// Reads and executes the orders, batch by batch.
async fn read_all(
    commands: &Commands,
    progress: &mut Progress,
    invocation: &Invocation,
    deadline: &Deadline<'_>,
) -> Result<Reached, Stop> {
    let files = commands.files.as_ref();
    let file = progress.file.clone();
    let mut reader = Reader::new(files, commands.clock.as_ref(), &file.object, progress.mark);
    let mut saved_at = progress.position;
    loop {
        let Some(batch) = read_batch(&mut reader, deadline).await? else {
            return Ok(Reached::TimeLimit);
        };
        if batch.pieces.is_empty() {
            return Ok(Reached::EndOfFile);
        }
        let position = progress.position;
        let trace = invocation.traceparent();
        let context = Context {
            commands,
            file: &file,
            deadline,
            trace: trace.as_ref(),
        };
        let executed = execute_all(context, position, &batch.pieces).await;
        for (result, piece) in executed.results.into_iter().zip(batch.pieces) {
            // Orders after one without a result are repeated later, which has no second effect.
            let Some(result) = result else {
                let unavailable = executed.unavailable.map(Stop::Unavailable);
                return unavailable.map_or(Ok(Reached::TimeLimit), Err);
            };
            if progress.has_part() {
                report::write_part(files, progress).await?;
                progress.part_written();
            }
            progress.count(result, piece.after);
        }
        if progress.position - saved_at >= ORDERS_PER_SAVE {
            progress.save(files).await?;
            saved_at = progress.position;
        }
    }
}

/// Reads the next batch, an empty one at the file's end; `None` where the time is up.
async fn read_batch(
    reader: &mut Reader<'_>,
    deadline: &Deadline<'_>,
) -> Result<Option<Batch>, FileError> {
    let mut batch = Batch::default();
    while !batch.is_full() {
        match reader.read().await? {
            Read::Piece(piece) => batch.push(piece),
            Read::Bytes if deadline.has_passed() => return Ok(None),
            Read::Bytes => {}
            Read::End => break,
        }
    }
    Ok(Some(batch))
}

/// Writes the report, announces it, and only then saves that the import is finished: after a crash
/// in between, the event is delivered again, and the message has the same id.
async fn finish(commands: &Commands, progress: &mut Progress) -> Result<(), Stop> {
    let files = commands.files.as_ref();
    report::write(files, progress).await?;
    report::announce(commands, progress).await?;
    progress.finished = true;
    progress.rejections.clear();
    progress.save(files).await?;
    tracing::info!(
        accepted = progress.accepted,
        already_known = progress.already_known,
        rejected = progress.rejected,
        correlation_id = progress.file.correlation_id(),
        "a file is imported"
    );
    Ok(())
}
