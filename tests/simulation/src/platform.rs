//! What AWS does around the functions: the stream of commits, the delivery of events, the dead
//! letters, and the messages that left the system.

use std::sync::{Arc, Mutex, MutexGuard};

use commands::Role;
use domain::Timestamp;
use event_store::{
    Commit,
    commit::{AGGREGATE, Item},
};
use projectors::ports::{Alert, Announcement};

use support::stream::Record;

use crate::core::{Core, Fault};

/// The number of shards of the stream.
pub const SHARDS: usize = 3;

/// The number of consumers of the stream: `project` (number 0) and `notify` (number 1).
pub const CONSUMERS: usize = 2;

/// How long the stream keeps a record, in hours.
pub const RETENTION_HOURS: i64 = 24;

/// A record of the stream: one commit.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// The commit's item in the events table.
    pub item: Arc<Item>,
    /// The record as it is delivered.
    pub record: Arc<Record>,
    /// When the commit was written, in milliseconds since the world began.
    pub written: i64,
}

/// The position of a consumer in a shard.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// The index of the next record to read.
    pub next: usize,
    /// The index behind the last record of the batch that is being processed.
    pub end: usize,
    /// The number of failed attempts at the record `next`.
    pub attempts: u32,
}

/// An event of EventBridge that waits for its delivery to a command function.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event as EventBridge delivers it, as JSON.
    pub event: String,
    /// The function that receives it: `bus`, or `import` for an uploaded file.
    pub role: Role,
    /// The number of attempts so far.
    pub attempts: u32,
}

impl Delivery {
    /// Returns whether the event is the watcher's request to mark a shipment as stalled.
    pub fn is_mark(&self) -> bool {
        self.event.contains(r#""detail-type":"Mark Stalled""#)
    }
}

/// A dead letter of the platform: what failed at its last attempt, with its whole content.
#[derive(Debug, Clone)]
pub enum DeadLetter {
    /// A record of the stream that a consumer failed to process.
    Record {
        /// The number of the consumer: 0 is `project`, 1 is `notify`.
        consumer: usize,
        /// The record.
        streamed: Streamed,
    },
    /// An event that a command function failed to process.
    Event(Delivery),
}

/// A record that the stream dropped, for its age, before a consumer had read it.
#[derive(Debug, Clone)]
pub struct Expired {
    /// The number of the consumer: 0 is `project`, 1 is `notify`.
    pub consumer: usize,
    /// The aggregate of the commit, such as `order#1`.
    pub aggregate: String,
    /// The time of the commit.
    pub at: Timestamp,
}

/// Everything that the platform stores, and the record of everything that left the system.
#[derive(Debug, Default)]
pub struct PlatformState {
    /// The records of each shard, the oldest first.
    pub shards: [Vec<Streamed>; SHARDS],
    /// The position of each consumer in each shard.
    pub cursors: [[Cursor; SHARDS]; CONSUMERS],
    /// The events that wait for their delivery.
    pub deliveries: Vec<Delivery>,
    /// The announcements that the bus has accepted, without the watcher's requests.
    pub announced: Vec<Announcement>,
    /// How many requests to mark a shipment as stalled the watcher has sent.
    pub stall_requests: u64,
    /// The alerts of `notify` that the topic has accepted.
    pub alerted: Vec<Alert>,
    /// The messages to operators, each with subject and text.
    pub operator_messages: Vec<String>,
    /// The events that a function itself has put among the dead letters, because no attempt at them
    /// can succeed.
    pub set_aside: Vec<String>,
    /// The dead letters of the platform that an operator can retry.
    pub dead_letters: Vec<DeadLetter>,
    /// The dead letters that an operator has retried without any fault, in vain. They stay.
    pub unresolved: Vec<DeadLetter>,
    /// Every commit that was written, in the order of writing.
    pub written: Vec<Arc<Item>>,
    /// For each item of `written`, the latest time that a clock had shown when it was written.
    pub clock_at_write: Vec<Timestamp>,
    /// The records that the stream dropped before a consumer had read them.
    pub expired: Vec<Expired>,
}

impl PlatformState {
    /// Moves a consumer past the records of a shard that are older than [`RETENTION_HOURS`], and
    /// notes each of them as expired. `now` is in milliseconds since the world began.
    pub fn trim(&mut self, consumer: usize, shard: usize, now: i64) {
        let cursor = &mut self.cursors[consumer][shard];
        while let Some(oldest) = self.shards[shard].get(cursor.next)
            && now - oldest.written > RETENTION_HOURS * 3_600_000
        {
            self.expired.push(Expired {
                consumer,
                aggregate: aggregate_of(&oldest.item),
                at: time_of(&oldest.item),
            });
            cursor.next += 1;
            cursor.attempts = 0;
        }
    }
}

/// The simulated platform, shared by the ports and the scheduler.
#[derive(Debug, Default)]
pub struct Platform {
    state: Mutex<PlatformState>,
}

impl Platform {
    /// Locks the platform's state and returns it.
    pub fn state(&self) -> MutexGuard<'_, PlatformState> {
        self.state.lock().unwrap()
    }

