//! The counts of the answers.

use std::collections::BTreeMap;

/// The number of times that each reason was given.
pub type Reasons = BTreeMap<String, u64>;

/// The counts of the answers to one kind of request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Requests that were sent, including repeats.
    pub sent: u64,
    /// Requests that were accepted for the first time.
    pub accepted: u64,
    /// Repeats that were answered like the first time.
    pub repeated: u64,
    /// Refusals, by reason.
    pub refused: Reasons,
    /// Failures that should not have happened, by reason.
    pub failed: Reasons,
}

/// The counts of all answers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The requests that place orders.
    pub orders: Answers,
    /// The requests that complete or cancel orders.
    pub follow_ups: Answers,
    /// The shipment updates over HTTP.
    pub http_updates: Answers,
    /// The shipment updates as events, with the answers of EventBridge.
    pub events: Answers,
}

impl Answers {
    /// Counts one more of a reason.
    pub fn count(reasons: &mut Reasons, reason: impl Into<String>) {
        *reasons.entry(reason.into()).or_default() += 1;
    }

    /// Adds other answers to these.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        for (mine, theirs) in [
            (&mut self.refused, other.refused),
            (&mut self.failed, other.failed),
        ] {
            for (reason, count) in theirs {
                *mine.entry(reason).or_default() += count;
            }
        }
    }

    /// Returns the number of refusals.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl Tally {
    /// Adds another tally to this one.
    pub fn add(&mut self, other: Self) {
        self.orders.add(other.orders);
        self.follow_ups.add(other.follow_ups);
        self.http_updates.add(other.http_updates);
        self.events.add(other.events);
    }

    /// Returns everything that should not have happened, by reason.
    pub fn failures(&self) -> Reasons {
        let mut all = Answers::default();
        for answers in [
            &self.orders,
            &self.follow_ups,
            &self.http_updates,
            &self.events,
        ] {
            all.add(Answers {
                failed: answers.failed.clone(),
                ..Answers::default()
            });
        }
        all.failed
    }

    /// Returns the number of requests and events that were sent.
    pub fn sent(&self) -> u64 {
        self.orders.sent + self.follow_ups.sent + self.http_updates.sent + self.events.sent
    }
}
