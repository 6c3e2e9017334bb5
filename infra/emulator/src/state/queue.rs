//! The queue of dead letters. A received message is hidden from other receivers for a time; if it
//! is not deleted in that time, it is visible again.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{State, StateError};

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The id of the message, the same at each receive.
    pub id: String,
    /// The text of the message.
    pub body: String,
    /// The message attributes, a JSON object in SQS's form.
    pub attributes: String,
    /// The time at which the message was sent, in milliseconds since 1970.
    pub sent_ms: i64,
    /// The number of times that it was received, with this one.
    pub receives: u32,
    /// The time at which it was first received, in milliseconds since 1970.
    pub first_received_ms: i64,
    /// The receipt handle, with which it can be deleted until somebody receives it again.
    pub receipt: String,
}

/// The parameters of a receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// The maximum number of messages.
    pub limit: u32,
    /// The time for which the messages are hidden from others, in milliseconds.
    pub hidden_ms: i64,
    /// The present time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// The numbers of messages in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// The number of messages that can be received.
    pub visible: u64,
    /// The number of messages that were received and are hidden.
    pub hidden: u64,
}

/// The condition of a message in the table of dead letters: it is not an object in a bucket.
const MESSAGE: &str = "object IS NULL";

impl State {
    /// Receives messages, the oldest first.
    pub async fn take_messages(
        &self,
        options: ReceiveOptions,
    ) -> Result<Vec<QueueMessage>, StateError> {
        let due = format!(
            "SELECT number FROM dead_letters WHERE {MESSAGE} AND visible_ms <= ?1
             ORDER BY number LIMIT ?2"
        );
        let take = "UPDATE dead_letters
                    SET visible_ms = ?2, receipt = ?3, receives = receives + 1,
                        first_received_ms = COALESCE(first_received_ms, ?4)
                    WHERE number = ?1
                    RETURNING message_id, payload, attributes, sent_ms, receives,
                              first_received_ms, receipt";
        self.write(move |transaction| {
            let mut due = transaction.prepare_cached(&due)?;
            let numbers = due.query_map((options.now_ms, options.limit), |row| row.get(0))?;
            let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
            let mut take = transaction.prepare_cached(take)?;
            let until = options.now_ms.saturating_add(options.hidden_ms);
            let mut taken = Vec::with_capacity(numbers.len());
            for number in numbers {
                let receipt = uuid::Uuid::new_v4().to_string();
                let values = params![number, until, receipt, options.now_ms];
                taken.push(take.query_row(values, message)?);
            }
            Ok(taken)
        })
        .await
    }

    /// Whether a message can be received now. This only reads, so it is cheaper than a receive.
    pub async fn message_is_due(&self, now_ms: i64) -> Result<bool, StateError> {
        let sql = format!("SELECT 1 FROM dead_letters WHERE {MESSAGE} AND visible_ms <= ?1");
        self.read(move |connection| {
            let found = connection.query_row(&sql, [now_ms], |_| Ok(()));
            Ok(found.optional()?.is_some())
        })
        .await
    }

    /// Deletes the message with this receipt handle. Does nothing where it was received again
    /// since.
    pub async fn delete_message(&self, receipt: String) -> Result<(), StateError> {
        let sql = "DELETE FROM dead_letters WHERE receipt = ?1";
        self.write(move |transaction| transaction.execute(sql, [receipt]).map(drop))
            .await
    }

    /// Hides the message with this receipt handle until `until_ms`, in milliseconds since 1970; a
    /// time in the past makes it visible. Does nothing where it was received again since.
    pub async fn hide_message(&self, receipt: String, until_ms: i64) -> Result<(), StateError> {
        let sql = "UPDATE dead_letters SET visible_ms = ?2 WHERE receipt = ?1";
        self.write(move |transaction| {
            let changed = transaction.execute(sql, params![receipt, until_ms]);
            changed.map(drop)
        })
        .await
    }

    /// Counts the messages in the queue.
    pub async fn queue_depth(&self, now_ms: i64) -> Result<Depth, StateError> {
        self.read(move |connection| depth(connection, now_ms)).await
    }
}

