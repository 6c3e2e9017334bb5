//! Wrapping: how a data key is encrypted before it is stored. The environment's KMS key does it.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::DataKeySpec,
};
use domain::Digest;
use sha2::{Digest as _, Sha256};

use super::cipher::DataKey;
use crate::{failure::describe, table::Unavailable};

/// A new data key, and its wrapped form.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub key: DataKey,
    /// The key as the table stores it.
    pub wrapped: Vec<u8>,
}

/// Makes, wraps and unwraps data keys.
#[async_trait]
pub trait Wrapping: Send + Sync {
    /// Makes a data key of `owner`.
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable>;

    /// Unwraps a data key of `owner`. What cannot be unwrapped counts as unavailable, never as
    /// erased: the key that wrapped it may only be disabled.
    async fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable>;
}

// ---- On AWS

/// Wrapping by a KMS key. The wrapped key is bound to a hash of its owner by the encryption
/// context, which CloudTrail logs: so it holds no customer's id.
#[derive(Debug)]
pub struct KmsWrapping {
    client: aws_sdk_kms::Client,
    key_id: String,
}

impl KmsWrapping {
    /// Wrapping by the key with the id, ARN or alias `key_id`.
    pub fn new(config: &SdkConfig, key_id: impl Into<String>) -> Self {
        Self {
            client: aws_sdk_kms::Client::new(config),
            key_id: key_id.into(),
        }
    }
}

/// The name of the encryption context's only entry.
const CONTEXT: &str = "owner";

#[async_trait]
impl Wrapping for KmsWrapping {
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable> {
        let answer = self
            .client
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT, hashed(owner))
            .send()
            .await
            .map_err(unavailable)?;
        let key = answer
            .plaintext
            .and_then(|bytes| DataKey::new(bytes.as_ref()));
        let wrapped = answer.ciphertext_blob.map(Blob::into_inner);
        match (key, wrapped) {
            (Some(key), Some(wrapped)) => Ok(NewKey { key, wrapped }),
            _ => Err(Unavailable("KMS answered without a key".to_owned())),
        }
    }

    async fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable> {
        let answer = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(CONTEXT, hashed(owner))
            .send()
            .await
            .map_err(unavailable)?;
        let key = answer
            .plaintext
            .and_then(|bytes| DataKey::new(bytes.as_ref()));
        key.ok_or_else(|| Unavailable("KMS answered without a key".to_owned()))
    }
}

fn hashed(owner: &str) -> String {
    Digest::of(&owner.into()).as_str().to_owned()
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> Unavailable {
    Unavailable(format!("KMS: {}", describe(&error)))
}

// ---- In memory, for tests

/// Wrapping in memory, for tests: each key is a hash of its owner and of the number of keys made
/// before it, and is "wrapped" by being written down. So a test that is repeated has the same keys.
#[derive(Debug, Default)]
pub struct MemoryWrapping {
    made: AtomicU64,
}

#[async_trait]
impl Wrapping for MemoryWrapping {
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let wrapped = Sha256::digest(format!("{number} {owner}")).to_vec();
        let key = self.unwrap(owner, &wrapped).await?;
        Ok(NewKey { key, wrapped })
    }

    async fn unwrap(&self, _owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable> {
        DataKey::new(wrapped).ok_or_else(|| Unavailable("no key".to_owned()))
    }
}
