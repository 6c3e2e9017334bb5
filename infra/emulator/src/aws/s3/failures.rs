//! A bucket as the failure destination of a stream's consumer.

use std::io;

use axum::body::Bytes;
use axum::http::HeaderMap;
use futures::stream;

use super::bucket::{Bucket, ObjectHeaders, new_id};
use super::digests::Digests;
use crate::clock;
use crate::state::{GivenUp, NewCheckpoint, StateError, StoredLetter, Version};

/// A dead letter could not be stored. Its consumer stays at the record then, and tries again.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The file of the content could not be written.
    #[error("a dead letter: {0}")]
    File(#[from] io::Error),
    /// The object or the checkpoint could not be stored.
    #[error(transparent)]
    State(#[from] StateError),
    /// The headers could not be written as JSON.
    #[error("a dead letter: {0}")]
    Headers(#[from] serde_json::Error),
}

/// The object that becomes the dead letter of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterObject {
    /// The object's key.
    pub key: String,
    /// The content of the object, JSON.
    pub body: String,
    /// The record, and the reason why it was given up.
    pub given_up: GivenUp,
}

impl Bucket {
    /// Stores a dead letter and the new checkpoint of its consumer in one transaction: the
    /// checkpoint passes the record exactly when the object exists.
    pub async fn keep(
        &self,
        letter: DeadLetterObject,
        consumer: String,
        sequence: String,
    ) -> Result<(), KeepError> {
        let body = Bytes::from(letter.body);
        let mut digests = Digests::of(&HeaderMap::new());
        digests.update(&body);
        let digested = digests.finish();
        let about = ObjectHeaders {
            content_type: Some("application/json".to_owned()),
            ..ObjectHeaders::default()
        };
        let object = Version {
            bucket: self.id.clone(),
            key: letter.key,
            id: new_id(),
            size: digested.size,
            etag: digested.etag(),
            modified_ms: clock::now().timestamp_millis(),
            about: serde_json::to_string(&about)?,
            ..Version::default()
        };
        let content = stream::iter([Ok::<_, io::Error>(body)]);
        let draft = self.files.write(&object.id, content).await?;
        // The transaction may succeed even where its result is not received, so the file must stay.
        draft.keep();
        let given_up = Some(StoredLetter {
            given_up: letter.given_up,
            object,
        });
        let new_checkpoint = NewCheckpoint {
            consumer,
            sequence,
            given_up,
        };
        Ok(self.state.store_checkpoint(new_checkpoint).await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt as _;
    use tokio::sync::watch;

    use super::super::Buckets;
    use super::*;
    use crate::definition::toy;
    use crate::rules::Rules;
    use crate::state::tests::Folder;

    fn letter() -> DeadLetterObject {
        DeadLetterObject {
            key: "aws/lambda/m/s/1".to_owned(),
            body: "{\"payload\":\"1.50\"}".to_owned(),
            given_up: GivenUp {
                at: "t".to_owned(),
                reason: "poison".to_owned(),
                attempts: 10,
                record: "{}".to_owned(),
            },
        }
    }

    #[tokio::test]
    async fn a_record_is_passed_when_its_dead_letter_is_there_and_not_before() {
        let folder = Folder::new();
        let contents = folder.path().join("objects");
        let library = toy::library();
        let rules = Arc::new(Rules::read(&library.rules).unwrap());
        let (accepted, _) = watch::channel(());
        let state = folder.state();
        let buckets = Buckets::open(&library.buckets, &contents, state.clone(), rules, accepted);
        let buckets = buckets.await.unwrap();
        let bucket = buckets.of_id("failures").unwrap();
        let keep = || bucket.keep(letter(), "shelve".to_owned(), "5".to_owned());
        let passed = || state.checkpoint("shelve");

        std::fs::remove_dir(&contents).unwrap();
        assert!(matches!(keep().await, Err(KeepError::File(_))));
        assert_eq!(passed().await.unwrap(), None);
        assert_eq!(state.dead_letter_count().await.unwrap(), 0);

        std::fs::create_dir(&contents).unwrap();
        keep().await.unwrap();
        assert_eq!(passed().await.unwrap().as_deref(), Some("5"));
        assert_eq!(state.pending(), 0);
        let found = bucket.find(&letter().key, None).await.unwrap();
        let content = bucket.content(&found, 0..found.size).await.unwrap();
        let content: Vec<Bytes> = content.try_collect().await.unwrap();
        assert_eq!(content.concat(), letter().body.as_bytes());
    }
}
