//! A run: something that was sent, and the effects that were seen since.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::AggregateId;
use tokio::time::Instant;

use crate::{at::At, limits::RUNS_KEPT, links};

use super::{faults::Faults, ways::Way};

/// The fault that a run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Experiment {
    /// This consumer is held back.
    Held(String),
    /// The next answer is lost.
    Lost,
    /// Everything is delivered twice.
    Twice,
}

/// One attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The time of the answer, or when it was clear that none would come.
    pub at: At,
    /// The HTTP status code; `None` where there was no answer.
    pub status: Option<u16>,
    /// The body of the answer, or why there was none.
    pub said: String,
}

/// Something that was sent.
#[derive(Debug, Clone)]
pub struct Run {
    /// The id, which is part of the path of its page.
    pub id: String,
    /// The way in.
    pub way: Way,
    /// The text that was sent.
    pub text: String,
    /// The id of the order that a command was about; empty for other ways.
    pub order: String,
    /// The command line that sends the same.
    pub command: String,
    /// The fault that the run shows, where it is an experiment.
    pub experiment: Option<Experiment>,
    /// The time at which it was sent.
    pub sent_at: At,
    /// The attempts. The last one decides whether the text was accepted.
    pub attempts: Vec<Attempt>,
    /// The texts by which dead letters and notices about this run are recognised.
    pub search_terms: Vec<String>,
    /// The order or shipment; `None` where neither the text nor the answer names one.
    pub aggregate: Option<AggregateId>,
    /// The effects that were seen.
    pub seen: Seen,
}

/// An event of the order or shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEvent {
    /// The sequence.
    pub sequence: u64,
    /// The type of the event.
    pub kind: String,
    /// The time of the commit.
    pub at: At,
    /// The ids of the messages that the event makes, with their channels.
    pub makes: Vec<(String, Via)>,
}

/// A version of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRow {
    /// The sequence of the last event in the row.
    pub version: u64,
    /// The status.
    pub status: String,
    /// The time at which this version was first seen.
    pub at: At,
}

/// The channel of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// The bus.
    Bus,
    /// The topic.
    Topic,
}

impl Via {
    /// Returns the name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bus => "EventBridge",
            Self::Topic => "SNS",
        }
    }
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessage {
    /// The number of the message in the local system's list.
    pub number: u64,
    /// The id; `None` for a notice that something failed.
    pub id: Option<String>,
    /// The channel.
    pub via: Via,
    /// The detail-type or the subject.
    pub what: String,
    /// The time at which it was sent.
    pub at: At,
    /// Whether a message with the same id was sent over the same channel before.
    pub repeat: bool,
}

/// The effects of a run that were seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The events, in order.
    pub events: Vec<SeenEvent>,
    /// The versions of the row that were seen, in order.
    pub rows: Vec<SeenRow>,
    /// The messages, in order.
    pub messages: Vec<SeenMessage>,
    /// The dead letters: the time, and the function with the reason.
    pub dead_letters: Vec<(At, String)>,
    /// The parked positions, as sentences.
    pub parked: Vec<String>,
    /// The error of the last look, where it failed.
    pub look_error: Option<String>,
    /// The time at which the consumer of an experiment was released.
    pub released_at: Option<At>,
    /// Whether an effect was seen although its consumer was held back.
    pub came_while_held: bool,
    /// Whether the consumer is still held back.
    pub held: bool,
    /// A number that grows with each change, by which a page knows whether it is up to date.
    pub revision: u64,
    /// The time of the last change.
    pub changed: Option<Instant>,
}

impl Run {
    /// Whether the last answer says that the text was accepted.
    pub fn is_accepted(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|last| matches!(last.status, Some(200..=299)) && !is_refusal(&last.said))
    }

    /// Returns the path of the page of the order or shipment.
    pub fn address(&self) -> Option<String> {
        self.aggregate.as_ref().map(|aggregate| match aggregate {
            AggregateId::Order(id) => links::order(id.as_str()),
            AggregateId::Shipment(id) => links::shipment(id.as_str()),
            // The page sends no erasures, so this does not occur.
            AggregateId::Erasure(_) => "/orders".to_owned(),
        })
    }

    /// Returns the messages that the events make and that were not seen yet.
    pub fn missing(&self) -> Vec<&(String, Via)> {
        let came = |(id, via): &&(String, Via)| {
            let mut all = self.seen.messages.iter();
            all.any(|one| one.id.as_ref() == Some(id) && one.via == *via)
        };
        let made = self.seen.events.iter().flat_map(|event| &event.makes);
        made.filter(|made| !came(made)).collect()
    }

    /// Whether the row is at the last event.
    pub fn row_is_up_to_date(&self) -> bool {
        let last = self.seen.events.last().map(|event| event.sequence);
        last.is_some() && self.seen.rows.last().map(|row| row.version) == last
    }

    /// Whether the row and all messages of the events were seen, and nothing is held back.
    pub fn is_complete(&self) -> bool {
        self.row_is_up_to_date() && self.missing().is_empty() && !self.seen.held
    }
}

/// Whether an answer with status 200 is an error of AWS's protocols or of the function `invoke`.
fn is_refusal(said: &str) -> bool {
    let Ok(answer) = serde_json::from_str::<serde_json::Value>(said) else {
        return false;
    };
    let failed = answer["FailedEntryCount"].as_u64().unwrap_or(0) > 0;
    failed || answer.get("error").is_some()
}

/// The latest runs, in memory: after a restart of the console they are gone.
#[derive(Default)]
pub struct Runs(Mutex<VecDeque<Run>>);

impl Runs {
    /// Adds a run. Drops the oldest one above [`RUNS_KEPT`].
    pub fn keep(&self, run: Run) {
        let mut runs = self.lock();
        runs.push_front(run);
        runs.truncate(RUNS_KEPT);
    }

    /// Returns the run with this id.
    pub fn get(&self, id: &str) -> Option<Run> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }

    /// Changes the run with this id, where it is still kept.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.lock().iter_mut().find(|run| run.id == id) {
            change(run);
        }
    }

    /// Notes `at` as the release time of every held consumer that `on` does not hold.
    pub fn note_release(&self, on: &Faults, at: &At) {
        for run in self.lock().iter_mut() {
            if let Some(Experiment::Held(held)) = &run.experiment
                && run.seen.held
                && !on.holds(held)
            {
                run.seen.released_at.get_or_insert_with(|| at.clone());
            }
        }
    }

    /// Returns the latest runs, newest first.
    pub fn latest(&self, most: usize) -> Vec<Run> {
        self.lock().iter().take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Run>> {
        // No code panics while it holds the lock; and after a panic the runs could still be shown.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
