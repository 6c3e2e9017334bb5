//! The queue of asynchronous invocations: they are accepted, leased to a sender, retried, and given
//! up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::Value;

use super::{GivenUp, Message, State, StateError, StoredAs, dead_letters, messages};
use crate::limits::PENDING_DELIVERIES;

/// An asynchronous invocation that is not stored yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The id of the function.
    pub function: String,
    /// The request id of the invocation. Retries have the same id.
    pub request_id: String,
    /// The payload of the function, JSON.
    pub payload: String,
}

/// Everything that a call must store in one transaction before it is answered.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// The messages to keep.
    pub messages: Vec<Message>,
    /// The invocations to deliver.
    pub deliveries: Vec<NewDelivery>,
}

/// An asynchronous invocation that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The id in the queue.
    pub id: i64,
    /// The id of the function.
    pub function: String,
    /// The request id of the invocation.
    pub request_id: String,
    /// The payload of the function, JSON.
    pub payload: String,
    /// The number of earlier attempts.
    pub attempts: u32,
}

/// A part of the queue. Its deliveries do not wait for those of other lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane {
    /// The deliveries to the function with this id.
    Function(String),
    /// The deliveries to all functions except for these.
    Others {
        /// The ids of the functions that have lanes of their own.
        without: Vec<String>,
    },
}

/// A finished attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedAttempt {
    /// The id of the delivery.
    pub id: i64,
    /// The result of the attempt.
    pub verdict: Verdict,
}

/// The result of an attempt, and what happens with the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The function has accepted the event.
    Delivered,
    /// The delivery is retried.
    Retry {
        /// The earliest time of the next attempt, in milliseconds since 1970.
        due_ms: i64,
    },
    /// The delivery is given up and becomes a dead letter.
    GivenUp {
        /// The event and the reason; the payload is its `record`.
        given_up: GivenUp,
        /// The message of the dead letter.
        stored_as: StoredAs,
    },
}

impl State {
    /// Stores the messages and invocations of a call. When this returns, they survive the end of
    /// the process. Fails with [`StateError::Full`] where too many invocations are pending.
    pub async fn accept(
        &self,
        at: String,
        now_ms: i64,
        acceptance: Acceptance,
    ) -> Result<(), StateError> {
        let bodies = messages::bodies(&acceptance.messages)?;
        let new = acceptance.deliveries;
        if !new.is_empty() && self.pending() >= PENDING_DELIVERIES {
            return Err(StateError::Full);
        }
        self.write_and_deliver(now_ms, move |transaction| {
            messages::insert(transaction, &at, &bodies)?;
            Ok(((), new))
        })
        .await
    }

    /// Runs `job`, and stores the deliveries that it returns, in one transaction.
    pub(super) async fn write_and_deliver<T: Send + 'static>(
        &self,
        now_ms: i64,
        job: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<(T, Vec<NewDelivery>)> + Send + 'static,
    ) -> Result<T, StateError> {
        let pending = Arc::clone(&self.pending);
        let added = Arc::new(AtomicU64::new(0));
        let adding = Arc::clone(&added);
        let written = self
            .write(move |transaction| {
                let (result, new) = job(transaction)?;
                insert(transaction, now_ms, &new)?;
                // The counter is increased before the commit: a delivery may finish before this
                // call continues.
                let count = u64::try_from(new.len()).unwrap_or(u64::MAX);
                adding.store(count, Ordering::Relaxed);
                pending.fetch_add(count, Ordering::Relaxed);
                Ok(result)
            })
            .await;
        if written.is_err() {
            let count = added.load(Ordering::Relaxed);
            self.pending.fetch_sub(count, Ordering::Relaxed);
        }
        written
    }

    /// Stores finished attempts and leases up to `wanted` due deliveries of a lane, the oldest
    /// first. Nobody else receives a leased delivery until its attempt is finished or the process
    /// starts again.
    pub async fn exchange(
        &self,
        finished: Vec<FinishedAttempt>,
        lane: Lane,
        wanted: usize,
        now_ms: i64,
    ) -> Result<Vec<Delivery>, StateError> {
        let (gone, due) = self
            .write(move |transaction| {
                let mut gone = 0;
                for attempt in &finished {
                    gone += settle(transaction, attempt)?;
                }
                Ok((gone, lease(transaction, &lane, wanted, now_ms)?))
            })
            .await?;
        self.pending.fetch_sub(gone, Ordering::Relaxed);
        Ok(due)
    }
}

