//! The order files that contain an owner's orders, with every version of each. A file that contains
//! nobody else's orders is removed. A file with other owners' orders stays, and is named with the
//! day on which the bucket's own rules remove it.
//!
//! A file is found by the `sourceFile` of an order, which names the file that has placed it. Other
//! files are not found: one that contains the same order again, or one in which the order was
//! rejected.

use std::collections::BTreeSet;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{ExpirationStatus, LifecycleRule},
};
use commands::import::{
    aws::S3Files,
    files::{FileError, Object},
    owners::owners,
};
use domain::{Timestamp, personal::Owner};
use serde::Serialize;

use super::days;
use crate::{
    bucket::call_error,
    environment::Environment,
    error::OperatorError,
    limits::{ERASED_FILES_MAX, FILE_VERSION_PAGES_MAX, OBJECTS_PAGE},
    progress::{Progress, Stage},
};

/// What an erasure does with an order file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileState {
    /// It contains nobody else's orders: an erasure removes it.
    ToBeRemoved,
    /// It was removed with all its versions.
    Removed,
    /// It also contains orders of others, or parts that cannot be read: it stays.
    Shared,
    /// It is in another bucket than the environment's, so it was not read.
    Elsewhere,
    /// No version of it contains orders of the owner: in most cases since the file does not exist
    /// any more.
    Gone,
}

/// An order file with orders of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFile {
    /// The file's address, as `s3://<bucket>/<key>`.
    pub file: String,
    /// What the erasure does with it.
    pub state: FileState,
    /// Those versions of it that contain orders of the owner, the newest first.
    pub versions: Vec<Version>,
    /// The version ids of all its versions and delete markers, which are removed with it.
    #[serde(skip)]
    all: Vec<String>,
}

/// A version of an order file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The version id.
    pub version: String,
    /// The number of orders of the owner.
    pub orders: u64,
    /// The number of orders of others, and of parts whose owner cannot be read.
    pub others: u64,
    /// The time until which it stays, if nobody removes it.
    #[serde(rename = "ends")]
    pub expiry: Expiry,
}

/// The time until which a version of a file stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Expiry {
    /// The bucket's rules remove it on this day, such as `2026-04-10`.
    On(String),
    /// No rule of the bucket removes it.
    Never,
    /// The bucket's rules could not be read.
    Unknown,
}

/// A version or a delete marker, as the bucket lists it.
#[derive(Debug, Clone)]
struct ListedVersion {
    id: String,
    etag: String,
    at: Option<Timestamp>,
    is_current: bool,
    is_marker: bool,
}

/// Reads every version of these files. `sources` are their addresses. Fails with `TooMany` where
/// there are more than [`ERASED_FILES_MAX`].
pub(super) async fn look(
    environment: &Environment,
    owner: &Owner,
    sources: &BTreeSet<String>,
    progress: &dyn Progress,
) -> Result<Vec<OrderFile>, OperatorError> {
    if sources.len() > ERASED_FILES_MAX {
        let text = format!("the orders of {owner} came from more than {ERASED_FILES_MAX} files");
        return Err(OperatorError::TooMany(text));
    }
    let inspector = FileInspector {
        environment,
        owner,
        s3: environment.s3(),
        rules: rules(environment).await,
    };
    progress.begins(Stage::ReadingFiles, 0, sources.len() as u64);
    let files = inspector.files(sources, progress).await;
    progress.ends();
    files
}

/// Removes those files that contain nobody else's orders. Only the versions that were read are
/// removed: one that was uploaded since then stays.
pub(super) async fn remove(
    environment: &Environment,
    mut files: Vec<OrderFile>,
    progress: &dyn Progress,
) -> Result<Vec<OrderFile>, OperatorError> {
    progress.begins(Stage::ReadingFiles, 0, files.len() as u64);
    let removed = remove_each(environment, &mut files, progress).await;
    progress.ends();
    removed.map(|()| files)
}

