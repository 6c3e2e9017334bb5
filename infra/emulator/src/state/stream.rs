//! The checkpoints of the stream consumers.

use rusqlite::OptionalExtension;

use super::{GivenUp, State, StateError, StoredAs, Version, dead_letters, objects};

/// A new checkpoint of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCheckpoint {
    /// The id of the consumer's function.
    pub consumer: String,
    /// The sequence number of the last record that needs no further attempt.
    pub sequence: String,
    /// The dead letter of that record, where it was given up.
    pub given_up: Option<StoredLetter>,
}

/// A record that was given up, and the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// The record and the reason.
    pub given_up: GivenUp,
    /// The object. Its content is on disk; its number is set when it is stored.
    pub object: Version,
}

impl State {
    /// Returns the sequence number of the last record that `consumer` has finished; `None` where it
    /// has finished none.
    pub async fn checkpoint(&self, consumer: &str) -> Result<Option<String>, StateError> {
        let sql = "SELECT sequence FROM checkpoints WHERE consumer = ?1";
        let consumer = consumer.to_owned();
        self.read(move |connection| {
            connection
                .query_row(sql, [consumer], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// Stores a checkpoint together with the dead letter, if there is one.
    pub async fn store_checkpoint(&self, new_checkpoint: NewCheckpoint) -> Result<(), StateError> {
        self.write(move |transaction| {
            let NewCheckpoint {
                consumer,
                sequence,
                given_up,
            } = new_checkpoint;
            if let Some(StoredLetter { given_up, object }) = given_up {
                objects::insert(transaction, &object)?;
                let Version { bucket, key, .. } = object;
                let stored_as = StoredAs::Object { bucket, key };
                dead_letters::insert(transaction, &consumer, &given_up, &stored_as)?;
            }
            let sql = "INSERT INTO checkpoints (consumer, sequence) VALUES (?1, ?2)
                       ON CONFLICT (consumer) DO UPDATE SET sequence = excluded.sequence";
            transaction
                .prepare_cached(sql)?
                .execute([&consumer, &sequence])?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::Folder;
    use super::*;
    use crate::state::{Condition, Page};

    #[tokio::test]
    async fn each_consumer_has_its_own_checkpoint_and_finds_it_again() {
        let folder = Folder::new();
        let state = folder.state();
        let new_checkpoint = |consumer: &str, sequence: &str| NewCheckpoint {
            consumer: consumer.to_owned(),
            sequence: sequence.to_owned(),
            given_up: None,
        };
        state
            .store_checkpoint(new_checkpoint("shelve", "7"))
            .await
            .unwrap();
        state
            .store_checkpoint(new_checkpoint("shelve", "9"))
            .await
            .unwrap();
        drop(state);

        let state = folder.state();
        assert_eq!(
            state.checkpoint("shelve").await.unwrap().as_deref(),
            Some("9")
        );
        assert_eq!(state.checkpoint("remind").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_record_given_up_is_kept_whole() {
        let state = Folder::new().state();
        let given_up = GivenUp {
            at: "t".to_owned(),
            reason: "poison".to_owned(),
            attempts: 10,
            record: r#"{"eventID":"1"}"#.to_owned(),
        };
        let object = Version {
            bucket: "failures".to_owned(),
            key: "k".to_owned(),
            id: "v".to_owned(),
            ..Version::default()
        };
        let new_checkpoint = NewCheckpoint {
            consumer: "shelve".to_owned(),
            sequence: "5".to_owned(),
            given_up: Some(StoredLetter { given_up, object }),
        };
        state.store_checkpoint(new_checkpoint).await.unwrap();
        assert_eq!(state.files().await.unwrap(), ["v".to_owned()].into());
        let letters = state.dead_letters(Page::default()).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].consumer, "shelve");
        assert_eq!(letters[0].payload.get(), r#"{"eventID":"1"}"#);
        assert_eq!(letters[0].object.as_deref(), Some("k"));
        assert_eq!(state.dead_letter_count().await.unwrap(), 1);

        // The same key in another bucket is another object.
        let silent = || Box::new(|_: &Version| Vec::new());
        for (bucket, left) in [("scans", 1), ("failures", 0)] {
            let mark = Version {
                bucket: bucket.to_owned(),
                key: "k".to_owned(),
                id: bucket.to_owned(),
                marker: true,
                ..Version::default()
            };
            let put = state.put_version(mark, Condition::None, None, silent());
            put.await.unwrap().unwrap();
            assert_eq!(state.dead_letter_count().await.unwrap(), left);
        }
    }
}
