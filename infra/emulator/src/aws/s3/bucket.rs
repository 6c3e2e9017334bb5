//! A bucket: the contents of its objects are files, everything else is in the state.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use axum::http::header::CONTENT_LENGTH;
use futures::TryStreamExt as _;
use s3s::dto::{ETag, ETagCondition, StreamingBlob, Timestamp};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Caller;
use super::chunks::Trailers;
use super::digests::{Digested, Digests};
use super::events::{ObjectChange, announce};
use super::files::{Draft, Files};
use crate::clock;
use crate::definition;
use crate::limits::{METADATA_BYTES, PUT_OBJECT_BYTES};
use crate::rules::Rules;
use crate::state::{Announce, Condition, NotStored, State, StateError, Version};

/// The buckets cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The folder of the contents cannot be used.
    #[error("the objects' folder: {0}")]
    Folder(#[from] io::Error),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A versioned bucket.
#[derive(Clone)]
pub struct Bucket {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) state: State,
    pub(super) files: Files,
    /// Whether the bucket sends an event to the default bus for each change.
    announces: bool,
    rules: Arc<Rules>,
    delivery_accepted: watch::Sender<()>,
}

/// All buckets. The contents of their objects share one folder.
#[derive(Clone)]
pub struct Buckets {
    files: Files,
    /// The buckets sorted by name, the order in which S3 lists them.
    by_name: Vec<Bucket>,
}

/// The headers and metadata of an object that are stored with it. Other headers are not stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ObjectHeaders {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// A content that is on disk, but that no version refers to yet.
pub(super) struct Received {
    /// The name of the file.
    pub(super) file: String,
    pub(super) draft: Draft,
    pub(super) digested: Digested,
}

/// A version that is about to be stored.
pub(super) struct NewVersion {
    pub(super) key: String,
    pub(super) about: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) condition: Condition,
    /// The id of the multipart upload that this version completes.
    pub(super) upload: Option<String>,
}

impl Buckets {
    /// Opens these buckets, with the contents in `folder`. Removes the files that nothing refers
    /// to, which an earlier process has left unfinished.
    pub async fn open(
        defined: &[definition::Bucket],
        folder: &Path,
        state: State,
        rules: Arc<Rules>,
        delivery_accepted: watch::Sender<()>,
    ) -> Result<Self, BucketError> {
        let files = Files::open(folder, &state.files().await?)?;
        let bucket = |defined: &definition::Bucket| Bucket {
            name: defined.name.clone(),
            id: defined.id.clone(),
            state: state.clone(),
            files: files.clone(),
            announces: defined.event_bridge,
            rules: Arc::clone(&rules),
            delivery_accepted: delivery_accepted.clone(),
        };
        let mut by_name: Vec<Bucket> = defined.iter().map(bucket).collect();
        by_name.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { files, by_name })
    }

    pub(super) fn all(&self) -> &[Bucket] {
        &self.by_name
    }

    /// Returns the time at which the folder of the contents was created. It stands for the creation
    /// time of every bucket.
    pub(super) fn made(&self) -> io::Result<std::time::SystemTime> {
        self.files.made()
    }

    /// Returns the bucket that has this id in the definition.
    pub fn of_id(&self, id: &str) -> Option<&Bucket> {
        self.by_name.iter().find(|bucket| bucket.id == id)
    }

    /// Returns the bucket of this name; fails with `NoSuchBucket` where there is none.
    pub(super) fn named(&self, name: &str) -> S3Result<&Bucket> {
        let found = self.by_name.iter().find(|bucket| bucket.name == name);
        found.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }
}

