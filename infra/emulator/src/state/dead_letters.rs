//! What was given up after its last attempt, whole, so that it can be looked at and sent again:
//! messages of the queue, and what the stream's consumers leave in the bucket.

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Page, State, StateError};
use crate::limits::DEAD_LETTERS_KEPT;

/// A delivery or a record of the stream that its function never took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its place in the list.
    pub number: u64,
    /// When it was given up.
    pub at: String,
    /// The id of the function.
    pub consumer: String,
    /// The function's last error.
    pub reason: String,
    /// Attempts made.
    pub attempts: u32,
    /// Its id in the queue, where it lies there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Its key in the bucket, where it lies there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What the function did not take; text where it is not JSON.
    pub payload: Box<RawValue>,
}

/// What becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Now.
    pub at: String,
    /// The function's last error.
    pub reason: String,
    /// Attempts made.
    pub attempts: u32,
    /// What the function did not take.
    pub record: String,
}

/// Where a dead letter lies, until somebody takes it from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In the queue, as a message.
    Message {
        /// The message's id.
        id: String,
        /// Its attributes, a JSON object as SQS writes it.
        attributes: String,
        /// When it came, milliseconds since 1970.
        sent_ms: i64,
    },
    /// In a bucket, as an object.
    Object {
        /// The bucket's id.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

impl State {
    /// Keeps what `consumer` itself has given up.
    pub async fn give_up(
        &self,
        consumer: String,
        given_up: GivenUp,
        kept: Kept,
    ) -> Result<(), StateError> {
        self.write(move |transaction| insert(transaction, &consumer, &given_up, &kept))
            .await
    }

    /// Dead letters, newest first.
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

    /// How many dead letters are kept.
    pub async fn dead_letter_count(&self) -> Result<u64, StateError> {
        let sql = "SELECT COUNT(*) FROM dead_letters";
        self.read(|connection| connection.query_row(sql, [], |row| row.get(0)))
            .await
    }
}

/// A message may hold any text.
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
    kept: &Kept,
) -> rusqlite::Result<()> {
    let GivenUp {
        at,
        reason,
        attempts,
        record,
    } = given_up;
    let (id, attributes, sent_ms, bucket, object) = match kept {
        Kept::Message {
            id,
            attributes,
            sent_ms,
        } => (Some(id), Some(attributes), *sent_ms, None, None),
        Kept::Object { bucket, key } => (None, None, 0, Some(bucket), Some(key)),
    };
    let sql = "INSERT INTO dead_letters (at, consumer, reason, attempts, payload,
                                         message_id, attributes, sent_ms, bucket, object)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute(params![
        at, consumer, reason, attempts, record, id, attributes, sent_ms, bucket, object
    ])?;
    // Not by their numbers: a young one that was taken away leaves its place to an old one.
    let sql = "DELETE FROM dead_letters WHERE number IN
               (SELECT number FROM dead_letters ORDER BY number DESC LIMIT -1 OFFSET ?1)";
    transaction
        .prepare_cached(sql)?
        .execute([DEAD_LETTERS_KEPT])?;
    Ok(())
}

/// Removes what lay in the bucket under this key.
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