    /// Puts a written commit into the stream: into a shard that is chosen at random, and perhaps
    /// before records that were written earlier, since DynamoDB keeps the order of an item only.
    /// No record is inserted before one that a consumer has read.
    pub fn written(&self, core: &Core, item: Item) {
        let shard = core.choose(SHARDS);
        let overtakes = if core.strikes(Fault::Reorder) {
            core.choose(4)
        } else {
            0
        };
        let mut state = self.state();
        let record = Arc::new(Record::of(&item));
        let item = Arc::new(item);
        state.written.push(item.clone());
        state.clock_at_write.push(core.latest());
        let read = state
            .cursors
            .iter()
            .map(|cursors| cursors[shard].end.max(cursors[shard].next));
        let read = read.max().unwrap_or(0);
        let records = &mut state.shards[shard];
        let place = records.len().saturating_sub(overtakes).max(read);
        let written = core.elapsed();
        records.insert(
            place,
            Streamed {
                item,
                record,
                written,
            },
        );
    }

    /// Notes an event that the bus has accepted. The rules of the bus deliver two kinds of event to
    /// the function `bus`: new orders with automatic fulfilment, and the watcher's requests.
    pub fn announced(&self, message: Announcement) {
        let detail = message.detail.to_string();
        let mut state = self.state();
        if message.source == "waybill.watch" {
            state.stall_requests += 1;
            let event = event(
                &format!("asked-{}", state.stall_requests),
                message.source,
                message.detail_type,
                &detail,
            );
            state.deliveries.push(Delivery {
                event,
                role: Role::Bus,
                attempts: 0,
            });
            return;
        }
        if message.detail_type == "Order Created" && detail.contains(r#""status":"NEW""#) {
            let number = state.announced.len();
            let event = event(
                &format!("announced-{number}"),
                message.source,
                "Order Created",
                &detail,
            );
            state.deliveries.push(Delivery {
                event,
                role: Role::Bus,
                attempts: 0,
            });
        }
        state.announced.push(message);
    }

    /// Notes an alert that the topic has accepted.
    pub fn alerted(&self, alert: Alert) {
        self.state().alerted.push(alert);
    }

    /// Notes a message to an operator.
    pub fn message_to_operator(&self, text: String) {
        self.state().operator_messages.push(text);
    }

    /// Notes an event that a function has put among the dead letters.
    pub fn set_aside(&self, event: &str) {
        self.state().set_aside.push(event.to_owned());
    }
}

/// Returns an event as EventBridge delivers it, as JSON.
pub fn event(id: &str, source: &str, detail_type: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"{id}","source":"{source}","detail-type":"{detail_type}","account":"000000000000","region":"us-east-1","time":"2024-01-15T11:00:00Z","resources":[],"detail":{detail}}}"#
    )
}

/// Returns the aggregate of a commit's item, such as `order#1`.
pub fn aggregate_of(item: &Item) -> String {
    item.get(AGGREGATE)
        .and_then(|value| value.as_s().ok())
        .cloned()
        .unwrap_or_default()
}

/// Returns the time of a commit's item.
fn time_of(item: &Item) -> Timestamp {
    Commit::from_item(item.clone()).unwrap().at
}