impl Bucket {
    /// Writes the body of a request to disk. Fails where it is too large, or does not match the
    /// length or the checksums that the client has sent.
    pub(super) async fn receive<T>(
        &self,
        request: &S3Request<T>,
        body: Option<StreamingBlob>,
    ) -> S3Result<Received> {
        let announced = request.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > PUT_OBJECT_BYTES) {
            return Err(s3_error!(EntityTooLarge));
        }
        let file = new_id();
        let mut digests = Digests::of(&request.headers);
        let body = body.unwrap_or_else(|| s3s::Body::empty().into());
        let content = body.and_then(|bytes| {
            digests.update(&bytes);
            let fits = digests.size() <= PUT_OBJECT_BYTES;
            let content = if fits {
                Ok(bytes)
            } else {
                Err("too large".into())
            };
            std::future::ready(content)
        });
        let written = self.files.write(&file, content).await;
        let digested = digests.finish();
        let draft = match written {
            Ok(draft) => draft,
            Err(_) if digested.size > PUT_OBJECT_BYTES => return Err(s3_error!(EntityTooLarge)),
            // An error of the disk has a code of the operating system; any other error is the
            // client's.
            Err(error) if is_the_clients(&error) => return Err(s3_error!(error, IncompleteBody)),
            Err(error) => return Err(broken(error)),
        };
        digested.check(&request.headers, request.extensions.get::<Trailers>())?;
        Ok(Received {
            file,
            draft,
            digested,
        })
    }

    /// Stores a content as a new version of its key together with the event about it, in one
    /// transaction.
    pub(super) async fn store(
        &self,
        new: NewVersion,
        (file, draft): (String, Draft),
        caller: Caller,
        change: ObjectChange,
    ) -> S3Result<Version> {
        let version = Version {
            bucket: self.id.clone(),
            key: new.key,
            id: file,
            size: new.size,
            etag: new.etag,
            modified_ms: clock::now().timestamp_millis(),
            about: new.about,
            ..Version::default()
        };
        let file = version.id.clone();
        // The transaction continues even if the client closes the connection now, so the file must
        // stay.
        draft.keep();
        let announce = self.announce(caller, change);
        let stored = self
            .state
            .put_version(version, new.condition, new.upload, announce);
        match stored.await.map_err(failed)? {
            Ok(version) => {
                self.delivery_accepted.send_replace(());
                Ok(version)
            }
            Err(reason) => {
                self.files.remove(vec![file]).await;
                Err(match reason {
                    NotStored::Condition => precondition_failed(),
                    NotStored::Upload => no_such_upload(),
                })
            }
        }
    }

    /// Removes one version, or adds a delete marker to the key where `version` is `None`. Returns
    /// the removed version or the new marker; `None` where there is no such version.
    pub(super) async fn delete(
        &self,
        key: String,
        version: Option<String>,
        caller: Caller,
    ) -> S3Result<Option<Version>> {
        if let Some(id) = version {
            let announce = self.announce(caller, ObjectChange::Removed);
            let removed = self
                .state
                .remove_version(self.id.clone(), key, id, announce)
                .await;
            let removed = removed.map_err(failed)?;
            self.delivery_accepted.send_replace(());
            if let Some(version) = removed.as_ref().filter(|version| !version.marker) {
                self.files.remove(vec![version.id.clone()]).await;
            }
            return Ok(removed);
        }
        let mark = Version {
            bucket: self.id.clone(),
            key,
            id: new_id(),
            marker: true,
            modified_ms: clock::now().timestamp_millis(),
            ..Version::default()
        };
        let announce = self.announce(caller, ObjectChange::MarkerAdded);
        let marked = self
            .state
            .put_version(mark, Condition::None, None, announce);
        let marked = marked.await.map_err(failed)?.ok();
        self.delivery_accepted.send_replace(());
        Ok(marked)
    }

    /// Returns the version that a client asks for. Fails where there is none, or where it is a
    /// delete marker.
    pub(super) async fn find(&self, key: &str, id: Option<String>) -> S3Result<Version> {
        let by_id = id.is_some();
        let found = self
            .state
            .version(self.id.clone(), key.to_owned(), id)
            .await;
        match found.map_err(failed)? {
            Some(version) if !version.marker => Ok(version),
            Some(_) if by_id => Err(s3_error!(MethodNotAllowed, "This is a delete marker")),
            None if by_id => Err(s3_error!(
                NoSuchVersion,
                "The specified version does not exist."
            )),
            _ => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
        }
    }

    /// Returns the bytes in `range` of a version's content.
    pub(super) async fn content(
        &self,
        version: &Version,
        range: Range<u64>,
    ) -> S3Result<StreamingBlob> {
        let content = self.files.read(&version.id, range).await;
        let content = content.map_err(unread)?;
        Ok(StreamingBlob::wrap(content))
    }

    fn announce(&self, caller: Caller, change: ObjectChange) -> Announce {
        if !self.announces {
            return Box::new(|_| Vec::new());
        }
        announce(Arc::clone(&self.rules), self.name.clone(), caller, change)
    }
}

