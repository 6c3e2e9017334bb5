//! What an observer outside has seen of a run: the only thing that checks look at.

use commands::import::files::Object;
use domain::Timestamp;
use projectors::ports::{Alert, Announcement, Row};

use serde_json::Value;

use crate::{
    plan::Wanted,
    platform::{CONSUMERS, Letter, Lost},
};

/// An answer that settles a command.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What was wanted.
    pub wanted: Wanted,
    /// The HTTP status, or the status that an invocation's answer stands for.
    pub status: u16,
    /// The answer.
    pub body: String,
    /// Of a webhook: had every scan of it been acknowledged before it was sent this time?
    pub known: bool,
    /// Puts of commits that the answer took.
    pub puts: u64,
}

/// A file that was uploaded: a wanted order, and a line that is none.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// What was wanted.
    pub wanted: Wanted,
    /// The object that it became.
    pub object: Object,
    /// What was reported of it.
    pub report: Option<Value>,
}

/// A run, seen from outside.
#[derive(Debug, Default)]
pub struct Observed {
    /// Everything that was wanted.
    pub wanted: Vec<Wanted>,
    /// Answers that settled a command.
    pub answers: Vec<Answered>,
    /// Files, and what was reported of them.
    pub files: Vec<Uploaded>,
    /// The events table, by aggregate and sequence.
    pub stored: Vec<event_store::commit::Item>,
    /// What was written, in the order of writing.
    pub written: Vec<std::sync::Arc<event_store::commit::Item>>,
    /// Of each of them, the latest time that a clock had shown by then.
    pub shown: Vec<Timestamp>,
    /// From when on nothing went wrong any more, and nothing was left to do but to wait: how much
    /// was written before, and what a clock showed.
    pub quiet: Option<(usize, Timestamp)>,
    /// The read models.
    pub orders: Vec<Row>,
    /// The log and the rows `CURRENT`.
    pub shipments: Vec<Row>,
    /// Ids of what is parked.
    pub parked: Vec<String>,
    /// Rows whose version went back.
    pub went_back: Vec<String>,
    /// What the bus has accepted.
    pub announced: Vec<Announcement>,
    /// What the topic has accepted of `notify`.
    pub alerted: Vec<Alert>,
    /// What operators were told.
    pub told: Vec<String>,
    /// Metrics, a line each.
    pub metrics: Vec<String>,
    /// What was logged.
    pub logs: String,
    /// Events that a function itself has set aside.
    pub set_aside: Vec<String>,
    /// What the platform gave up and nobody could redrive.
    pub letters: Vec<Letter>,
    /// What the stream forgot before it was read.
    pub lost: Vec<Lost>,
    /// By consumer: has what went through the whole store for it named what it could not read?
    pub named: [bool; CONSUMERS],
    /// Was nothing asked for but the answers to commands? Then nothing is projected.
    pub commands_only: bool,
    /// Did it come to rest?
    pub at_rest: bool,
}