fn insert(transaction: &Transaction<'_>, now: i64, new: &[NewDelivery]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO deliveries (role, request_id, payload, due_ms) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for delivery in new {
        let NewDelivery {
            function,
            request_id,
            payload,
        } = delivery;
        statement.execute(params![function, request_id, payload, now])?;
    }
    Ok(())
}

/// Stores the result of an attempt. Returns the number of deliveries that have left the queue: 0 or
/// 1.
fn settle(transaction: &Transaction<'_>, attempt: &FinishedAttempt) -> rusqlite::Result<u64> {
    match &attempt.verdict {
        Verdict::Retry { due_ms } => {
            let sql = "UPDATE deliveries SET leased = 0, attempts = attempts + 1, due_ms = ?2
                       WHERE id = ?1";
            transaction
                .prepare_cached(sql)?
                .execute(params![attempt.id, due_ms])?;
            return Ok(0);
        }
        Verdict::GivenUp {
            given_up,
            stored_as,
        } => {
            let sql = "SELECT role FROM deliveries WHERE id = ?1";
            let role = transaction.query_row(sql, [attempt.id], |row| row.get(0));
            // Without a row, this result was stored before and the answer was lost: the dead letter
            // exists.
            let role: Option<String> = role.optional()?;
            if let Some(role) = role {
                dead_letters::insert(transaction, &role, given_up, stored_as)?;
            }
        }
        Verdict::Delivered => {}
    }
    let sql = "DELETE FROM deliveries WHERE id = ?1";
    let removed = transaction.prepare_cached(sql)?.execute([attempt.id])?;
    Ok(u64::try_from(removed).unwrap_or(u64::MAX))
}

