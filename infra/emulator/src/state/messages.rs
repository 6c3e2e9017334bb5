//! Messages that the system has sent, kept to be looked at.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{State, StateError, span, trim};
use crate::limits::{MESSAGES_KEPT, PAGE_DEFAULT, PAGE_MAX};

/// A message as the system has sent it.
#[derive(Debug, Serialize)]
#[serde(tag = "via", rename_all_fields = "camelCase")]
pub enum Message {
    /// An event from a source whose events are kept.
    EventBridge {
        /// The event's id.
        id: String,
        /// The name of the bus.
        bus: String,
        /// The event's source.
        source: String,
        /// The detail type of the event.
        detail_type: String,
        /// The detail, JSON, with its numbers as they were written.
        detail: Box<RawValue>,
    },
    /// A message to an SNS topic.
    #[serde(rename = "SNS")]
    Sns {
        /// The name of the topic.
        topic: String,
        /// The subject, if there is one.
        subject: Option<String>,
        /// The text of the message.
        message: String,
        /// The message attributes by name; binary ones in base64.
        attributes: BTreeMap<String, String>,
    },
}

/// The page of a list that is requested, the newest entries first.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
pub struct Page {
    /// Only entries with a smaller number are listed.
    pub before: Option<u64>,
    /// The maximum number of entries. A value outside of the limits is set to the nearest limit.
    pub limit: Option<u64>,
}

impl Page {
    /// Returns the maximum number of entries, within the limits.
    pub(super) fn limit(self) -> u64 {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }

    /// Returns the exclusive upper bound of the numbers, as an integer of SQLite.
    pub(super) fn before(self) -> i64 {
        self.before
            .and_then(|number| i64::try_from(number).ok())
            .unwrap_or(i64::MAX)
    }
}

impl State {
    /// Stores messages in this order. `at` is the present time.
    pub async fn keep(&self, at: String, messages: &[Message]) -> Result<(), StateError> {
        let bodies = bodies(messages)?;
        self.write(move |transaction| insert(transaction, &at, &bodies))
            .await
    }

    /// Returns a page of the messages as JSON objects, the newest first.
    pub async fn messages(&self, page: Page) -> Result<Vec<Box<RawValue>>, StateError> {
        let rows = self
            .read(move |connection| select(connection, page))
            .await?;
        rows.into_iter()
            .map(|row| Ok(RawValue::from_string(row)?))
            .collect()
    }

    /// Returns the number of messages that are kept.
    pub async fn message_count(&self) -> Result<u64, StateError> {
        self.read(|connection| span(connection, "messages")).await
    }
}

/// Returns the messages as JSON, in the form of the table.
pub(super) fn bodies(messages: &[Message]) -> Result<Vec<String>, StateError> {
    messages
        .iter()
        .map(|message| Ok(serde_json::to_string(message)?))
        .collect()
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    at: &str,
    bodies: &[String],
) -> rusqlite::Result<()> {
    let mut statement =
        transaction.prepare_cached("INSERT INTO messages (at, body) VALUES (?1, ?2)")?;
    for body in bodies {
        statement.execute([at, body])?;
    }
    if bodies.is_empty() {
        Ok(())
    } else {
        trim(transaction, "messages", MESSAGES_KEPT)
    }
}

fn select(connection: &Connection, page: Page) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, body FROM messages WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((page.before(), page.limit()), |row| {
        let (number, at, body): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // The body is an object with at least the member `via`, so a comma can follow.
        Ok(format!(
            "{{\"number\":{number},\"at\":\"{at}\",{}",
            &body[1..]
        ))
    })?;
    rows.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Folder;
    use super::*;

    fn event(id: &str, detail: &str) -> Message {
        Message::EventBridge {
            id: id.to_owned(),
            bus: "toy-bus".to_owned(),
            source: "library.loans".to_owned(),
            detail_type: "Book Lent".to_owned(),
            detail: RawValue::from_string(detail.to_owned()).unwrap(),
        }
    }

    async fn listed(state: &State, page: Page) -> Vec<Value> {
        let messages = state.messages(page).await.unwrap();
        messages
            .iter()
            .map(|raw| serde_json::from_str(raw.get()).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn messages_are_listed_newest_first_and_survive_a_restart() {
        let folder = Folder::new();
        let state = folder.state();
        let sns = Message::Sns {
            topic: "toy-notices".to_owned(),
            subject: None,
            message: "text".to_owned(),
            attributes: BTreeMap::from([("status".to_owned(), "LATE".to_owned())]),
        };
        state
            .keep("t1".to_owned(), &[event("e-1", "{}"), sns])
            .await
            .unwrap();
        drop(state);

        let messages = listed(&folder.state(), Page::default()).await;
        assert_eq!(
            messages,
            [
                json!({ "number": 2, "at": "t1", "via": "SNS", "topic": "toy-notices",
                        "subject": null, "message": "text", "attributes": { "status": "LATE" } }),
                json!({ "number": 1, "at": "t1", "via": "EventBridge", "id": "e-1",
                        "bus": "toy-bus", "source": "library.loans",
                        "detailType": "Book Lent", "detail": {} }),
            ]
        );
    }

    #[tokio::test]
    async fn numbers_in_a_detail_stay_as_they_were_written() {
        let state = Folder::new().state();
        let digits = "12345678901234567890123456789012345.670";
        let message = event("e", &format!("{{\"fine\":{digits}}}"));
        state.keep("t".to_owned(), &[message]).await.unwrap();
        let messages = state.messages(Page::default()).await.unwrap();
        assert!(messages[0].get().contains(digits), "{}", messages[0].get());
    }

    #[tokio::test]
    async fn pages_follow_on_each_other() {
        let state = Folder::new().state();
        let many: Vec<Message> = (0..5).map(|n| event(&n.to_string(), "{}")).collect();
        state.keep("t".to_owned(), &many).await.unwrap();
        let first = listed(
            &state,
            Page {
                before: None,
                limit: Some(2),
            },
        )
        .await;
        let next = first[1]["number"].as_u64();
        let second = listed(
            &state,
            Page {
                before: next,
                limit: Some(9),
            },
        )
        .await;
        let ids = |page: &[Value]| page.iter().map(|m| m["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&first), ["4", "3"]);
        assert_eq!(ids(&second), ["2", "1", "0"]);
        assert_eq!(state.message_count().await.unwrap(), 5);
    }

    #[tokio::test]
    async fn the_oldest_give_way() {
        let state = Folder::new().state();
        let many: Vec<Message> = (0..5).map(|n| event(&n.to_string(), "{}")).collect();
        state.keep("t".to_owned(), &many).await.unwrap();
        state
            .write(|transaction| trim(transaction, "messages", 2))
            .await
            .unwrap();
        let left = listed(&state, Page::default()).await;
        assert_eq!(left.len(), 2);
        assert_eq!(left[1]["id"], "3");
        assert_eq!(state.message_count().await.unwrap(), 2);
    }
}
