//! One retry of the queue: which message is tried, and what became of it.

use std::collections::{HashMap, HashSet};

use domain::Digest;

use crate::{
    dead_letters::{message::Message, store::DeadLetterStore},
    limits::CLOCK_TOLERANCE,
    retried::RetryResult,
};

/// What is to be done with a message that was taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be retried.
    Now,
    /// It was there before this began, and so was the one like it at this place: what becomes of
    /// that one becomes of this.
    Copy(usize),
    /// Not in this retry.
    NotYet,
}

/// What became of the messages so far.
#[derive(Default)]
pub(super) struct QueueRetry {
    /// Each with its id; `None` while it is tried.
    pub(super) results: Vec<(String, Option<RetryResult>)>,
    /// Messages that were or are tried, by their content_digest: at which place of `became`.
    tried: HashMap<Digest, usize>,
    /// Messages to be given back at the end: else they would be taken again and again.
    pub(super) receipts: Vec<String>,
    /// Messages that are not yet due.
    pub(super) not_yet: HashSet<String>,
    /// Copies that were removed.
    pub(super) copies: u64,
}

impl QueueRetry {
    /// Is it to be retried now? Not what came while this went on: it may be the very one that a
    /// function has refused for good, and put into the queue anew.
    pub(super) fn due(&mut self, message: &Message, begun_ms: i64) -> Due {
        // Two clocks that are both right differ by no more than this.
        let tolerance = i64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or_default();
        let Some(place) = self.tried.get(&message.content_digest()).copied() else {
            return match message.sent_ms < begun_ms + tolerance {
                true => {
                    self.tried
                        .insert(message.content_digest(), self.results.len());
                    self.results.push((message.id.clone(), None));
                    Due::Now
                }
                false => self.not_yet(message),
            };
        };
        if self.results[place].0 == message.id || message.sent_ms + tolerance < begun_ms {
            return Due::Copy(place);
        }
        match (&message.reason, message.why()) {
            (Some(_), Some(why)) => {
                let reason = format!("refused once more: {why}");
                self.results[place].1 = Some(RetryResult::Stays(reason));
                Due::NotYet
            }
            _ => self.not_yet(message),
        }
    }

    /// Was one like it tried?
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
            self.results[*place].1 = Some(result);
        }
    }

    /// Lets a copy go or stay with the one that is like it.
    pub(super) async fn finish_copy(
        &mut self,
        store: &DeadLetterStore,
        copy: Message,
        place: usize,
    ) {
        let gone = match self.results[place].1 {
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

    /// When the retry began, in milliseconds since 1970, far from both ends of what is tolerated.
    const BEGUN: i64 = 100_000;

    #[test]
    fn what_comes_meanwhile_is_left_and_what_is_refused_again_is_no_longer_done() {
        let mut round = QueueRetry::default();
        let old = taken("a", 5, None);
        assert_eq!(round.due(&old, BEGUN), Due::Now);
        round.note(&old, RetryResult::Done);
        let late = taken("b", BEGUN + 2_000, None);
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.results[0].1, Some(RetryResult::Done));
        assert_eq!(round.not_yet.len(), 1);
        // However often it is looked at.
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.not_yet.len(), 1);
        // Even where clocks differ, and it seems to be a little older than this retry.
        let again = taken("a", BEGUN - 2_000, Some("invalid"));
        assert_eq!(round.due(&again, BEGUN), Due::NotYet);
        let refused = RetryResult::Stays("refused once more: invalid at status".to_owned());
        assert_eq!(round.results[0].1, Some(refused));
        assert_eq!(round.not_yet.len(), 1, "it is told among those that stay");
    }

    #[test]
    fn what_is_kept_twice_is_retried_once() {
        let mut round = QueueRetry::default();
        let first = taken(r#"{"id":"1","n":1}"#, 5, Some("invalid"));
        assert_eq!(round.due(&first, BEGUN), Due::Now);
        // In the same batch, before anybody knows what becomes of the first.
        let copy = taken(r#"{"n": 1, "id": "1"}"#, 7, Some("invalid"));
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        round.note(&first, RetryResult::Done);
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        assert_eq!(round.results[0].1, Some(RetryResult::Done));
        // Another one, if ever so little.
        let other = taken(r#"{"id":"1","n":1.5}"#, 7, Some("invalid"));
        assert_eq!(round.due(&other, BEGUN), Due::Now);
        assert_eq!(round.results.len(), 2);
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
