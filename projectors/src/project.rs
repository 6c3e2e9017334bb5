//! The role `project`: projects commits to rows.
//!
//! A row is a function of its aggregate's history, never of its own earlier content. Even if
//! commits are delivered late, twice or out of order, the fold of the longest history wins.

use std::panic::AssertUnwindSafe;

use domain::{AggregateId, EventSourced, Order, Shipment, personal::ERASED};
use event_store::{
    Commit, Deadline, Loaded, StoreError,
    open::{holds_personal_data, texts},
};
use futures::{FutureExt, StreamExt, stream};
use lambda::{Answer, Invocation, read_models::Kind};
use serde_json::value::RawValue;

use crate::{
    Projectors,
    batch::{Group, arrivals, groups, response},
    limits::{AGGREGATES_AT_ONCE, BATCH_RESERVE, PARK_ATTEMPTS},
    ports::{Row, RowError, Table},
    processed_orders,
    rebuild::{self, RebuildError, erase},
    row, shipment_log,
};

/// Why an aggregate's rows cannot be written. The texts are for logs.
#[derive(Debug)]
enum Stop {
    /// A table is unavailable: this record and those after it must be delivered again.
    Unavailable(String),
    /// A retry will never succeed: the aggregate is parked.
    Park {
        sequence: u64,
        code: &'static str,
        reason: String,
    },
}

/// Handles a batch of the stream. Where the time is up, the stream delivers the batch again from
/// the first aggregate on that is not done; rows that were written already are written again, which
/// is idempotent.
pub async fn handle(
    projectors: &Projectors,
    payload: &RawValue,
    invocation: &Invocation,
) -> Answer {
    let groups = groups(arrivals(projectors, payload)?);
    let clock = projectors.clock.as_ref();
    let deadline = &Deadline::before(invocation.deadline, BATCH_RESERVE, clock);
    let work = groups.into_iter().map(|group| async move {
        let number = group.number.clone();
        let settled = deadline.within(settle(projectors, group)).await;
        settled
            .unwrap_or_else(|| Err("the time is up".to_owned()))
            .map_err(|reason| (number, reason))
    });
    // Results come in the batch's order, so the first failure has the lowest number.
    let mut settled = stream::iter(work).buffered(AGGREGATES_AT_ONCE);
    while let Some(result) = settled.next().await {
        if let Err((number, reason)) = result {
            tracing::warn!(number, reason, "a batch stops and comes again");
            return Ok(response(Some(number)));
        }
    }
    Ok(response(None))
}

/// Projects one aggregate, or parks it. An error means that it should be delivered again.
async fn settle(projectors: &Projectors, group: Group) -> Result<(), String> {
    let aggregate = group.aggregate.clone();
    let unreadable = group.unreadable.clone();
    let sequence = group.commits.first().map_or(0, |commit| commit.sequence);
    // A panic must stop this aggregate only, not the batch.
    let projected = AssertUnwindSafe(project(projectors, group.commits))
        .catch_unwind()
        .await;
    let stop = match projected {
        Ok(Ok(())) => unreadable.map(|(sequence, reason)| Stop::Park {
            sequence,
            code: "unreadable_commit",
            reason,
        }),
        Ok(Err(stop)) => Some(stop),
        Err(_) => Some(Stop::Park {
            sequence,
            code: "panic",
            reason: "a panic".to_owned(),
        }),
    };
    match stop {
        None => Ok(()),
        Some(Stop::Unavailable(reason)) => Err(reason),
        Some(Stop::Park {
            sequence,
            code,
            reason,
        }) => projectors
            .park("project", &aggregate, sequence, code, &reason)
            .await
            .map_err(|error| error.to_string()),
    }
}

async fn project(projectors: &Projectors, commits: Vec<Commit>) -> Result<(), Stop> {
    let Some(first) = commits.first() else {
        return Ok(());
    };
    match first.aggregate.clone() {
        AggregateId::Order(_) => {
            let stored = whole_history(projectors, commits).await?;
            let opened = projectors.store.opened(stored.clone()).await?;
            let order = Loaded::<Order>::from_history(aggregate_of(&opened)?, opened.clone())?;
            for one in projectors.of_kind(Kind::ProcessedOrders) {
                let row = processed_orders::row(&order.state, order.version, &one.environment);
                put_newer(one, Table::ProcessedOrders, row, order.version).await?;
            }
            rewrite_if_erased_meanwhile(projectors, stored, &opened).await?;
        }
        AggregateId::Erasure(owner) => {
            erase::carry_out(projectors, &owner).await?;
        }
        AggregateId::Shipment(_) => {
            for one in projectors.of_kind(Kind::ShipmentLog) {
                log(one, &commits).await?;
            }
            let shipment = fold::<Shipment>(projectors, commits).await?;
            for one in projectors.of_kind(Kind::ShipmentLog) {
                let version = shipment.version;
                let row = shipment_log::current(&shipment.state, version, &one.environment);
                put_newer(one, Table::ShipmentLog, row, version).await?;
            }
        }
    }
    Ok(())
}

/// Writes a log row for each update.
async fn log(projectors: &Projectors, commits: &[Commit]) -> Result<(), Stop> {
    for commit in commits {
        let entries = shipment_log::entries(commit, &projectors.environment);
        let entries = entries.map_err(|error| Stop::Park {
            sequence: commit.sequence,
            code: "unreadable_event",
            reason: error.to_string(),
        })?;
        for row in entries {
            let sequence = row::version(&row);
            let put = projectors.rows.put(Table::ShipmentLog, row).await;
            put.map_err(|error| stop(error, sequence))?;
        }
    }
    Ok(())
}