async fn remove_each(
    environment: &Environment,
    files: &mut [OrderFile],
    progress: &dyn Progress,
) -> Result<(), OperatorError> {
    let (s3, bucket) = (environment.s3(), &environment.settings.bucket);
    for file in files {
        if file.state == FileState::ToBeRemoved
            && let Some(key) = key_in(bucket, &file.file)
        {
            // The oldest version is removed first: where the process crashes, the versions that are
            // left are found again by the same key.
            for version in file.all.iter().rev() {
                let delete = s3.delete_object().bucket(bucket).key(key);
                let deleted = delete.version_id(version).send().await;
                deleted.map_err(|error| call_error(&file.file, &error))?;
            }
            file.state = FileState::Removed;
        }
        progress.advances(1);
    }
    Ok(())
}

/// The key of a file in this bucket; `None` where the address is in another one.
fn key_in<'a>(bucket: &str, source: &'a str) -> Option<&'a str> {
    let rest = source.strip_prefix("s3://")?.strip_prefix(bucket)?;
    rest.strip_prefix('/')
}

/// Reads the rules by which the bucket removes objects; `None` where they cannot be read.
async fn rules(environment: &Environment) -> Option<Vec<LifecycleRule>> {
    let get = environment.s3().get_bucket_lifecycle_configuration();
    match get.bucket(&environment.settings.bucket).send().await {
        Ok(rules) => Some(rules.rules.unwrap_or_default()),
        // The local system removes nothing by itself.
        Err(error) => match error.code() {
            Some("NoSuchLifecycleConfiguration" | "NotImplemented") => Some(Vec::new()),
            _ => None,
        },
    }
}

/// Reads order files for one owner.
struct FileInspector<'a> {
    environment: &'a Environment,
    owner: &'a Owner,
    s3: aws_sdk_s3::Client,
    rules: Option<Vec<LifecycleRule>>,
}

impl FileInspector<'_> {
    async fn files(
        &self,
        sources: &BTreeSet<String>,
        progress: &dyn Progress,
    ) -> Result<Vec<OrderFile>, OperatorError> {
        let mut files = Vec::with_capacity(sources.len());
        for source in sources {
            if progress.stopped() {
                return Err(OperatorError::Stopped);
            }
            files.push(self.file(source).await?);
            progress.advances(1);
        }
        Ok(files)
    }

    async fn file(&self, source: &str) -> Result<OrderFile, OperatorError> {
        let mut file = OrderFile {
            file: source.to_owned(),
            state: FileState::Elsewhere,
            versions: Vec::new(),
            all: Vec::new(),
        };
        let Some(key) = key_in(&self.environment.settings.bucket, source) else {
            return Ok(file);
        };
        let listed = self.listed(key).await?;
        let mut is_shared = false;
        for one in listed.iter().filter(|one| !one.is_marker) {
            let (orders, others) = self.counted(key, one).await?;
            is_shared |= others > 0;
            if orders > 0 {
                file.versions.push(Version {
                    version: one.id.clone(),
                    orders,
                    others,
                    expiry: expiry(self.rules.as_deref(), key, one, &listed),
                });
            }
        }
        file.state = match (file.versions.is_empty(), is_shared) {
            (true, _) => FileState::Gone,
            (false, true) => FileState::Shared,
            (false, false) => FileState::ToBeRemoved,
        };
        file.all = listed.into_iter().map(|one| one.id).collect();
        Ok(file)
    }

    /// Lists every version and delete marker of a key, the newest first.
    async fn listed(&self, key: &str) -> Result<Vec<ListedVersion>, OperatorError> {
        let bucket = &self.environment.settings.bucket;
        let mut listed = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        for _ in 0..FILE_VERSION_PAGES_MAX {
            let list = self.s3.list_object_versions().bucket(bucket).prefix(key);
            let page = list
                .max_keys(OBJECTS_PAGE)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|error| call_error(&format!("the bucket {bucket}"), &error))?;
            let versions = page.versions().iter().filter(|it| it.key() == Some(key));
            listed.extend(versions.filter_map(version));
            let markers = page.delete_markers().iter();
            listed.extend(
                markers
                    .filter(|it| it.key() == Some(key))
                    .filter_map(marker),
            );
            // Keys are listed in order, so the file's own key comes first.
            let is_over = page.next_key_marker() != Some(key);
            if is_over || !page.is_truncated().unwrap_or_default() {
                listed.sort_by_key(|one| std::cmp::Reverse((one.is_current, one.at)));
                return Ok(listed);
            }
            key_marker = page.next_key_marker;
            version_marker = page.next_version_id_marker;
        }
        let text = format!("the file {key} has too many versions to look at");
        Err(OperatorError::TooMany(text))
    }

    /// Counts the orders of a version: first those of the owner, then those of others and those
    /// that cannot be read.
    async fn counted(
        &self,
        key: &str,
        version: &ListedVersion,
    ) -> Result<(u64, u64), OperatorError> {
        let files = S3Files::with(self.s3.clone(), self.environment.settings.bucket.clone());
        let object = Object {
            key: key.to_owned(),
            version_id: Some(version.id.clone()),
            etag: version.etag.clone(),
        };
        let clock = self.environment.projectors.clock.as_ref();
        let (mut orders, mut other) = (0, 0);
        let read = owners(&files, clock, &object, |owner| {
            match owner.as_ref() == Some(self.owner) {
                true => orders += 1,
                false => other += 1,
            }
        });
        match read.await {
            // The version was removed in this moment.
            Ok(()) | Err(FileError::Gone) => Ok((orders, other)),
            Err(error @ FileError::Unavailable(_)) => Err(OperatorError::Unavailable(format!(
                "the file {key}: {error}"
            ))),
        }
    }
}

