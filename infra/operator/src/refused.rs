//! Where an order or shipment was refused that therefore does not exist: the reports of order files
//! and the dead letters of the bus name it. A refusal over HTTP leaves no trace: its sender has the
//! answer.

use domain::Timestamp;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde::Serialize;

use crate::{
    dead_letters::{DeadLetter, queue},
    environment::Environment,
    error::OperatorError,
    limits::{
        PEEKED_MESSAGES_MAX, RECENT_AT_ONCE, REFUSED_FILES, REFUSED_FOUND, REFUSED_PAGES,
        REJECTIONS_PER_PAGE,
    },
    recent::{FileId, Rejection, file_report, files},
};

/// An order that was rejected in an order file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRejection {
    /// The upload of the file.
    pub file: FileId,
    /// The time at which the file's report, or else its progress, was written.
    pub at: Option<Timestamp>,
    /// The page of the file's rejections that contains this one, from 1.
    pub page: u64,
    /// The position in the file, and the reason.
    pub rejection: Rejection,
}

/// What a search through the latest files has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRejections {
    /// The rejections of the order, those of the latest file first; at most [`REFUSED_FOUND`].
    pub found: Vec<FileRejection>,
    /// The number of files that were searched.
    pub looked: u64,
    /// Whether there are files or pages of rejections that were not searched.
    pub more: bool,
}

/// The dead letters that name an order or shipment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LetterMatches {
    /// The dead letters; at most [`REFUSED_FOUND`].
    pub found: Vec<DeadLetter>,
    /// Whether there are dead letters that were not searched.
    pub more: bool,
}

/// Searches the rejections of the latest [`REFUSED_FILES`] files for the order `id`, on at most
/// [`REFUSED_PAGES`] pages of their reports.
pub async fn in_files(
    environment: &Environment,
    id: &str,
) -> Result<FileRejections, OperatorError> {
    let latest = files(environment, "", None, REFUSED_FILES).await?;
    let looked = latest.files.len() as u64;
    let pages = latest.files.iter().flat_map(|file| {
        let pages = file.rejected.div_ceil(REJECTIONS_PER_PAGE);
        (1..=pages).map(|page| (file.id.clone(), page))
    });
    let mut pages: Vec<(FileId, u64)> = pages.collect();
    let more = latest.more || latest.next.is_some() || pages.len() > REFUSED_PAGES;
    pages.truncate(REFUSED_PAGES);
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(pages.len());
    for (file, page) in pages {
        reads.push(rejections(environment, file, page, id).boxed());
    }
    let read = stream::iter(reads).buffered(RECENT_AT_ONCE);
    let read: Vec<Vec<FileRejection>> = read.try_collect().await?;
    let found = read.into_iter().flatten().take(REFUSED_FOUND);
    Ok(FileRejections {
        found: found.collect(),
        looked,
        more,
    })
}

async fn rejections(
    environment: &Environment,
    file: FileId,
    page: u64,
    id: &str,
) -> Result<Vec<FileRejection>, OperatorError> {
    let report = match file_report(environment, &file, page).await {
        Ok(report) => report,
        // The report was removed meanwhile.
        Err(OperatorError::NotFound(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let own = report.rejections.into_iter();
    let own = own.filter(|it| it.order_id.as_deref() == Some(id));
    let found = own.map(|rejection| FileRejection {
        file: file.clone(),
        at: report.file.at,
        page: report.page,
        rejection,
    });
    Ok(found.collect())
}

/// Searches the first messages of the queue of dead letters for an order or shipment `id`. Each
/// message is received for it and returned.
pub async fn in_letters(
    environment: &Environment,
    id: &str,
) -> Result<LetterMatches, OperatorError> {
    let looked = queue(environment, PEEKED_MESSAGES_MAX).await?;
    let names = [format!("order#{id}"), format!("shipment#{id}")];
    let own = looked.letters.into_iter();
    let own = own.filter(|letter| letter.about.iter().any(|about| names.contains(about)));
    Ok(LetterMatches {
        found: own.take(REFUSED_FOUND).collect(),
        more: looked.more || looked.hidden > 0,
    })
}
