//! What AWS does around the functions: the stream of what is written, the events that are
//! delivered, and what went to people.

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

/// Shards of the stream.
pub const SHARDS: usize = 3;

/// Consumers of the stream: `project` and `notify`.
pub const CONSUMERS: usize = 2;

/// Hours that the stream keeps a record.
pub const RETENTION_HOURS: i64 = 24;

/// A commit in the stream.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// The item that made it.
    pub item: Arc<Item>,
    /// The record as it is delivered.
    pub record: Arc<Record>,
    /// When it was written, in milliseconds of the world.
    pub written: i64,
}

/// A consumer's place in a shard.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// The next record.
    pub next: usize,
    /// The end of the batch that is under way; `next` where none is.
    pub end: usize,
    /// Attempts at the record `next`.
    pub attempts: u32,
}

/// An event that waits for its delivery to the function `bus`.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event, as EventBridge delivers it.
    pub event: String,
    /// The function that it is for.
    pub role: Role,
    /// Attempts so far.
    pub attempts: u32,
}

impl Delivery {
    /// Does it ask that a shipment be marked as stalled?
    pub fn is_mark(&self) -> bool {
        self.event.contains(r#""detail-type":"Mark Stalled""#)
    }
}

/// What the platform has given up after its last attempt, whole.
#[derive(Debug, Clone)]
pub enum Letter {
    /// A record of the stream, for a consumer.
    Record {
        /// The consumer's number.
        consumer: usize,
        /// The record.
        streamed: Streamed,
    },
    /// An event on its way to a function.
    Event(Delivery),
}

/// A record that the stream forgot before a consumer had read it.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The consumer's number.
    pub consumer: usize,
    /// Whose commit it was.
    pub aggregate: String,
    /// When that was made.
    pub at: Timestamp,
}

/// Everything that is kept outside the functions.
#[derive(Debug, Default)]
pub struct Kept {
    /// The shards' records.
    pub shards: [Vec<Streamed>; SHARDS],
    /// Where each consumer stands in each shard.
    pub cursors: [[Cursor; SHARDS]; CONSUMERS],
    /// Events that wait for their delivery.
    pub deliveries: Vec<Delivery>,
    /// What the bus has accepted, but for what the watcher asks for.
    pub announced: Vec<Announcement>,
    /// How often the watcher has asked that a shipment be marked as stalled.
    pub asked: u64,
    /// What the topic has accepted of `notify`.
    pub alerted: Vec<Alert>,
    /// What was said to operators.
    pub told: Vec<String>,
    /// Events that a function itself has set aside: they can never succeed.
    pub set_aside: Vec<String>,
    /// What the platform has given up.
    pub letters: Vec<Letter>,
    /// Those of them that an operator has tried and left where they lie.
    pub left: Vec<Letter>,
    /// What was written, in the order of writing.
    pub written: Vec<Arc<Item>>,
    /// Of each of them, the latest time that a clock had shown by then.
    pub shown: Vec<Timestamp>,
    /// What the stream has forgotten unread.
    pub lost: Vec<Lost>,
}

impl Kept {
    /// Forgets what a consumer has not read of a shard within the time that the stream keeps it.
    pub fn trim(&mut self, consumer: usize, shard: usize, now: i64) {
        let cursor = &mut self.cursors[consumer][shard];
        while let Some(oldest) = self.shards[shard].get(cursor.next)
            && now - oldest.written > RETENTION_HOURS * 3_600_000
        {
            self.lost.push(Lost {
                consumer,
                aggregate: aggregate_of(&oldest.item),
                at: time_of(&oldest.item),
            });
            cursor.next += 1;
            cursor.attempts = 0;
        }
    }
}

/// The platform.
#[derive(Debug, Default)]
pub struct Platform {
    kept: Mutex<Kept>,
}

impl Platform {
    /// Everything that is kept.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// A commit was written: it comes out of the stream, in a shard of its own choosing, perhaps
    /// before others that were written earlier; order is kept per item only.
    pub fn written(&self, core: &Core, item: Item) {
        let shard = core.choose(SHARDS);
        let overtakes = if core.strikes(Fault::Reorder) {
            core.choose(4)
        } else {
            0
        };
        let mut kept = self.kept();
        let record = Arc::new(Record::of(&item));
        let item = Arc::new(item);
        kept.written.push(item.clone());
        kept.shown.push(core.latest());
        let read = kept
            .cursors
            .iter()
            .map(|cursors| cursors[shard].end.max(cursors[shard].next));
        let read = read.max().unwrap_or(0);
        let records = &mut kept.shards[shard];
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

    /// The bus has accepted an event; its rules send new automatic orders round again, and what
    /// the watcher asks for.
    pub fn announced(&self, message: Announcement) {
        let detail = message.detail.to_string();
        let mut kept = self.kept();
        if message.source == "waybill.watch" {
            kept.asked += 1;
            let event = event(
                &format!("asked-{}", kept.asked),
                message.source,
                message.detail_type,
                &detail,
            );
            kept.deliveries.push(Delivery {
                event,
                role: Role::Bus,
                attempts: 0,
            });
            return;
        }
        if message.detail_type == "Order Created" && detail.contains(r#""status":"NEW""#) {
            let number = kept.announced.len();
            let event = event(
                &format!("announced-{number}"),
                message.source,
                "Order Created",
                &detail,
            );
            kept.deliveries.push(Delivery {
                event,
                role: Role::Bus,
                attempts: 0,
            });
        }
        kept.announced.push(message);
    }

    /// The topic has accepted an alert.
    pub fn alerted(&self, alert: Alert) {
        self.kept().alerted.push(alert);
    }

    /// An operator was told something.
    pub fn told_operator(&self, text: String) {
        self.kept().told.push(text);
    }

    /// A function has set an event aside.
    pub fn set_aside(&self, event: &str) {
        self.kept().set_aside.push(event.to_owned());
    }
}

/// An event, as EventBridge delivers it.
pub fn event(id: &str, source: &str, detail_type: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"{id}","source":"{source}","detail-type":"{detail_type}","account":"000000000000","region":"us-east-1","time":"2024-01-15T11:00:00Z","resources":[],"detail":{detail}}}"#
    )
}

/// Whose record it is.
pub fn aggregate_of(item: &Item) -> String {
    item.get(AGGREGATE)
        .and_then(|value| value.as_s().ok())
        .cloned()
        .unwrap_or_default()
}

/// When it was made.
fn time_of(item: &Item) -> Timestamp {
    Commit::from_item(item.clone()).unwrap().at
}