fn version(version: &aws_sdk_s3::types::ObjectVersion) -> Option<ListedVersion> {
    Some(ListedVersion {
        id: version.version_id()?.to_owned(),
        etag: version
            .e_tag()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned(),
        at: time(version.last_modified()),
        is_current: version.is_latest().unwrap_or_default(),
        is_marker: false,
    })
}

fn marker(marker: &aws_sdk_s3::types::DeleteMarkerEntry) -> Option<ListedVersion> {
    Some(ListedVersion {
        id: marker.version_id()?.to_owned(),
        etag: String::new(),
        at: time(marker.last_modified()),
        is_current: marker.is_latest().unwrap_or_default(),
        is_marker: true,
    })
}

fn time(at: Option<&aws_smithy_types::DateTime>) -> Option<Timestamp> {
    Timestamp::from_millis(at?.to_millis().ok()?)
}

/// The time until which a version stays. S3 removes a version at the first midnight after the
/// rule's number of days. For a noncurrent version the days count from when the next version came.
/// (S3 user guide, "Understanding object expiration" and "Lifecycle configuration elements".)
fn expiry(
    rules: Option<&[LifecycleRule]>,
    key: &str,
    of: &ListedVersion,
    all: &[ListedVersion],
) -> Expiry {
    let Some(rules) = rules else {
        return Expiry::Unknown;
    };
    let rules = rules.iter().filter(|rule| counts(rule, key));
    let (mut current, mut earlier): (Option<u32>, Option<u32>) = (None, None);
    let least = |one: Option<u32>, other: Option<i32>| {
        let other = other.and_then(|days| u32::try_from(days).ok());
        one.into_iter().chain(other).min()
    };
    for rule in rules {
        current = least(current, rule.expiration().and_then(|it| it.days()));
        let noncurrent = rule.noncurrent_version_expiration();
        let noncurrent = noncurrent.filter(|it| it.newer_noncurrent_versions().is_none());
        earlier = least(earlier, noncurrent.and_then(|it| it.noncurrent_days()));
    }
    let since = match of.is_current {
        true => of.at,
        false => {
            let newer = all.iter().take_while(|one| one.id != of.id);
            newer.last().and_then(|next| next.at).or(of.at)
        }
    };
    let days = match of.is_current {
        // A rule first makes the current version a noncurrent one.
        true => current
            .zip(earlier)
            .map(|(current, earlier)| current + earlier),
        false => earlier,
    };
    match since.zip(days) {
        Some((since, days)) => Expiry::On(days::after(since, days + 1)),
        None => Expiry::Never,
    }
}

