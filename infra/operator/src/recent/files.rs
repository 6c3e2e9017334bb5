//! Order files: imports under way and done, and what became of one.
//!
//! They are read from what an import leaves under `reports/<key>/<version>/` of the bucket: its report
//! at the end, its progress before. (`commands/src/import` says what lies there.)

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

/// What keys of reports, and of all that belongs to them, begin with.
const REPORTS: &str = "reports/";

/// What keys of order files begin with.
const ORDERS: &str = "orders/";

const REPORT: &str = "report.json";
const PROGRESS: &str = "progress.json";

/// One upload of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileId {
    /// Its key, such as `orders/monday.json`. It is what somebody has called it.
    pub key: String,
    /// Its version id, or its ETag where the bucket keeps no versions.
    pub version: String,
}

impl FileId {
    /// The key of what lies beside its report.
    pub fn report_key(&self, name: &str) -> String {
        format!("{REPORTS}{}/{}/{name}", self.key, self.version)
    }

    /// Which file's an object is, and what it is called beside the report.
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

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileState {
    /// It goes on, or waits for its next try.
    UnderWay,
    /// There is a report.
    Done,
    /// What it has left cannot be read by this build.
    Unreadable,
}

/// The import of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedFile {
    /// Which.
    #[serde(flatten)]
    pub id: FileId,
    /// How far it is.
    pub state: FileState,
    /// When that was written.
    pub at: Option<Timestamp>,
    /// Orders that were read.
    pub total: u64,
    /// Those that were placed.
    pub accepted: u64,
    /// Those that were known before.
    pub already_known: u64,
    /// Those that were rejected.
    pub rejected: u64,
}

/// Files, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The latest of what was looked through.
    pub files: Vec<ImportedFile>,
    /// Were there more among what was looked through?
    pub more: bool,
    /// The bucket lists by name, not by time: where not all names were looked through, the key behind
    /// which the next look goes on.
    pub next: Option<String>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// The file.
    #[serde(flatten)]
    pub file: ImportedFile,
    /// The bucket that it lies in.
    pub bucket: String,
    /// The key of the object that says so.
    pub report: String,
    /// What the commits of its orders have as their correlation id, once it is done.
    pub correlation_id: Option<String>,
    /// How many pages of rejections there are.
    pub pages: u64,
    /// This page, from 1.
    pub page: u64,
    /// Its rejections, by position.
    pub rejections: Vec<Rejection>,
}

/// An order that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Its position in the file, from 0.
    pub position: u64,
    /// The byte of the file, unpacked, at which it begins.
    #[serde(default)]
    pub byte: Option<u64>,
    /// Its id, where that could be read.
    #[serde(default)]
    pub order_id: Option<String>,
    /// What kind of fault, for machines.
    pub code: String,
    /// The field at fault, such as `items[3].price`.
    #[serde(default)]
    pub field: Option<String>,
    /// What is wrong, for people.
    pub reason: String,
}

/// A report, a progress, or a part of a report: what this reads of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReportContent {
    correlation_id: Option<String>,
    total: u64,
    /// What `total` is called before the end.
    position: u64,
    accepted: u64,
    already_known: u64,
    rejected: u64,
    rejection_parts: Vec<String>,
    /// How many parts a progress has written.
    parts: u64,
    rejections: Vec<Rejection>,
}

/// The same without its rejections.
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

/// What a look at the bucket's names has found of a file.
#[derive(Debug, Default)]
struct ReportObjects {
    report: Option<Timestamp>,
    /// The latest progress, and when it was written.
    progress: Option<(Timestamp, String)>,
    /// When anything was written last.
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

/// The imports of files whose keys begin with `prefix` (and with `orders/`), the latest first, at most
/// `limit`: of the names behind the key `after`, as many as [`FILE_PAGES`] pages hold. Of each that is
/// told the report or progress is read.
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

/// What a file's report, or else its progress, says.
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

/// `None` where it is not there, or is nothing that this build can read.
async fn read<T: DeserializeOwned>(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<T>, OperatorError> {
    let content = content(s3, bucket, key).await?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

/// What became of a file, with a page of its rejections, from 1; a page holds 1,000 at the most.
/// `NotFound` where nothing of it is there.
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
    // Rejections that no part holds stand in the report itself.
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

/// The report, or else the latest progress: what it is called, and when it was written.
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

/// The object that says what became of a file, as it lies in the bucket: page `page` of its
/// rejections, or without one its report, or its progress. `NotFound` where there is none.
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