/// Folds the aggregate of these commits: from the commits alone where they are its whole history
/// from sequence 1 on without gaps, else by loading it.
async fn fold<A: EventSourced>(
    projectors: &Projectors,
    commits: Vec<Commit>,
) -> Result<Loaded<A>, Stop> {
    let id = aggregate_of(&commits)?;
    let folded = match is_complete_history(&commits) {
        true => Loaded::from_history(id, commits),
        false => projectors.store.load(&id).await,
    };
    folded.map_err(Stop::from)
}

/// The whole history of an order. Its personal data are opened in it, since a snapshot holds them
/// sealed; an order has few commits.
async fn whole_history(projectors: &Projectors, commits: Vec<Commit>) -> Result<Vec<Commit>, Stop> {
    match is_complete_history(&commits) {
        true => Ok(commits),
        false => Ok(projectors
            .store
            .whole_history(&aggregate_of(&commits)?)
            .await?),
    }
}

/// Writes the order's rows again where its personal data were erased between opening them and
/// writing the rows: the erasure may not have seen these rows. Orders without personal data cost
/// nothing, others one more read of the table of keys.
///
/// Where they are erased, an earlier attempt may have written the rows before and failed behind
/// that. They have this version then, so that they were not written now: they are compared, too.
async fn rewrite_if_erased_meanwhile(
    projectors: &Projectors,
    stored: Vec<Commit>,
    opened: &[Commit],
) -> Result<(), Stop> {
    if !holds_personal_data(&stored, opened) {
        return Ok(());
    }
    let again = projectors.store.opened(stored).await?;
    if !texts(&again).eq(texts(opened)) || contains_erased_text(&again) {
        rebuild::aggregate(projectors, &aggregate_of(&again)?).await?;
    }
    Ok(())
}

/// Whether a personal value is erased; or somebody is called so, which does no harm.
fn contains_erased_text(opened: &[Commit]) -> bool {
    texts(opened).any(|text| text.contains(ERASED))
}

fn aggregate_of(commits: &[Commit]) -> Result<AggregateId, Stop> {
    let first = commits.first().map(|first| first.aggregate.clone());
    first.ok_or_else(|| Stop::Unavailable("no commits to fold".to_owned()))
}

impl From<RebuildError> for Stop {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Unavailable(reason) => Self::Unavailable(reason),
            RebuildError::Corrupt(reason) => Self::Park {
                sequence: 1,
                code: "corrupt_history",
                reason,
            },
        }
    }
}

/// Whether commits begin with sequence 1 and have no gaps. Later ones may follow in the store.
fn is_complete_history(commits: &[Commit]) -> bool {
    let begins = commits.first().is_some_and(|first| first.sequence == 1);
    let gapless = commits
        .windows(2)
        .all(|two| two[0].next_sequence() == two[1].sequence);
    begins && gapless
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { sequence, .. } | StoreError::Newer { sequence, .. } => {
                Self::Park {
                    sequence,
                    code: "corrupt_history",
                    reason: error.to_string(),
                }
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

async fn put_newer(
    projectors: &Projectors,
    table: Table,
    row: Option<Row>,
    version: u64,
) -> Result<(), Stop> {
    let Some(row) = row else { return Ok(()) };
    let put = projectors.rows.put_newer(table, row, version).await;
    put.map_err(|error| stop(error, version))
}

fn stop(error: RowError, sequence: u64) -> Stop {
    match error {
        RowError::Unavailable(reason) => Stop::Unavailable(reason),
        RowError::Refused(reason) => Stop::Park {
            sequence,
            code: "row_refused",
            reason,
        },
    }
}

impl Projectors {
    /// Parks an aggregate for one consumer, with an error in the log and a metric; the other
    /// aggregates go on. One that is parked already keeps the time of the first time and the lowest
    /// sequence, since the stream may deliver a commit after later ones. The version of its row is
    /// raised in any case, so that resuming it does not remove a row that it has not seen.
    pub(crate) async fn park(
        &self,
        consumer: &str,
        aggregate: &str,
        sequence: u64,
        code: &str,
        reason: &str,
    ) -> Result<(), RowError> {
        tracing::error!(
            consumer,
            aggregate,
            sequence,
            code,
            reason,
            "an aggregate is parked"
        );
        let now = self.clock.now();
        self.metrics.parked(now, consumer);
        let row = Row::from([
            ("id".to_owned(), format!("{consumer}#{aggregate}").into()),
            ("consumer".to_owned(), consumer.into()),
            ("aggregate".to_owned(), aggregate.into()),
            ("since".to_owned(), now.to_string().into()),
            ("sequence".to_owned(), sequence.into()),
            ("code".to_owned(), code.into()),
            // A row that was removed and parked again must have another version than before.
            ("version".to_owned(), now.millis().unsigned_abs().into()),
        ]);
        let mut earliest = None;
        for _ in 0..PARK_ATTEMPTS {
            let Some(mut stored) = self.rows.put_first(Table::Parked, row.clone()).await? else {
                return Ok(());
            };
            let (version, lowest) = (row::version(&stored), row::number(&stored, "sequence"));
            let raised = *earliest.get_or_insert(version) < version;
            if raised && lowest <= sequence {
                return Ok(());
            }
            if sequence < lowest {
                stored.insert("sequence".to_owned(), sequence.into());
                stored.insert("code".to_owned(), code.into());
            }
            stored.insert("version".to_owned(), (version + 1).into());
            let put = self.rows.put_newer(Table::Parked, stored, version + 1);
            put.await?;
        }
        let rivals = "others wrote its row in every attempt to park it".to_owned();
        Err(RowError::Unavailable(rivals))
    }
}
