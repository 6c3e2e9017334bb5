//! Order files: the imports that run and those that have ended, and the report of one.
//!
//! An import writes its report at its end, and its progress before, under
//! `reports/<key>/<version>/` of the bucket; this module reads them. (`commands/src/import`
//! describes these objects.)

use std::collections::BTreeMap;

use domain::Timestamp;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    bucket::{call_error, content},
    environment::Environment,
    error::OperatorError,
    limits::{FILE_PAGES, OBJECTS_PAGE, RECENT_AT_ONCE},
};

/// The prefix of the keys of reports and of everything that belongs to them.
const REPORTS: &str = "reports/";

/// The prefix of the keys of order files.
const ORDERS: &str = "orders/";

const REPORT: &str = "report.json";
const PROGRESS: &str = "progress.json";

/// The identity of one upload of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileId {
    /// The file's key, such as `orders/monday.json`. The sender has chosen the name.
    pub key: String,
    /// The version id, or the ETag where the bucket does not keep versions.
    pub version: String,
}

impl FileId {
    /// The key of the object `name` in the folder of the file's report.
    pub fn report_key(&self, name: &str) -> String {
        format!("{REPORTS}{}/{}/{name}", self.key, self.version)
    }

    /// The file that an object under [`REPORTS`] belongs to, and the object's name in the folder of
    /// its report.
    fn of(object: &str) -> Option<(Self, &str)> {
        let (rest, name) = object.strip_prefix(REPORTS)?.rsplit_once('/')?;
        let (key, version) = rest.rsplit_once('/')?;
        let id = Self {
            key: key.to_owned(),
            version: version.to_owned(),
        };
        id.key.starts_with(ORDERS).then_some((id, name))
    }
}

/// The state of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileState {
    /// The import is running, or waits for its next attempt.
    UnderWay,
    /// The import has ended: there is a report.
    Done,
    /// This build cannot read what the import has written.
    Unreadable,
}

/// The import of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedFile {
    /// The file and its numbers.
    #[serde(flatten)]
    pub id: FileId,
    /// The state of its import.
    pub state: FileState,
    /// The time at which the report or the progress was written.
    pub at: Option<Timestamp>,
    /// The number of orders that were read.
    pub total: u64,
    /// The number of orders that were placed.
    pub accepted: u64,
    /// The number of orders that had been placed before.
    pub already_known: u64,
    /// The number of orders that were rejected.
    pub rejected: u64,
}

/// Order files, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The latest files among the keys that were listed.
    pub files: Vec<ImportedFile>,
    /// Whether there were more files among the keys that were listed.
    pub more: bool,
    /// The key after which the next search continues, where not all keys were listed; the bucket
    /// lists keys by name, not by time.
    pub next: Option<String>,
}

/// The report of one file's import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// The file and its numbers.
    #[serde(flatten)]
    pub file: ImportedFile,
    /// The bucket of the file.
    pub bucket: String,
    /// The key of the object that this was read from.
    pub report: String,
    /// The correlation id of the commits of the file's orders; `None` while the import is not done.
    pub correlation_id: Option<String>,
    /// The number of pages of rejections.
    pub pages: u64,
    /// The number of this page, from 1.
    pub page: u64,
    /// The rejections on this page, by position.
    pub rejections: Vec<Rejection>,
}

/// An order in the file that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The order's position in the file, from 0.
    pub position: u64,
    /// The byte of the unpacked file at which the order begins.
    #[serde(default)]
    pub byte: Option<u64>,
    /// The order's id, where it could be read.
    #[serde(default)]
    pub order_id: Option<String>,
    /// The code of the fault, for programs.
    pub code: String,
    /// The field at fault, such as `items[3].price`.
    #[serde(default)]
    pub field: Option<String>,
    /// What is wrong, in words for people.
    pub reason: String,
}

/// The members that are read of a report, a progress, or a part of a report.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReportContent {
    correlation_id: Option<String>,
    total: u64,
    /// The number of orders that were read, in a progress; a report calls it `total`.
    position: u64,
    accepted: u64,
    already_known: u64,
    rejected: u64,
    rejection_parts: Vec<String>,
    /// The number of parts that were written, in a progress.
    parts: u64,
    rejections: Vec<Rejection>,
}

/// The numbers of a report or a progress, without the rejections.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportCounts {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    position: u64,
    accepted: u64,
    already_known: u64,
    rejected: u64,
}

