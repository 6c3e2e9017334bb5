//! A rebuild's ledger in S3.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use event_store::failure::describe;

use crate::{
    limits::LEDGER_PARTS_MAX,
    rebuild::ledger::{Ledger, LedgerError},
};

/// The prefix of the keys of ledgers. The bucket's lifecycle rules delete these objects after some
/// time.
pub const PREFIX: &str = "rebuilds/";

/// A ledger in a bucket.
#[derive(Debug)]
pub struct S3Ledger {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl S3Ledger {
    /// A ledger in `bucket`.
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        Self {
            client: aws_sdk_s3::Client::new(config),
            bucket,
        }
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> LedgerError {
    LedgerError(describe(&error))
}

#[async_trait]
impl Ledger for S3Ledger {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let put = self.client.put_object().bucket(&self.bucket);
        let put = put.key(format!("{PREFIX}{path}")).body(bytes.into());
        put.send().await.map(|_| ()).map_err(unavailable)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let mut paths = Vec::new();
        let list = self.client.list_objects_v2().bucket(&self.bucket);
        let mut pages = list
            .prefix(format!("{PREFIX}{prefix}"))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(unavailable)?;
            let keys = page.contents.unwrap_or_default().into_iter();
            paths.extend(keys.filter_map(|object| {
                let key = object.key?;
                key.strip_prefix(PREFIX).map(str::to_owned)
            }));
            if paths.len() > LEDGER_PARTS_MAX {
                let text = format!("more than {LEDGER_PARTS_MAX} parts under {prefix}");
                return Err(LedgerError(text));
            }
        }
        Ok(paths)
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        let get = self.client.get_object().bucket(&self.bucket);
        let got = get.key(format!("{PREFIX}{path}")).send().await;
        let body = got.map_err(unavailable)?.body.collect().await;
        let body = body.map_err(|error| LedgerError(error.to_string()))?;
        Ok(body.into_bytes().into())
    }
}
