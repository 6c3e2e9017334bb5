//! What was given up after its last attempt, whole, so that it can be looked at and sent again.

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Page, State, StateError, span, trim};
use crate::limits::DEAD_LETTERS_KEPT;

/// A delivery or a record of the stream that its function never took.
#[derive(Debug, Serialize)]
pub struct DeadLetter {
    /// Its place in the list.
    pub number: u64,
    /// When it was given up.
    pub at: String,
    /// The role of the function.
    pub consumer: String,
    /// The function's last error.
    pub reason: String,
    /// Attempts made.
    pub attempts: u32,
    /// What the function did not take.
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
    /// What the function did not take, JSON.
    pub record: String,
}

impl State {
    /// Keeps what `consumer` itself has given up.
    pub async fn give_up(
        &self,
        consumer: &'static str,
        given_up: GivenUp,
    ) -> Result<(), StateError> {
        self.write(move |transaction| insert(transaction, consumer, &given_up))
            .await
    }

    /// Dead letters, newest first.
    pub async fn dead_letters(&self, page: Page) -> Result<Vec<DeadLetter>, StateError> {
        let rows = self
            .read(move |connection| select(connection, page))
            .await?;
        let read = |(number, at, consumer, reason, attempts, payload)| {
            let payload = RawValue::from_string(payload)?;
            Ok(DeadLetter {
                number,
                at,
                consumer,
                reason,
                attempts,
                payload,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// How many dead letters are kept.
    pub async fn dead_letter_count(&self) -> Result<u64, StateError> {
        self.read(|connection| span(connection, "dead_letters"))
            .await
    }
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    consumer: &str,
    given_up: &GivenUp,
) -> rusqlite::Result<()> {
    let GivenUp {
        at,
        reason,
        attempts,
        record,
    } = given_up;
    let sql = "INSERT INTO dead_letters (at, consumer, reason, attempts, payload)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    transaction
        .prepare_cached(sql)?
        .execute(params![at, consumer, reason, attempts, record])?;
    bound(transaction)
}

/// Removes the oldest above the limit.
pub(super) fn bound(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    trim(transaction, "dead_letters", DEAD_LETTERS_KEPT)
}

type Row = (u64, String, String, String, u32, String);

fn select(connection: &Connection, page: Page) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, consumer, reason, attempts, payload FROM dead_letters
         WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((page.before(), page.limit()), |row| Row::try_from(row))?;
    rows.collect()
}
