//! Where an order or shipment was refused that is none: in a file, by its report, or on the bus, by its
//! dead letter. A refusal over HTTP leaves nothing behind: its sender has the answer.

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

/// An order that a file brought and that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRejection {
    /// The upload.
    pub file: FileId,
    /// When its report, or its progress, was written.
    pub at: Option<Timestamp>,
    /// The page of its rejections on which it stands, from 1.
    pub page: u64,
    /// Where in the file, and why.
    pub rejection: Rejection,
}

/// What a look through the latest files has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRejections {
    /// Rejections of it, of the latest file first, at most
    /// [`REFUSED_FOUND`].
    pub found: Vec<FileRejection>,
    /// Files that were looked through.
    pub looked: u64,
    /// Are there files, or pages of rejections, that were not?
    pub more: bool,
}

/// Dead letters that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LetterMatches {
    /// They.
    pub found: Vec<DeadLetter>,
    /// Are there letters that were not looked at?
    pub more: bool,
}

/// Looks for the order `id` among what the latest [`REFUSED_FILES`] files have had rejected, in at most
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
        // Somebody has removed it meanwhile.
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

/// Looks for an order or shipment `id` among the first messages of the queue of dead letters: each is
/// taken for it, and given back.
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
