//! What the answers said.

use std::collections::BTreeMap;

/// How often each reason was given.
pub type Reasons = BTreeMap<String, u64>;

/// The answers to one kind of request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Sent, repeats included.
    pub sent: u64,
    /// Accepted for the first time.
    pub accepted: u64,
    /// Answered like the first time.
    pub repeated: u64,
    /// Refused, by reason.
    pub refused: Reasons,
    /// What should not have happened, by reason.
    pub failed: Reasons,
}

/// All answers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Placing orders.
    pub orders: Answers,
    /// Completing and cancelling them.
    pub follow_ups: Answers,
    /// Shipment updates over HTTP.
    pub http_updates: Answers,
    /// Shipment updates by events: what EventBridge accepted.
    pub events: Answers,
}

impl Answers {
    /// One more of a reason.
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

    /// How many were refused.
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

    /// Everything that should not have happened.
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

    /// Requests and events sent.
    pub fn sent(&self) -> u64 {
        self.orders.sent + self.follow_ups.sent + self.http_updates.sent + self.events.sent
    }
}
