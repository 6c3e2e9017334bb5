//! What an outside observer has seen of a run. The checks look at nothing else.

use std::collections::BTreeMap;

use commands::import::files::Object;
use domain::Timestamp;
use event_store::{Commit, keys::KeyRecord};
use projectors::ports::{Alert, Announcement, Row};

use serde_json::Value;

use crate::{
    plan::PlannedRequest,
    platform::{CONSUMERS, DeadLetter, Expired},
    ports::Served,
};

/// A final answer to a request: any answer but `503`.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The request.
    pub planned: PlannedRequest,
    /// The HTTP status. For a direct invocation: 200, or the status of the error in its answer.
    pub status: u16,
    /// The body of the answer.
    pub body: String,
    /// For a webhook: whether each of its scans had been acknowledged before this attempt began.
    pub already_acknowledged: bool,
    /// For a webhook: the number of puts of commits of the last attempt, failed puts included.
    pub puts: u64,
    /// When the first attempt began.
    pub began_at: Elapsed,
}

/// A time of the simulation, in milliseconds since the world began. Jumps of the clock do not
/// change it.
pub type Elapsed = i64;

/// An erasure that was requested.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    /// The request.
    pub planned: PlannedRequest,
    /// The number of commits that were written before the first attempt under this command id
    /// began. The erasure covers these commits.
    pub commits_before: usize,
    /// Whether it was answered with 200.
    pub answered: bool,
}

/// One answer of the API to a request for the history of an order.
#[derive(Debug, Clone)]
pub struct HistoryRead {
    /// The order's aggregate, such as `order#1`.
    pub aggregate: String,
    /// Whether the erasure of the order's personal data had been answered before the reading
    /// began.
    pub erased: bool,
    /// Whether no fault could strike any more when the reading began.
    pub at_rest: bool,
    /// The HTTP status.
    pub status: u64,
    /// The body of the answer.
    pub text: String,
}

/// An uploaded file. It holds one order and one line that is no order.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The request that the order is of.
    pub planned: PlannedRequest,
    /// The object in the bucket.
    pub object: Object,
    /// The import's report about the file, if there is one at the end of the run.
    pub report: Option<Value>,
}

/// Everything that an outside observer has seen of a run.
#[derive(Debug, Default)]
pub struct Observed {
    /// Every request of the plan.
    pub planned: Vec<PlannedRequest>,
    /// The final answers to requests.
    pub answers: Vec<Answered>,
    /// The uploaded files, with their reports.
    pub files: Vec<Uploaded>,
    /// The items of the events table at the end, by aggregate and sequence.
    pub stored: Vec<event_store::commit::Item>,
    /// Every commit that was written, in the order of writing.
    pub written: Vec<std::sync::Arc<event_store::commit::Item>>,
    /// For each item of `written`, the latest time that a clock had shown when it was written.
    pub clock_at_write: Vec<Timestamp>,
    /// The moment at which no fault could strike any more and nothing was left to do except to wait
    /// for stalled shipments: the number of commits written before it, and the clock's time.
    pub quiet_since: Option<(usize, Timestamp)>,
    /// The rows of the table of processed orders.
    pub orders: Vec<Row>,
    /// The rows of the shipment log: the log entries and the rows `CURRENT`.
    pub shipments: Vec<Row>,
    /// The ids of the parked rows, such as `project#order#1`.
    pub parked: Vec<String>,
    /// The parked rows, as JSON.
    pub parked_rows: Vec<String>,
    /// The contents of the ledgers of rebuilds.
    pub ledger: Vec<Vec<u8>>,
    /// The keys of rows whose version went back.
    pub went_back: Vec<String>,
    /// The announcements that the bus has accepted, without the watcher's requests.
    pub announced: Vec<Announcement>,
    /// The alerts of `notify` that the topic has accepted.
    pub alerted: Vec<Alert>,
    /// The messages to operators, each with subject and text.
    pub operator_messages: Vec<String>,
    /// The metrics, one line each.
    pub metrics: Vec<String>,
    /// The log of the run.
    pub logs: String,
    /// The events that a function itself has put among the dead letters.
    pub set_aside: Vec<String>,
    /// The dead letters of the platform at the end, those that were retried in vain included.
    pub dead_letters: Vec<DeadLetter>,
    /// The records that the stream dropped before a consumer had read them.
    pub expired: Vec<Expired>,
    /// By consumer number: whether a rebuild of everything (for `project`) or an announcing (for
    /// `notify`) has counted histories or messages that it could not process.
    pub reported_unreadable: [bool; CONSUMERS],
    /// The erasures that were requested.
    pub erasures: Vec<ErasureRequest>,
    /// The histories of orders at the end, with their personal data unsealed, or erased.
    pub opened: BTreeMap<String, Vec<Commit>>,
    /// The errors of orders whose personal data can be neither unsealed nor recognised as erased.
    pub unsealing_errors: Vec<String>,
    /// The records of the table of keys at the end, by owner.
    pub keys: BTreeMap<String, KeyRecord>,
    /// When the table last gave a key to a caller.
    pub served: Served,
    /// Whether the clock has jumped.
    pub clock_jumped: bool,
    /// The answers to requests for the history of an order.
    pub reads: Vec<HistoryRead>,
    /// Whether the run processed commands alone, as small worlds do. Then nothing was projected.
    pub commands_only: bool,
    /// Whether nothing was left to do at the end, within the limit of steps.
    pub at_rest: bool,
}