/// The objects that the bucket's list contains for one file.
#[derive(Debug, Default)]
struct ReportObjects {
    report: Option<Timestamp>,
    /// The time at which the latest progress was written, and its name.
    progress: Option<(Timestamp, String)>,
    /// The time at which any of the objects was last written.
    at: Option<Timestamp>,
}

impl ReportObjects {
    fn add(&mut self, name: &str, at: Timestamp) {
        self.at = self.at.max(Some(at));
        if name == REPORT {
            self.report = Some(at);
        } else if name == PROGRESS || name.ends_with(".checkpoint.json") {
            let newer = Some((at, name.to_owned()));
            self.progress = self.progress.take().max(newer);
        }
    }
}

/// Lists the imports of files whose keys begin with `prefix` (and with `orders/`), the latest
/// first, at most `limit`. It lists the keys after `after`, on at most [`FILE_PAGES`] pages, and
/// then reads the report or the progress of each file that it returns.
pub async fn files(
    environment: &Environment,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Files, OperatorError> {
    let s3 = environment.s3();
    let bucket = &environment.settings.bucket;
    let begin = match prefix.starts_with(ORDERS) {
        true => format!("{REPORTS}{prefix}"),
        false => format!("{REPORTS}{ORDERS}{prefix}"),
    };
    let mut seen: BTreeMap<FileId, ReportObjects> = BTreeMap::new();
    let (mut last, mut whole) = (after.map(str::to_owned), false);
    for _ in 0..FILE_PAGES {
        let list = s3.list_objects_v2().bucket(bucket).prefix(&begin);
        let list = list.max_keys(OBJECTS_PAGE).set_start_after(last.clone());
        let page = list.send().await;
        let page = page.map_err(|error| call_error(&format!("the bucket {bucket}"), &error))?;
        for object in page.contents() {
            let Some(key) = object.key() else { continue };
            last = Some(key.to_owned());
            let at = object.last_modified().and_then(|at| at.to_millis().ok());
            let at = at.and_then(Timestamp::from_millis);
            if let (Some((id, name)), Some(at)) = (FileId::of(key), at) {
                seen.entry(id).or_default().add(name, at);
            }
        }
        if !page.is_truncated().unwrap_or_default() {
            whole = true;
            break;
        }
    }
    let mut found: Vec<(FileId, ReportObjects)> = seen.into_iter().collect();
    found.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.at));
    let more = found.len() > limit;
    found.truncate(limit);
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(found.len());
    for (id, seen) in found {
        reads.push(imported(&s3, bucket, id, seen).boxed());
    }
    let read = stream::iter(reads).buffered(RECENT_AT_ONCE);
    Ok(Files {
        files: read.try_collect().await?,
        more,
        next: last.filter(|_| !whole),
    })
}

/// Reads a file's numbers from its report, or else from its progress.
async fn imported(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    id: FileId,
    seen: ReportObjects,
) -> Result<ImportedFile, OperatorError> {
    let name = match (&seen.report, &seen.progress) {
        (Some(_), _) | (None, None) => REPORT,
        (None, Some((_, name))) => name,
    };
    let counted: Option<ReportCounts> = read(s3, bucket, &id.report_key(name)).await?;
    let state = match &counted {
        None => FileState::Unreadable,
        Some(_) if seen.report.is_some() => FileState::Done,
        Some(_) => FileState::UnderWay,
    };
    let counted = counted.unwrap_or(ReportCounts {
        total: 0,
        position: 0,
        accepted: 0,
        already_known: 0,
        rejected: 0,
    });
    Ok(ImportedFile {
        id,
        state,
        at: seen.report.or(seen.at),
        total: counted.total.max(counted.position),
        accepted: counted.accepted,
        already_known: counted.already_known,
        rejected: counted.rejected,
    })
}

