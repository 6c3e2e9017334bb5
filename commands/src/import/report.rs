//! What an import says at its end.

use serde::Serialize;

use super::{
    files::{FileError, Files},
    progress::{Progress, Rejection, to_json},
};
use crate::{
    Commands,
    operator::{Operator, Unreachable},
};

/// The report of one file, as it lies in the bucket.
///
/// It says nothing of when and how often it was tried: every attempt writes the same one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    /// `s3://bucket/key`
    source_file: String,
    /// The object's version id, or its ETag.
    version: &'a str,
    /// What the commits of the file's orders have as their correlation id.
    correlation_id: String,
    /// Orders, accepted or not.
    total: u64,
    accepted: u64,
    already_known: u64,
    rejected: u64,
    /// Keys of objects with rejections, each `{sourceFile, version, rejections}`.
    rejection_parts: Vec<String>,
    /// The other rejections: the last ones, and all where there are few.
    rejections: &'a [Rejection],
}

/// Some of a file's rejections, as they lie beside its report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejections<'a> {
    source_file: String,
    version: &'a str,
    rejections: &'a [Rejection],
}

/// Writes the part of the report that the rejections make.
pub(super) async fn write_part(files: &dyn Files, progress: &Progress) -> Result<(), FileError> {
    let content = Rejections {
        source_file: progress.file.source_file(),
        version: progress.file.object.version(),
        rejections: &progress.rejections,
    };
    files.put(&progress.next_part(), to_json(&content)?).await
}

/// Writes the report of a file that is done with.
pub(super) async fn write(files: &dyn Files, progress: &Progress) -> Result<(), FileError> {
    let report = Report {
        source_file: progress.file.source_file(),
        version: progress.file.object.version(),
        correlation_id: progress.file.correlation_id(),
        total: progress.position,
        accepted: progress.accepted,
        already_known: progress.already_known,
        rejected: progress.rejected,
        rejection_parts: (1..=progress.parts)
            .map(|number| progress.part(number))
            .collect(),
        rejections: &progress.rejections,
    };
    files.put(&progress.report(), to_json(&report)?).await
}

/// Tells the operator of a file with rejections; of any other there is nothing to tell.
pub(super) async fn announce(commands: &Commands, progress: &Progress) -> Result<(), Unreachable> {
    if progress.rejected == 0 {
        return Ok(());
    }
    let subject = format!("Logistics Processing Error - {}", commands.environment);
    let text = format!(
        "Orders of a file were rejected.\n\n\
         Orders: {}\nAccepted: {}\nAlready known: {}\nRejected: {}\nReport: s3://{}/{}\n",
        progress.position,
        progress.accepted,
        progress.already_known,
        progress.rejected,
        progress.file.bucket,
        progress.report(),
    );
    let operator: &dyn Operator = commands.operator.as_ref();
    operator.alert(&subject, &text, &progress.report()).await
}
