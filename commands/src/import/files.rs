//! The interface of the bucket of order files and reports.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One version of an object, whose content never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// The object's key.
    pub key: String,
    /// The version id; `None` where the bucket keeps no versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The ETag, without quotes. It stands for the version where there is no version id.
    pub etag: String,
}

impl Object {
    /// The version id, or the ETag where there is none.
    pub fn version(&self) -> &str {
        self.version_id.as_deref().unwrap_or(&self.etag)
    }
}

/// Why a call of the bucket failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The bucket is unavailable; the call can be repeated. The text is for logs.
    #[error("the bucket is unavailable: {0}")]
    Unavailable(String),
    /// This version was deleted or overwritten, and will not come back.
    #[error("the object was deleted or overwritten")]
    Gone,
}

/// The bucket for order files and their reports.
#[async_trait]
pub trait Files: Send + Sync {
    /// The bucket's name.
    fn bucket(&self) -> &str;

    /// Opens one version from byte `offset` to its end; empty where it ends before `offset`.
    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError>;

    /// Reads the latest version of a small object; `None` where there is none, or it has more than
    /// `most` bytes and so was not written by Waybill.
    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError>;

    /// Writes a JSON object, and overwrites an existing one.
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError>;
}

/// A stream of an object's bytes.
#[async_trait]
pub trait Chunks: Send {
    /// The next chunk, `None` at the end. After an error the stream is over, and a new one must be
    /// opened at the same offset.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError>;
}
