//! Dead letters: events and records that were given up after their last attempt. They are kept
//! whole, to be looked at and retried. A dead letter is a message of the queue, or an object that a
//! stream consumer has stored in a bucket.

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Page, State, StateError};
use crate::limits::DEAD_LETTERS_KEPT;

/// A dead letter in the list at `/_local/dead-letters`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The number of the dead letter; later ones have higher numbers.
    pub number: u64,
    /// The time at which it was given up, as ISO 8601.
    pub at: String,
    /// The id of the function that has failed.
    pub consumer: String,
    /// The last error of the function.
    pub reason: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The id of the message, where it is in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The key of the object, where it is in a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The event or record that the function did not accept; a JSON text where it is not JSON.
    pub payload: Box<RawValue>,
}

/// An event or a record that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The time at which it was given up, as ISO 8601.
    pub at: String,
    /// The last error of the function.
    pub reason: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The event or record that the function did not accept, usually JSON.
    pub record: String,
}

/// The place where a dead letter is stored, until somebody removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAs {
    /// A message in the queue.
    Message {
        /// The id of the message.
        id: String,
        /// The message attributes, a JSON object in SQS's form.
        attributes: String,
        /// The time at which the message was sent, in milliseconds since 1970.
        sent_ms: i64,
    },
    /// An object in a bucket.
    Object {
        /// The id of the bucket.
        bucket: String,
        /// The key of the object.
        key: String,
    },
}

impl State {
    /// Stores a dead letter that `consumer` itself has given up.
    pub async fn give_up(
        &self,
        consumer: String,
        given_up: GivenUp,
        stored_as: StoredAs,
    ) -> Result<(), StateError> {
        self.write(move |transaction| insert(transaction, &consumer, &given_up, &stored_as))
            .await
    }

    /// Returns a page of the dead letters, the newest first.
    pub async fn dead_letters(&self, page: Page) -> Result<Vec<DeadLetter>, StateError> {
        let rows = self
            .read(move |connection| select(connection, page))
            .await?;
        let read = |(number, at, consumer, reason, attempts, message_id, object, payload)| {
            Ok(DeadLetter {
                number,
                at,
                consumer,
                reason,
                attempts,
                message_id,
                object,
                payload: as_json(payload)?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Returns the number of dead letters.
    pub async fn dead_letter_count(&self) -> Result<u64, StateError> {
        let sql = "SELECT COUNT(*) FROM dead_letters";
        self.read(|connection| connection.query_row(sql, [], |row| row.get(0)))
            .await
    }
}

/// Converts a payload to JSON. A message may hold any text, which becomes a JSON text.
fn as_json(payload: String) -> Result<Box<RawValue>, serde_json::Error> {
    if serde_json::from_str::<&RawValue>(&payload).is_err() {
        return RawValue::from_string(Value::String(payload).to_string());
    }
    RawValue::from_string(payload)
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    consumer: &str,
    given_up: &GivenUp,
    stored_as: &StoredAs,
) -> rusqlite::Result<()> {
    let GivenUp {
        at,
        reason,
        attempts,
        record,
    } = given_up;
    let (id, attributes, sent_ms, bucket, object) = match stored_as {
        StoredAs::Message {
            id,
            attributes,
            sent_ms,
        } => (Some(id), Some(attributes), *sent_ms, None, None),
        StoredAs::Object { bucket, key } => (None, None, 0, Some(bucket), Some(key)),
    };
    let sql = "INSERT INTO dead_letters (at, consumer, reason, attempts, payload,
                                         message_id, attributes, sent_ms, bucket, object)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute(params![
        at, consumer, reason, attempts, record, id, attributes, sent_ms, bucket, object
    ])?;
    // The number of rows is counted, and not computed from their numbers: rows may be missing in
    // between, since dead letters are also removed one by one.
    let sql = "DELETE FROM dead_letters WHERE number IN
               (SELECT number FROM dead_letters ORDER BY number DESC LIMIT -1 OFFSET ?1)";
    transaction
        .prepare_cached(sql)?
        .execute([DEAD_LETTERS_KEPT])?;
    Ok(())
}

/// Removes the dead letter that is stored in the bucket under this key.
pub(super) fn forget_object(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM dead_letters WHERE object = ?1 AND bucket = ?2";
    transaction.prepare_cached(sql)?.execute([key, bucket])?;
    Ok(())
}

type Row = (
    u64,
    String,
    String,
    String,
    u32,
    Option<String>,
    Option<String>,
    String,
);

fn select(connection: &Connection, page: Page) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, consumer, reason, attempts, message_id, object, payload
         FROM dead_letters WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((page.before(), page.limit()), |row| Row::try_from(row))?;
    rows.collect()
}