fn lease(
    transaction: &Transaction<'_>,
    lane: &Lane,
    wanted: usize,
    now_ms: i64,
) -> rusqlite::Result<Vec<Delivery>> {
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let mut statement = transaction.prepare_cached(
        "UPDATE deliveries SET leased = 1
         WHERE id IN (SELECT id FROM deliveries WHERE leased = 0 AND due_ms <= ?1
                        AND (role IN (SELECT value FROM json_each(?3))) = ?4
                      ORDER BY due_ms, id LIMIT ?2)
         RETURNING id, role, request_id, payload, attempts",
    )?;
    let (named, only_these) = match lane {
        Lane::Function(function) => (std::slice::from_ref(function), true),
        Lane::Others { without } => (without.as_slice(), false),
    };
    let values = (now_ms, wanted, Value::from(named).to_string(), only_these);
    let rows = statement.query_map(values, |row| {
        Ok(Delivery {
            id: row.get(0)?,
            function: row.get(1)?,
            request_id: row.get(2)?,
            payload: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    let mut due: Vec<Delivery> = rows.collect::<Result<_, _>>()?;
    // `RETURNING` does not promise an order.
    due.sort_by_key(|delivery| delivery.id);
    Ok(due)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::Folder;
    use super::*;
    use crate::state::Page;

    fn delivery(payload: &str) -> NewDelivery {
        NewDelivery {
            function: "lend".to_owned(),
            request_id: "r".to_owned(),
            payload: payload.to_owned(),
        }
    }

    fn others() -> Lane {
        let without = vec!["scan".to_owned()];
        Lane::Others { without }
    }

    async fn accept(state: &State, payloads: &[&str]) {
        let deliveries = payloads.iter().map(|payload| delivery(payload)).collect();
        let acceptance = Acceptance {
            messages: Vec::new(),
            deliveries,
        };
        state
            .accept("t".to_owned(), 1_000, acceptance)
            .await
            .unwrap();
    }

    async fn take(state: &State, wanted: usize, now_ms: i64) -> Vec<Delivery> {
        let taken = state.exchange(Vec::new(), others(), wanted, now_ms);
        taken.await.unwrap()
    }

    fn payloads(due: &[Delivery]) -> Vec<&str> {
        due.iter()
            .map(|delivery| delivery.payload.as_str())
            .collect()
    }

    #[tokio::test]
    async fn a_delivery_is_taken_once_and_gone_when_delivered() {
        let state = Folder::new().state();
        accept(&state, &["1", "2", "3"]).await;
        let due = take(&state, 2, 1_000).await;
        assert_eq!(payloads(&due), ["1", "2"]);
        let done = due
            .iter()
            .map(|d| FinishedAttempt {
                id: d.id,
                verdict: Verdict::Delivered,
            })
            .collect();
        assert_eq!(
            payloads(&state.exchange(done, others(), 9, 1_000).await.unwrap()),
            ["3"]
        );
        assert_eq!(state.pending(), 1);
    }

    #[tokio::test]
    async fn what_was_in_flight_is_pending_again_after_a_restart() {
        let folder = Folder::new();
        let state = folder.state();
        accept(&state, &["1", "2"]).await;
        assert_eq!(take(&state, 1, 1_000).await.len(), 1);
        drop(state);

        let state = folder.state();
        assert_eq!(state.pending(), 2);
        assert_eq!(payloads(&take(&state, 9, 1_000).await), ["1", "2"]);
    }

    #[tokio::test]
    async fn a_function_may_have_a_lane_of_its_own() {
        let state = Folder::new().state();
        accept(&state, &["1"]).await;
        let mut scan = delivery("2");
        scan.function = "scan".to_owned();
        let acceptance = Acceptance {
            messages: Vec::new(),
            deliveries: vec![scan],
        };
        let accepted = state.accept("t".to_owned(), 1_000, acceptance).await;
        accepted.unwrap();
        for (lane, payload) in [(Lane::Function("scan".to_owned()), "2"), (others(), "1")] {
            let due = state.exchange(Vec::new(), lane, 9, 1_000).await.unwrap();
            assert_eq!(payloads(&due), [payload]);
        }
    }

    #[tokio::test]
    async fn a_retry_waits_for_its_time() {
        let state = Folder::new().state();
        accept(&state, &["1"]).await;
        let due = take(&state, 1, 1_000).await;
        let again = FinishedAttempt {
            id: due[0].id,
            verdict: Verdict::Retry { due_ms: 2_000 },
        };
        assert_eq!(
            state
                .exchange(vec![again], others(), 1, 1_999)
                .await
                .unwrap(),
            []
        );
        let due = take(&state, 1, 2_000).await;
        assert_eq!(due[0].attempts, 1);
    }

    #[tokio::test]
    async fn what_is_given_up_becomes_a_dead_letter_with_its_payload() {
        let state = Folder::new().state();
        accept(&state, &["{\"a\":1.50}"]).await;
        let due = take(&state, 1, 1_000).await;
        let verdict = Verdict::GivenUp {
            given_up: GivenUp {
                at: "t2".to_owned(),
                reason: "broken".to_owned(),
                attempts: 3,
                record: due[0].payload.clone(),
            },
            stored_as: StoredAs::Message {
                id: "m".to_owned(),
                attributes: "{}".to_owned(),
                sent_ms: 1_000,
            },
        };
        state
            .exchange(
                vec![FinishedAttempt {
                    id: due[0].id,
                    verdict,
                }],
                others(),
                0,
                1_000,
            )
            .await
            .unwrap();

        assert_eq!(state.pending(), 0);
        let letters = state.dead_letters(Page::default()).await.unwrap();
        assert_eq!(
            serde_json::to_string(&letters).unwrap(),
            r#"[{"number":1,"at":"t2","consumer":"lend","reason":"broken","attempts":3,"messageId":"m","payload":{"a":1.50}}]"#
        );
    }

    #[tokio::test]
    async fn a_full_queue_accepts_nothing_and_keeps_no_message() {
        let state = Folder::new().state();
        state.pending.store(PENDING_DELIVERIES, Ordering::Relaxed);
        let acceptance = Acceptance {
            messages: Vec::new(),
            deliveries: vec![delivery("1")],
        };
        let refused = state.accept("t".to_owned(), 0, acceptance).await;
        assert!(matches!(refused, Err(StateError::Full)));
    }
}