/// Reads an object as JSON; `None` where it does not exist or this build cannot read it.
async fn read<T: DeserializeOwned>(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<T>, OperatorError> {
    let content = content(s3, bucket, key).await?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

/// Reads the report of a file's import, or else its progress, with one page of rejections. Pages
/// count from 1 and contain at most 1,000 rejections. Fails with `NotFound` where there is neither.
pub async fn file_report(
    environment: &Environment,
    id: &FileId,
    page: u64,
) -> Result<FileReport, OperatorError> {
    let (s3, bucket) = (environment.s3(), &environment.settings.bucket);
    let (name, at) = newest(environment, &s3, id).await?;
    let report = id.report_key(&name);
    let told: Option<ReportContent> = read(&s3, bucket, &report).await?;
    let readable = told.is_some();
    let told = told.unwrap_or_default();
    let parts = told.parts.max(told.rejection_parts.len() as u64);
    // Rejections that no part contains are in the report itself.
    let pages = parts + u64::from(!told.rejections.is_empty() || parts == 0);
    let page = page.clamp(1, pages);
    let rejections = match page <= parts {
        true => {
            let part: Option<ReportContent> = read(&s3, bucket, &part(id, page)).await?;
            part.map(|part| part.rejections).unwrap_or_default()
        }
        false => told.rejections,
    };
    Ok(FileReport {
        file: ImportedFile {
            id: id.clone(),
            state: match (readable, name == REPORT) {
                (false, _) => FileState::Unreadable,
                (true, true) => FileState::Done,
                (true, false) => FileState::UnderWay,
            },
            at,
            total: told.total.max(told.position),
            accepted: told.accepted,
            already_known: told.already_known,
            rejected: told.rejected,
        },
        bucket: bucket.clone(),
        report,
        correlation_id: told.correlation_id,
        pages,
        page,
        rejections,
    })
}

fn part(id: &FileId, number: u64) -> String {
    id.report_key(&format!("rejected-{number}.json"))
}

/// The name of the report, or else of the latest progress, and the time at which it was written.
async fn newest(
    environment: &Environment,
    s3: &aws_sdk_s3::Client,
    id: &FileId,
) -> Result<(String, Option<Timestamp>), OperatorError> {
    let bucket = &environment.settings.bucket;
    let list = s3
        .list_objects_v2()
        .bucket(bucket)
        .prefix(id.report_key(""));
    let page = list.max_keys(OBJECTS_PAGE).send().await;
    let page = page.map_err(|error| call_error(&format!("the bucket {bucket}"), &error))?;
    let mut seen = ReportObjects::default();
    for object in page.contents() {
        let at = object.last_modified().and_then(|at| at.to_millis().ok());
        let at = at.and_then(Timestamp::from_millis);
        let found = object.key().and_then(FileId::of);
        if let (Some((_, name)), Some(at)) = (found.filter(|(of, _)| of == id), at) {
            seen.add(name, at);
        }
    }
    match (seen.report, seen.progress) {
        (Some(at), _) => Ok((REPORT.to_owned(), Some(at))),
        (None, Some((at, name))) => Ok((name, Some(at))),
        (None, None) => {
            let FileId { key, version } = id;
            let text = format!("nothing is known of the file {key} in the version {version}");
            Err(OperatorError::NotFound(text))
        }
    }
}

/// The content of an object of a file's report as it is stored: page `page` of its rejections, or
/// without a page its report or else its progress. Fails with `NotFound` where it does not exist.
pub async fn raw(
    environment: &Environment,
    id: &FileId,
    page: Option<u64>,
) -> Result<Vec<u8>, OperatorError> {
    let s3 = environment.s3();
    let key = match page {
        Some(page) => part(id, page),
        None => id.report_key(&newest(environment, &s3, id).await?.0),
    };
    let found = content(&s3, &environment.settings.bucket, &key).await?;
    found.ok_or_else(|| OperatorError::NotFound(format!("there is no {key}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_of_the_file_that_its_key_names() {
        let (id, name) = FileId::of("reports/orders/a/b.json/v-1/report.json").unwrap();
        assert_eq!(
            (id.key.as_str(), id.version.as_str()),
            ("orders/a/b.json", "v-1")
        );
        assert_eq!(name, "report.json");
        assert_eq!(
            id.report_key(name),
            "reports/orders/a/b.json/v-1/report.json"
        );
        for other in [
            "orders/a.json",
            "reports/a.json",
            "reports/a/v/report.json",
            "reports/",
        ] {
            assert_eq!(FileId::of(other), None, "{other}");
        }
    }

    #[test]
    fn the_latest_note_counts_and_a_report_is_the_end() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let mut seen = ReportObjects::default();
        seen.add("1.checkpoint.json", at(5));
        seen.add("progress.json", at(7));
        seen.add("2.checkpoint.json", at(6));
        seen.add("rejected-1.json", at(9));
        assert_eq!(seen.progress, Some((at(7), "progress.json".to_owned())));
        assert_eq!((seen.report, seen.at), (None, Some(at(9))));
        seen.add("report.json", at(8));
        assert_eq!(seen.report, Some(at(8)));
    }
}
