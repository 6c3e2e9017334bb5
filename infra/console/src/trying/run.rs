//! Something that was sent, and what was seen of it since.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::AggregateId;
use tokio::time::Instant;

use crate::{at::At, limits::RUNS_KEPT, links};

use super::{faults::Faults, ways::Way};

/// A fault that a run is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Experiment {
    /// This consumer is held back.
    Held(String),
    /// The next answer is lost.
    Lost,
    /// Everything is delivered twice.
    Twice,
}

/// One try at sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the answer came, or it was clear that none would.
    pub at: At,
    /// The status code; none where there was no answer.
    pub status: Option<u16>,
    /// The answer, or why there was none.
    pub said: String,
}

/// Something that was sent.
#[derive(Debug, Clone)]
pub struct Run {
    /// By what its page is found.
    pub id: String,
    /// By which way it went.
    pub way: Way,
    /// What was sent.
    pub text: String,
    /// The order that a command was about.
    pub order: String,
    /// The same in a terminal.
    pub command: String,
    /// What it is to show.
    pub experiment: Option<Experiment>,
    /// When.
    pub sent_at: At,
    /// What was answered, the last one the one that counts.
    pub attempts: Vec<Attempt>,
    /// By what mentions of it are known.
    pub search_terms: Vec<String>,
    /// Whose order or shipment; none where nothing sent or answered names one.
    pub aggregate: Option<AggregateId>,
    /// What became of it.
    pub seen: Seen,
}

/// An event of the order or shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEvent {
    /// Its number.
    pub sequence: u64,
    /// What happened.
    pub kind: String,
    /// When it was committed.
    pub at: At,
    /// The ids of the messages that it makes, and where each goes.
    pub makes: Vec<(String, Via)>,
}

/// A version of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRow {
    /// The sequence of its last event.
    pub version: u64,
    /// The status.
    pub status: String,
    /// When it was first seen.
    pub at: At,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// The bus.
    Bus,
    /// The topic.
    Topic,
}

impl Via {
    /// For a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bus => "EventBridge",
            Self::Topic => "SNS",
        }
    }
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessage {
    /// Its place among all messages.
    pub number: u64,
    /// Its id; none of a notice that something failed.
    pub id: Option<String>,
    /// Where it went.
    pub via: Via,
    /// What it says, in a line.
    pub what: String,
    /// When.
    pub at: At,
    /// Did one with the same id go the same way before it?
    pub repeat: bool,
}

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The events, in order.
    pub events: Vec<SeenEvent>,
    /// The row as it changed.
    pub rows: Vec<SeenRow>,
    /// The messages, in order.
    pub messages: Vec<SeenMessage>,
    /// What was given up: when, by which function, and why.
    pub dead_letters: Vec<(At, String)>,
    /// At what a consumer has stopped.
    pub parked: Vec<String>,
    /// What could not be looked at the last time.
    pub look_error: Option<String>,
    /// When the consumer of an experiment was seen let go.
    pub released_at: Option<At>,
    /// Came what was to wait, although it was held back?
    pub came_while_held: bool,
    /// Is it held back still?
    pub held: bool,
    /// Counts what has changed.
    pub revision: u64,
    /// When something changed last.
    pub changed: Option<Instant>,
}

impl Run {
    /// Was it accepted, as far as its answer says?
    pub fn is_accepted(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|last| matches!(last.status, Some(200..=299)) && !is_refusal(&last.said))
    }

    /// The page of its order or shipment.
    pub fn address(&self) -> Option<String> {
        self.aggregate.as_ref().map(|aggregate| match aggregate {
            AggregateId::Order(id) => links::order(id.as_str()),
            AggregateId::Shipment(id) => links::shipment(id.as_str()),
            // Nothing that is tried erases anything.
            AggregateId::Erasure(_) => "/orders".to_owned(),
        })
    }

    /// The messages that its events make and that have not come yet.
    pub fn missing(&self) -> Vec<&(String, Via)> {
        let came = |(id, via): &&(String, Via)| {
            let mut all = self.seen.messages.iter();
            all.any(|one| one.id.as_ref() == Some(id) && one.via == *via)
        };
        let made = self.seen.events.iter().flat_map(|event| &event.makes);
        made.filter(|made| !came(made)).collect()
    }

    /// Is the row at the last event?
    pub fn row_is_up_to_date(&self) -> bool {
        let last = self.seen.events.last().map(|event| event.sequence);
        last.is_some() && self.seen.rows.last().map(|row| row.version) == last
    }

    /// Has everything come that its events make?
    pub fn is_complete(&self) -> bool {
        self.row_is_up_to_date() && self.missing().is_empty() && !self.seen.held
    }
}

/// Errors that AWS's protocols and the function `invoke` answer with status 200.
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
    /// Keeps one; the oldest goes where there are [`RUNS_KEPT`].
    pub fn keep(&self, run: Run) {
        let mut runs = self.lock();
        runs.push_front(run);
        runs.truncate(RUNS_KEPT);
    }

    /// The one of this id.
    pub fn get(&self, id: &str) -> Option<Run> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }

    /// Changes the one of this id, where it is still there.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.lock().iter_mut().find(|run| run.id == id) {
            change(run);
        }
    }

    /// Notes that whoever `on` does not hold is about to be let go.
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

    /// The latest, newest first.
    pub fn latest(&self, most: usize) -> Vec<Run> {
        self.lock().iter().take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Run>> {
        // Nobody panics holding it; and what is there may be shown even then.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
