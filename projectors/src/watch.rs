//! The role `watch`: finds shipments of which nothing has been heard for too long, and asks for
//! each of them that its history says so.
//!
//! ```text
//! schedule ─▶ watch ─▶ WatchIndex, oldest first ─▶ "Mark Stalled" on the bus ─▶ bus ─▶ history
//! ```
//!
//! It keeps nothing. What it sees is a row, which an update may have overtaken: the shipment's own
//! history decides, once. The event takes the shipment out of the index, so that a shipment that is
//! stalled for years is read once; until then every run asks again, which does no harm. So a run
//! may end anywhere.
//!
//! Each status is an index partition for every shard, in the order of when the shipments were heard
//! of last: a run reads a page of each, and goes on only where a whole page is silent. Of statuses
//! with more silent shipments than a run takes, the next run takes the next ones.

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

/// A partition of the index that may have more silent shipments.
struct Watched {
    partition: String,
    /// Whatever was heard of last before this is silent.
    before: Timestamp,
    start: Start,
}

/// What a run found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Silent shipments, each asked to be marked as stalled.
    pub silent: u64,
    /// Is there none more? No where the time was up, or there were too many for one run.
    pub all: bool,
}

/// A run that could not read or could not tell; the next one begins anew. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The index cannot be read.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// The bus has not taken every message.
    #[error("{0} messages were not accepted")]
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
                    "the next run looks for more stalled shipments"
                );
            } else if found.silent > 0 {
                tracing::info!(found.silent, "shipments are silent");
            }
            Ok(serde_json::json!({ "silent": found.silent, "all": found.all }))
        }
        Err(error) => {
            tracing::warn!(%error, "a search for stalled shipments ends");
            Err(Failed("temporarily unavailable".to_owned()))
        }
    }
}

/// Looks at every status once, as far as the time goes.
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

/// The partitions of every status that can stall here.
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

/// A page of each, in their order.
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
    /// The silent ones of a page, and where to look for more, where all of them are.
    fn silent(mut self, page: RowPage) -> (Vec<Row>, Option<Self>) {
        let index = Index::ShipmentsWatched;
        let before = Json::from(self.before.to_string());
        let is_silent = |row: &&Row| match (row.get(index.sort_key()), &before) {
            // Times in rows have one length, so that their text sorts as they do.
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

/// What is asked of the shipment that a row is of; `None` of a row that no projection has written.
fn mark(projectors: &Projectors, row: Row) -> Option<Announcement> {
    let (id, last_update_at) = (text(&row, "shipmentId"), text(&row, "heardAt"));
    if last_update_at.parse::<Timestamp>().is_err() {
        tracing::warn!("an entry of the index of watched shipments has no time");
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
