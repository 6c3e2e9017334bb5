//! The role `watch`: finds shipments that have had no update for too long, and sends a command for
//! each of them, which notes the stall in its history.
//!
//! ```text
//! schedule ─▶ watch ─▶ WatchIndex, oldest first ─▶ "Mark Stalled" on the bus ─▶ bus ─▶ history
//! ```
//!
//! It is stateless. It sees a row, and an update may have arrived since the row was written, so the
//! shipment's own history decides. The event of the stall takes the shipment out of the watched
//! partitions, so that a shipment that is stalled for years is read once. Until then every run
//! sends the command again, which has no second effect. So a run may end at any point.
//!
//! Each status has an index partition for every shard, ordered by the arrival of the shipments'
//! last updates. A run reads one page of each partition, and continues where a whole page is
//! stalled. Where there are more stalled shipments than a run can handle, the next run continues
//! with the others.

use domain::{Json, Timestamp, json::Object, shipment::Status};
use event_store::Deadline;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use lambda::{Answer, Failed, Invocation, Shards};

use crate::{
    Projectors,
    indexes::Index,
    limits::{BATCH_RESERVE, PARTITIONS_AT_ONCE, WATCH_PAGE, WATCH_ROUNDS_MAX},
    notify,
    ports::{Announcement, Direction, Row, RowError, RowPage, Start},
    row,
};

/// A partition of the index that may have more stalled shipments.
struct Watched {
    partition: String,
    /// Shipments whose last update arrived before this time are stalled.
    before: Timestamp,
    start: Start,
}

/// The result of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of stalled shipments for which the command was sent.
    pub silent: u64,
    /// Whether all were found; false where the time was up, or there were too many for one run.
    pub all: bool,
}

/// A run could not read the index or send its messages. The next run starts from the beginning. The
/// texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The index cannot be read.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// The event bus has not accepted this number of messages.
    #[error("the event bus did not accept {0} messages")]
    Bus(usize),
}

/// Handles one invocation, whatever its payload is.
pub async fn handle(projectors: &Projectors, invocation: &Invocation) -> Answer {
    let clock = projectors.clock.as_ref();
    let deadline = Deadline::before(invocation.deadline, BATCH_RESERVE, clock);
    match run(projectors, &deadline).await {
        Ok(found) => {
            if !found.all {
                tracing::warn!(
                    found.silent,
                    "the time or the limit of one run was reached; the next run continues"
                );
            } else if found.silent > 0 {
                tracing::info!(found.silent, "shipments without updates were found");
            }
            Ok(serde_json::json!({ "silent": found.silent, "all": found.all }))
        }
        Err(error) => {
            tracing::warn!(%error, "the search for stalled shipments failed; it is repeated");
            Err(Failed("temporarily unavailable".to_owned()))
        }
    }
}

/// Searches the partitions of every status, until all stalled shipments are found or the deadline
/// has passed.
pub async fn run(projectors: &Projectors, deadline: &Deadline<'_>) -> Result<Found, WatchError> {
    let mut watched = partitions(projectors);
    let mut found = Found::default();
    for _ in 0..WATCH_ROUNDS_MAX {
        if watched.is_empty() {
            found.all = true;
            break;
        }
        let Some(pages) = deadline.within(pages(projectors, &watched)).await else {
            break;
        };
        let mut marks = Vec::new();
        let mut more = Vec::new();
        for (partition, page) in watched.into_iter().zip(pages?) {
            let (silent, next) = partition.silent(page);
            marks.extend(silent.into_iter().map(|row| mark(projectors, row)));
            more.extend(next);
        }
        let marks: Vec<Announcement> = marks.into_iter().flatten().collect();
        found.silent += marks.len() as u64;
        let unsent = notify::put_all(projectors, marks, deadline).await;
        if unsent > 0 {
            return Err(WatchError::Bus(unsent));
        }
        watched = more;
    }
    Ok(found)
}

/// The partitions of every status that can stall in this environment.
fn partitions(projectors: &Projectors) -> Vec<Watched> {
    let now = projectors.clock.now().millis();
    let shards = projectors.environment.shards.count();
    let mut partitions = Vec::new();
    for status in Status::EXPECTING_UPDATES {
        let after = projectors.stalled_after.of(status);
        let after = after.and_then(|after| i64::try_from(after.as_millis()).ok());
        let Some(before) = after.and_then(|after| Timestamp::from_millis(now - after)) else {
            continue;
        };
        partitions.extend((0..shards).map(|shard| Watched {
            partition: Shards::partition(status, shard),
            before,
            start: Start::Beginning,
        }));
    }
    partitions
}

/// Reads a page of each partition, and returns them in the same order.
async fn pages(projectors: &Projectors, watched: &[Watched]) -> Result<Vec<RowPage>, RowError> {
    let rows = projectors.rows.as_ref();
    // Boxed, since the compiler cannot see that the bare futures may change their thread.
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(watched.len());
    for one in watched {
        let (index, up) = (Index::ShipmentsWatched, Direction::Up);
        let read = async move {
            rows.list(index, &one.partition, &one.start, up, WATCH_PAGE)
                .await
        };
        reads.push(read.boxed());
    }
    let reads = stream::iter(reads).buffered(PARTITIONS_AT_ONCE);
    reads.try_collect().await
}

impl Watched {
    /// The stalled shipments of a page, and the partition to continue with where the whole page is
    /// stalled.
    fn silent(mut self, page: RowPage) -> (Vec<Row>, Option<Self>) {
        let index = Index::ShipmentsWatched;
        let before = Json::from(self.before.to_string());
        let is_silent = |row: &&Row| match (row.get(index.sort_key()), &before) {
            // Times in rows have the same length, so their texts sort as the times do.
            (Some(Json::String(last_update_at)), Json::String(before)) => last_update_at < before,
            _ => false,
        };
        let silent = page.rows.iter().take_while(is_silent).count();
        let whole = silent == page.rows.len() && page.more;
        let mut rows = page.rows;
        rows.truncate(silent);
        let last = rows.last().filter(|_| whole);
        let next = last.map(|last| Start::After {
            sort: text(last, index.sort_key()),
            id: text(last, index.id()),
        });
        let next = next.map(|start| {
            self.start = start;
            self
        });
        (rows, next)
    }
}

/// The command `Mark Stalled` to the shipment of this row; `None` where the row has no valid time,
/// as no projection writes it.
fn mark(projectors: &Projectors, row: Row) -> Option<Announcement> {
    let (id, last_update_at) = (text(&row, "shipmentId"), text(&row, "heardAt"));
    if last_update_at.parse::<Timestamp>().is_err() {
        tracing::warn!("an entry of the index of watched shipments has no valid time");
        return None;
    }
    let version = row::version(&row);
    let detail = Object::from([
        ("shipmentId".to_owned(), id.as_str().into()),
        ("heardAt".to_owned(), last_update_at.as_str().into()),
        ("version".to_owned(), version.into()),
    ]);
    Some(Announcement {
        id: format!("shipment#{id}/stalled/{last_update_at}/{version}"),
        source: "waybill.watch",
        detail_type: "Mark Stalled",
        detail: Json::Object(detail),
        at: projectors.clock.now(),
        trace: None,
    })
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    }
}
