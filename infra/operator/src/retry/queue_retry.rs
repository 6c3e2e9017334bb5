//! The state of one retry of the queue: which messages are tried, and their results.

use std::collections::{HashMap, HashSet};

use domain::Digest;

use crate::{
    dead_letters::{message::Message, store::DeadLetterStore, subjects},
    limits::CLOCK_TOLERANCE,
    retried::RetryResult,
};

/// What to do with a message that was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is retried.
    Now,
    /// It is a copy of the message at this index of the results, and both were in the queue before
    /// the retry began: it gets the same result.
    Copy(usize),
    /// It is not a matter of this retry.
    NotYet,
}

/// A message that was or is tried.
pub(super) struct OfMessage {
    pub(super) id: String,
    /// The orders, shipments or files that it is about.
    pub(super) about: Vec<String>,
    /// The result; `None` while it is being tried.
    pub(super) result: Option<RetryResult>,
}

/// The messages of one retry and their results so far.
#[derive(Default)]
pub(super) struct QueueRetry {
    /// Each message that was or is tried.
    pub(super) results: Vec<OfMessage>,
    /// The index in `results` of each message that was or is tried, by the digest of its content.
    tried: HashMap<Digest, usize>,
    /// The receipts of messages that are returned at the end. Returned earlier, they would be
    /// received again and again.
    pub(super) receipts: Vec<String>,
    /// The ids of messages that this retry leaves to the next one.
    pub(super) not_yet: HashSet<String>,
    /// The number of copies that were deleted.
    pub(super) copies: u64,
}

impl QueueRetry {
    /// Decides what to do with a message. A message that was sent while the retry runs is not
    /// retried: it may be the very one that a function has refused for good and has sent to the
    /// queue again.
    pub(super) fn due(&mut self, message: &Message, begun_ms: i64) -> Due {
        // Two correct clocks differ by no more than this.
        let tolerance = i64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or_default();
        let Some(place) = self.tried.get(&message.content_digest()).copied() else {
            return match message.sent_ms < begun_ms + tolerance {
                true => {
                    self.tried
                        .insert(message.content_digest(), self.results.len());
                    self.results.push(OfMessage {
                        id: message.id.clone(),
                        about: subjects(&message.body),
                        result: None,
                    });
                    Due::Now
                }
                false => self.not_yet(message),
            };
        };
        if self.results[place].id == message.id || message.sent_ms + tolerance < begun_ms {
            return Due::Copy(place);
        }
        match (&message.reason, message.why()) {
            (Some(_), Some(why)) => {
                let reason = format!("refused once more: {why}");
                self.results[place].result = Some(RetryResult::Stays(reason));
                Due::NotYet
            }
            _ => self.not_yet(message),
        }
    }

    /// Whether a message with the same content was tried.
    pub(super) fn was_tried(&self, message: &Message) -> bool {
        self.tried.contains_key(&message.content_digest())
    }

    fn not_yet(&mut self, message: &Message) -> Due {
        self.not_yet.insert(message.id.clone());
        Due::NotYet
    }

    pub(super) fn note(&mut self, message: &Message, result: RetryResult) {
        if result != RetryResult::Done {
            self.receipts.push(message.receipt.clone());
        }
        if let Some(place) = self.tried.get(&message.content_digest()) {
            self.results[*place].result = Some(result);
        }
    }

    /// Deletes a copy where the message with the same content has succeeded; else keeps it for its
    /// return.
    pub(super) async fn finish_copy(
        &mut self,
        store: &DeadLetterStore,
        copy: Message,
        place: usize,
    ) {
        let gone = match self.results[place].result {
            Some(RetryResult::Done) => store.delete_message(&copy.receipt).await.is_ok(),
            _ => false,
        };
        match gone {
            true => self.copies += 1,
            false => self.receipts.push(copy.receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(body: &str, sent_ms: i64, reason: Option<&str>) -> Message {
        Message {
            id: format!("id of {sent_ms}"),
            receipt: "r".to_owned(),
            body: body.to_owned(),
            sent_ms,
            reason: reason.map(str::to_owned),
            field: reason.map(|_| "status".to_owned()),
            message: None,
            error: None,
            key: "letter/1".to_owned(),
        }
    }

    /// The time at which the retry began, in milliseconds since 1970, far from both ends of the
    /// tolerance.
    const BEGUN: i64 = 100_000;

    #[test]
    fn what_comes_meanwhile_is_left_and_what_is_refused_again_is_no_longer_done() {
        let mut round = QueueRetry::default();
        let old = taken("a", 5, None);
        assert_eq!(round.due(&old, BEGUN), Due::Now);
        round.note(&old, RetryResult::Done);
        let late = taken("b", BEGUN + 2_000, None);
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.results[0].result, Some(RetryResult::Done));
        assert_eq!(round.not_yet.len(), 1);
        // The same message is received again.
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.not_yet.len(), 1);
        // The clocks differ, so it seems to be a little older than this retry.
        let again = taken("a", BEGUN - 2_000, Some("invalid"));
        assert_eq!(round.due(&again, BEGUN), Due::NotYet);
        let refused = RetryResult::Stays("refused once more: invalid at status".to_owned());
        assert_eq!(round.results[0].result, Some(refused));
        assert_eq!(round.not_yet.len(), 1, "it is told among those that stay");
    }

    #[test]
    fn what_is_kept_twice_is_retried_once() {
        let mut round = QueueRetry::default();
        let first = taken(r#"{"id":"1","n":1}"#, 5, Some("invalid"));
        assert_eq!(round.due(&first, BEGUN), Due::Now);
        // In the same batch, before the result of the first is known.
        let copy = taken(r#"{"n": 1, "id": "1"}"#, 7, Some("invalid"));
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        round.note(&first, RetryResult::Done);
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        assert_eq!(round.results[0].result, Some(RetryResult::Done));
        // A message with slightly other content is another message.
        let other = taken(r#"{"id":"1","n":1.5}"#, 7, Some("invalid"));
        assert_eq!(round.due(&other, BEGUN), Due::Now);
        assert_eq!(round.results.len(), 2);
    }

    #[test]
    fn each_says_what_it_is_about() {
        let mut round = QueueRetry::default();
        let order = taken(r#"{"orderId":"A-1","items":[]}"#, 5, None);
        assert_eq!(round.due(&order, BEGUN), Due::Now);
        assert_eq!(round.results[0].about, ["order#A-1"]);
    }

    #[test]
    fn what_stays_is_given_back() {
        let mut round = QueueRetry::default();
        let old = taken("a", 5, None);
        assert_eq!(round.due(&old, BEGUN), Due::Now);
        round.note(&old, RetryResult::Stays("x".to_owned()));
        assert_eq!(round.receipts, ["r"]);
    }
}
