//! What an import asks of the bucket.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One version of one object: what is read today is what is read tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its version id, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its ETag, without quotes: stands for the version where there is no version id.
    pub etag: String,
}

impl Object {
    /// What tells this version from another one of the same key.
    pub fn version(&self) -> &str {
        self.version_id.as_deref().unwrap_or(&self.etag)
    }
}

/// What a bucket cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Try again. The text is for logs.
    #[error("bucket unavailable: {0}")]
    Unavailable(String),
    /// This version is not there any more, and will not come back.
    #[error("object gone")]
    Gone,
}

/// The bucket for order files and their reports.
#[async_trait]
pub trait Files: Send + Sync {
    /// Its name.
    fn bucket(&self) -> &str;

    /// Reads one version from byte `offset` to its end; nothing where it ends before.
    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError>;

    /// A small object's latest version, `None` where there is none. One of more than `most` bytes
    /// is not read: it is none of ours.
    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError>;

    /// Writes an object of JSON, whatever was there.
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError>;
}

/// An object's bytes on their way.
#[async_trait]
pub trait Chunks: Send {
    /// The next of them, `None` at the end. After an error it is over: open it again from there.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError>;
}