fn depth(connection: &Connection, now_ms: i64) -> rusqlite::Result<Depth> {
    let sql = format!(
        "SELECT COUNT(*) FILTER (WHERE visible_ms <= ?1), COUNT(*) FILTER (WHERE visible_ms > ?1)
         FROM dead_letters WHERE {MESSAGE}"
    );
    connection.query_row(&sql, [now_ms], |row| {
        Ok(Depth {
            visible: row.get(0)?,
            hidden: row.get(1)?,
        })
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<QueueMessage> {
    Ok(QueueMessage {
        id: row.get(0)?,
        body: row.get(1)?,
        attributes: row.get(2)?,
        sent_ms: row.get(3)?,
        receives: row.get(4)?,
        first_received_ms: row.get(5)?,
        receipt: row.get(6)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::Folder;
    use super::*;
    use crate::state::{GivenUp, StoredAs};

    async fn keep(state: &State, body: &str, stored_as: StoredAs) {
        let given_up = GivenUp {
            at: "t".to_owned(),
            reason: "broken".to_owned(),
            attempts: 3,
            record: body.to_owned(),
        };
        state
            .give_up("lend".to_owned(), given_up, stored_as)
            .await
            .unwrap();
    }

    async fn filled(folder: &Folder, bodies: &[&str]) -> State {
        let state = folder.state();
        for body in bodies {
            let stored_as = StoredAs::Message {
                id: format!("id of {body}"),
                attributes: "{}".to_owned(),
                sent_ms: 7,
            };
            keep(&state, body, stored_as).await;
        }
        state
    }

    async fn take(state: &State, limit: u32, now_ms: i64) -> Vec<QueueMessage> {
        let options = ReceiveOptions {
            limit,
            hidden_ms: 100,
            now_ms,
        };
        state.take_messages(options).await.unwrap()
    }

    fn bodies(messages: &[QueueMessage]) -> Vec<&str> {
        let bodies = messages.iter().map(|message| message.body.as_str());
        bodies.collect()
    }

    #[tokio::test]
    async fn what_one_has_taken_is_hidden_for_a_while_even_over_a_restart() {
        let folder = Folder::new();
        let state = filled(&folder, &["1", "2", "3"]).await;
        let first = take(&state, 2, 1_000).await;
        assert_eq!(bodies(&first), ["1", "2"]);
        assert_eq!((first[0].receives, first[0].first_received_ms), (1, 1_000));
        drop(state);

        let state = folder.state();
        let depth = state.queue_depth(1_099).await.unwrap();
        assert_eq!((depth.visible, depth.hidden), (1, 2));
        assert_eq!(bodies(&take(&state, 10, 1_099).await), ["3"]);
        assert!(!state.message_is_due(1_099).await.unwrap());
        assert!(state.message_is_due(1_100).await.unwrap());
        let again = take(&state, 10, 1_100).await;
        assert_eq!(bodies(&again), ["1", "2"]);
        assert_eq!((again[0].receives, again[0].first_received_ms), (2, 1_000));
        assert_eq!((again[0].id.as_str(), again[0].sent_ms), ("id of 1", 7));
    }

    #[tokio::test]
    async fn only_the_last_receipt_deletes() {
        let folder = Folder::new();
        let state = filled(&folder, &["1", "2"]).await;
        let early = take(&state, 1, 1_000).await.remove(0);
        let late = take(&state, 1, 1_100).await.remove(0);
        assert_eq!(early.body, late.body);
        state.delete_message(early.receipt).await.unwrap();
        assert_eq!(state.dead_letter_count().await.unwrap(), 2);
        state.delete_message(late.receipt).await.unwrap();
        assert_eq!(state.dead_letter_count().await.unwrap(), 1);
        assert_eq!(bodies(&take(&state, 10, 9_000).await), ["2"]);
    }

    #[tokio::test]
    async fn what_is_given_back_is_there_at_once() {
        let folder = Folder::new();
        let state = filled(&folder, &["1"]).await;
        let early = take(&state, 1, 1_000).await.remove(0);
        let late = take(&state, 1, 1_100).await.remove(0);
        state.hide_message(early.receipt, 1_110).await.unwrap();
        assert!(!state.message_is_due(1_110).await.unwrap());
        state.hide_message(late.receipt, 1_110).await.unwrap();
        assert!(state.message_is_due(1_110).await.unwrap());
    }

    #[tokio::test]
    async fn what_lies_in_the_bucket_is_no_message() {
        let folder = Folder::new();
        let state = filled(&folder, &[]).await;
        keep(
            &state,
            "1",
            StoredAs::Object {
                bucket: "failures".to_owned(),
                key: "k".to_owned(),
            },
        )
        .await;
        assert_eq!(take(&state, 10, 1_000).await, []);
        let depth = state.queue_depth(1_000).await.unwrap();
        assert_eq!((depth.visible, depth.hidden), (0, 0));
        assert_eq!(state.dead_letter_count().await.unwrap(), 1);
    }
}