impl ObjectHeaders {
    /// Returns the headers as they are stored, as JSON. Fails with `MetadataTooLarge` beyond S3's
    /// limit.
    pub(super) fn text(
        content_type: Option<String>,
        content_encoding: Option<String>,
        metadata: Option<HashMap<String, String>>,
    ) -> S3Result<String> {
        let metadata: BTreeMap<_, _> = metadata.into_iter().flatten().collect();
        let size = |(name, value): (&String, &String)| name.len() + value.len();
        if metadata.iter().map(size).sum::<usize>() > METADATA_BYTES {
            return Err(s3_error!(MetadataTooLarge));
        }
        let about = Self {
            content_type,
            content_encoding,
            metadata,
        };
        serde_json::to_string(&about).map_err(broken)
    }

    /// Reads the headers that are stored with a version.
    pub(super) fn of(version: &Version) -> Self {
        // Only this crate writes them; if they cannot be read, the object is served without
        // headers.
        serde_json::from_str(&version.about).unwrap_or_default()
    }
}

/// Returns a new random id of a version, part or upload. It is also the name of a file.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Returns the time at which a version was stored.
pub(super) fn modified(version: &Version) -> Timestamp {
    let millis = u64::try_from(version.modified_ms).unwrap_or_default();
    let since = std::time::Duration::from_millis(millis);
    // HTTP headers hold whole seconds, so the fraction is cut off everywhere.
    (std::time::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())).into()
}

/// Converts the conditional headers of a write. Fails with `NotImplemented` for a combination that
/// is not supported.
pub(super) fn condition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Tagged(etag.into_value())),
        (Some(ETagCondition::Any), None) => Ok(Condition::Present),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        _ => Err(s3_error!(
            NotImplemented,
            "A write takes If-Match, or If-None-Match with an asterisk"
        )),
    }
}

/// Whether the condition of a read matches this version.
pub(super) fn condition_matches(condition: &ETagCondition, version: &Version) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == version.etag,
    }
}

/// Converts a stored entity tag to the form of the protocol.
pub(super) fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

pub(super) fn precondition_failed() -> S3Error {
    let text = "At least one of the pre-conditions you specified did not hold";
    s3_error!(PreconditionFailed, "{text}")
}

pub(super) fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist."
    )
}

/// Converts an error of the state to an error of S3.
pub(super) fn failed(error: StateError) -> S3Error {
    match error {
        StateError::Full => s3_error!(SlowDown, "Please reduce your request rate."),
        error => broken(error),
    }
}

/// Logs an internal error and converts it to S3's `InternalError`.
pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(%error, "a request to S3 failed");
    s3_error!(error, InternalError)
}

/// The answer where a version's file cannot be read. The version may have been deleted after it was
/// found; any other cause is an internal error.
pub(super) fn unread(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::NotFound => s3_error!(error, NoSuchKey),
        _ => broken(error),
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_gone_is_a_missing_key() {
        let code = |kind: io::ErrorKind| unread(kind.into()).code().as_str().to_owned();
        assert_eq!(code(io::ErrorKind::NotFound), "NoSuchKey");
        assert_eq!(code(io::ErrorKind::PermissionDenied), "InternalError");
    }
}
