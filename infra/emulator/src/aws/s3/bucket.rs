//! A bucket: its contents in files, all else in the state.

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
use super::events::{Happened, announce};
use super::files::{Draft, Files};
use crate::clock;
use crate::definition;
use crate::limits::{METADATA_BYTES, PUT_OBJECT_BYTES};
use crate::rules::Rules;
use crate::state::{Announce, Condition, State, StateError, Unmet, Version};

/// The bucket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Its folder.
    #[error("the objects' folder: {0}")]
    Folder(#[from] io::Error),
    /// What is in it.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A bucket, versioned.
#[derive(Clone)]
pub struct Bucket {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) state: State,
    pub(super) files: Files,
    /// Whether the default bus is told what happens in it.
    announces: bool,
    rules: Arc<Rules>,
    delivery_accepted: watch::Sender<()>,
}

/// All buckets, which share one folder of contents.
#[derive(Clone)]
pub struct Buckets {
    files: Files,
    /// As S3 lists them: by name.
    by_name: Vec<Bucket>,
}

/// What is kept of an object's own headers; the others are not.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// A content that has arrived and is on disk, but does not count yet.
pub(super) struct Received {
    /// The name of its file.
    pub(super) file: String,
    pub(super) draft: Draft,
    pub(super) digested: Digested,
}

/// A version that is about to be.
pub(super) struct New {
    pub(super) key: String,
    pub(super) about: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) condition: Condition,
    /// The upload in parts that ends with it.
    pub(super) upload: Option<String>,
}

impl Buckets {
    /// Opens these buckets, whose contents lie in `folder`. What was being written when an earlier
    /// process ended is gone.
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

    /// When the buckets were made.
    pub(super) fn made(&self) -> io::Result<std::time::SystemTime> {
        self.files.made()
    }

    /// The bucket that a definition calls by this id.
    pub fn of_id(&self, id: &str) -> Option<&Bucket> {
        self.by_name.iter().find(|bucket| bucket.id == id)
    }

    /// The bucket of this name.
    pub(super) fn named(&self, name: &str) -> S3Result<&Bucket> {
        let found = self.by_name.iter().find(|bucket| bucket.name == name);
        found.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }
}

impl Bucket {
    /// Writes a request's body to disk, unless it is too large or not what the client speaks of.
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
            // Whatever is wrong with the disk has a kind.
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

    /// Makes a content a version of its key, and announces it, in one step.
    pub(super) async fn store(
        &self,
        new: New,
        (file, draft): (String, Draft),
        caller: Caller,
        happened: Happened,
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
        // The transaction goes on even when the client goes away now, so the file must stay.
        draft.keep();
        let announce = self.announce(caller, happened);
        let stored = self
            .state
            .put_version(version, new.condition, new.upload, announce);
        match stored.await.map_err(failed)? {
            Ok(version) => {
                self.delivery_accepted.send_replace(());
                Ok(version)
            }
            Err(unmet) => {
                self.files.remove(vec![file]).await;
                Err(match unmet {
                    Unmet::Condition => precondition_failed(),
                    Unmet::Upload => no_such_upload(),
                })
            }
        }
    }

    /// Deletes one version for good, or marks the key as deleted. Says which version has gone or
    /// come; `None` where there was no such version.
    pub(super) async fn delete(
        &self,
        key: String,
        version: Option<String>,
        caller: Caller,
    ) -> S3Result<Option<Version>> {
        if let Some(id) = version {
            let announce = self.announce(caller, Happened::Removed);
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
        let announce = self.announce(caller, Happened::Marked);
        let marked = self
            .state
            .put_version(mark, Condition::None, None, announce);
        let marked = marked.await.map_err(failed)?.ok();
        self.delivery_accepted.send_replace(());
        Ok(marked)
    }

    /// The version that a client asks for, unless it is the mark of a deletion.
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

    /// The content of a version, or a part of it.
    pub(super) async fn content(
        &self,
        version: &Version,
        range: Range<u64>,
    ) -> S3Result<StreamingBlob> {
        let content = self.files.read(&version.id, range).await;
        // It may have been deleted since it was found.
        let content = content.map_err(|error| s3_error!(error, NoSuchKey))?;
        Ok(StreamingBlob::wrap(content))
    }

    fn announce(&self, caller: Caller, happened: Happened) -> Announce {
        if !self.announces {
            return Box::new(|_| Vec::new());
        }
        announce(Arc::clone(&self.rules), self.name.clone(), caller, happened)
    }
}

impl About {
    /// As it is stored; refuses more metadata than S3 takes.
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

    /// As it was stored.
    pub(super) fn of(version: &Version) -> Self {
        // This crate alone writes it; a version without headers is better than none.
        serde_json::from_str(&version.about).unwrap_or_default()
    }
}

/// A new version, part or upload; nobody can guess it, and it is a file's name.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// When a version was stored.
pub(super) fn modified(version: &Version) -> Timestamp {
    let millis = u64::try_from(version.modified_ms).unwrap_or_default();
    let since = std::time::Duration::from_millis(millis);
    // Headers tell whole seconds, and so does everything else here.
    (std::time::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())).into()
}

/// What a write is to hold against the current version.
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

/// Whether a condition of a read means this version.
pub(super) fn means(condition: &ETagCondition, version: &Version) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == version.etag,
    }
}

/// The entity tag as it is sent.
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

/// The state did not do what it should.
pub(super) fn failed(error: StateError) -> S3Error {
    match error {
        StateError::Full => s3_error!(SlowDown, "Please reduce your request rate."),
        error => broken(error),
    }
}

/// Something here is broken; the client cannot help it.
pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(%error, "S3");
    s3_error!(error, InternalError)
}

fn is_the_clients(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none()
}