/// Whether a rule removes this object. A rule that asks for tags or a size does not count.
fn counts(rule: &LifecycleRule, key: &str) -> bool {
    let is_plain = rule.filter().is_none_or(|filter| {
        filter.tag().is_none()
            && filter.and().is_none()
            && filter.object_size_greater_than().is_none()
            && filter.object_size_less_than().is_none()
    });
    #[allow(deprecated)]
    let prefix = rule
        .filter()
        .and_then(|filter| filter.prefix())
        .or(rule.prefix());
    *rule.status() == ExpirationStatus::Enabled
        && is_plain
        && prefix.is_none_or(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_s3::types::{
        LifecycleExpiration, LifecycleRuleFilter, NoncurrentVersionExpiration,
    };

    use super::*;

    fn at(day: &str) -> Option<Timestamp> {
        Some(format!("{day}T08:00:00.000Z").parse().unwrap())
    }

    fn listed(id: &str, day: &str, is_current: bool) -> ListedVersion {
        ListedVersion {
            id: id.to_owned(),
            etag: String::new(),
            at: at(day),
            is_current,
            is_marker: false,
        }
    }

    fn rule() -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
        LifecycleRule::builder().status(ExpirationStatus::Enabled)
    }

    fn earlier(days: i32) -> NoncurrentVersionExpiration {
        NoncurrentVersionExpiration::builder()
            .noncurrent_days(days)
            .build()
    }

    #[test]
    fn an_earlier_version_ends_so_many_days_after_the_next_one_came() {
        let rules = [rule()
            .noncurrent_version_expiration(earlier(30))
            .build()
            .unwrap()];
        let all = [
            listed("b", "2026-03-10", true),
            listed("a", "2026-01-01", false),
        ];
        let expiry = |one| expiry(Some(&rules), "orders/x.json", one, &all);
        assert_eq!(expiry(&all[1]), Expiry::On("2026-04-10".to_owned()));
        assert_eq!(expiry(&all[0]), Expiry::Never);
    }

    #[test]
    fn only_rules_that_end_the_object_count() {
        let all = [listed("a", "2026-03-10", true)];
        let expiry =
            |rules: Option<&[LifecycleRule]>| expiry(rules, "orders/x.json", &all[0], &all);
        let days = LifecycleExpiration::builder().days(10).build();
        let both = rule()
            .expiration(days)
            .noncurrent_version_expiration(earlier(20));
        let whole = both.clone().build().unwrap();
        assert_eq!(expiry(Some(&[whole])), Expiry::On("2026-04-10".to_owned()));
        let filter = LifecycleRuleFilter::builder().prefix("reports/").build();
        let of_others = both.clone().filter(filter).build().unwrap();
        assert_eq!(expiry(Some(&[of_others])), Expiry::Never);
        let off = both.status(ExpirationStatus::Disabled).build().unwrap();
        assert_eq!(expiry(Some(&[off])), Expiry::Never);
        assert_eq!(expiry(None), Expiry::Unknown);
    }

    #[test]
    fn a_file_is_looked_for_in_its_environment_s_bucket_alone() {
        assert_eq!(key_in("b", "s3://b/orders/x"), Some("orders/x"));
        assert_eq!(key_in("b", "s3://bc/orders/x"), None);
        assert_eq!(key_in("b", "b/orders/x"), None);
    }
}
