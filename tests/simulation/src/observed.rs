//! What an observer outside has seen of a run: the only thing that checks look at.

use std::collections::BTreeMap;

use commands::import::files::Object;
use domain::Timestamp;
use event_store::{Commit, keys::KeyRecord};
use projectors::ports::{Alert, Announcement, Row};

use serde_json::Value;

use crate::{
    plan::Wanted,
    platform::{CONSUMERS, Letter, Lost},
    ports::Served,
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
    /// When its first attempt began.
    pub begun: Begun,
}

/// When something began: the milliseconds that had gone by.
pub type Begun = i64;

/// An erasure that was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was wanted.
    pub wanted: Wanted,
    /// How much was written before the first attempt began that was made under its id.
    pub begun: usize,
    /// Was it answered that it is done?
    pub answered: bool,
}

/// An order's history as somebody was shown it.
#[derive(Debug, Clone)]
pub struct Read {
    /// `order#1` …
    pub aggregate: String,
    /// Had it been answered before that the order's personal data are erased?
    pub hidden: bool,
    /// Was everything at rest?
    pub at_rest: bool,
    /// The HTTP status.
    pub status: u64,
    /// The answer.
    pub text: String,
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
    /// The rows of what is parked.
    pub parked_rows: Vec<String>,
    /// What ledgers of rebuilds hold.
    pub ledger: Vec<Vec<u8>>,
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
    /// Erasures that were asked for.
    pub asked: Vec<Asked>,
    /// The histories of orders, with their personal data open or erased.
    pub opened: BTreeMap<String, Vec<Commit>>,
    /// Why an order's personal data can be neither opened nor taken for erased.
    pub sealed_for_ever: Vec<String>,
    /// The table of keys, by owner.
    pub keys: BTreeMap<String, KeyRecord>,
    /// When a caller last had a key from that table.
    pub served: Served,
    /// Has a clock jumped?
    pub jumped: bool,
    /// Histories that somebody was shown.
    pub reads: Vec<Read>,
    /// Was nothing asked for but the answers to commands? Then nothing is projected.
    pub commands_only: bool,
    /// Did it come to rest?
    pub at_rest: bool,
}
