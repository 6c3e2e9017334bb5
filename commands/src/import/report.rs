//! The report of an import, and the alert about rejected orders.

use serde::Serialize;

use super::{
    files::{FileError, Files},
    progress::{Progress, Rejection, to_json},
};
use crate::{
    Commands,
    operator::{Operator, Unreachable},
};

/// The report of one file, as it is stored in the bucket.
///
/// It does not depend on the number or time of attempts: every attempt writes the same report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    /// The file as `s3://bucket/key`.
    source_file: String,
    /// The object's version id, or its ETag.
    version: &'a str,
    /// The correlation id of the commits of the file's orders.
    correlation_id: String,
    /// The number of orders, accepted or not.
    total: u64,
    accepted: u64,
    already_known: u64,
    rejected: u64,
    /// The keys of the parts, objects with rejections: `{sourceFile, version, rejections}`.
    rejection_parts: Vec<String>,
    /// The rejections that are in no part: the last ones, or all where there are few.
    rejections: &'a [Rejection],
}

/// A part of the report: some of a file's rejections, as they are stored in the bucket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejections<'a> {
    source_file: String,
    version: &'a str,
    rejections: &'a [Rejection],
}

/// Writes the collected rejections as the next part of the report.
pub(super) async fn write_part(files: &dyn Files, progress: &Progress) -> Result<(), FileError> {
    let content = Rejections {
        source_file: progress.file.source_file(),
        version: progress.file.object.version(),
        rejections: &progress.rejections,
    };
    files.put(&progress.next_part(), to_json(&content)?).await
}

/// Writes the report of a file whose orders are all executed.
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

/// Alerts the operator to a file with rejections; there is no alert for any other file.
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
