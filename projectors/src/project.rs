//! The role `project`: commits become rows.
//!
//! A row is a function of its aggregate's history, never of its own earlier content; whatever
//! comes late, twice or out of order, the fold of the longest history wins.

use std::panic::AssertUnwindSafe;

use domain::{AggregateId, EventSourced, Order, Shipment};
use event_store::{Commit, Deadline, Loaded, StoreError};
use futures::{FutureExt, StreamExt, stream};
use lambda::{Answer, Invocation, read_models::Kind};
use serde_json::value::RawValue;

use crate::{
    Projectors,
    batch::{Group, arrivals, groups, response},
    limits::{AGGREGATES_AT_ONCE, BATCH_RESERVE, PARK_ATTEMPTS},
    ports::{Row, RowError, Table},
    processed_orders, row, shipment_log,
};

/// Why an aggregate's rows cannot be written. The texts are for logs.
#[derive(Debug)]
enum Stop {
    /// Try again, and whatever comes behind it, too.
    Unavailable(String),
    /// It will never work: park the aggregate.
    Park {
        sequence: u64,
        code: &'static str,
        reason: String,
    },
}

/// Handles a batch of the stream. Where the time is up, the batch comes again from the first
/// aggregate on that is not done; what was put of it and behind it is put again.
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
    // In the batch's order, so the first to fail has the lowest number.
    let mut settled = stream::iter(work).buffered(AGGREGATES_AT_ONCE);
    while let Some(result) = settled.next().await {
        if let Err((number, reason)) = result {
            tracing::warn!(number, reason, "a batch stops and comes again");
            return Ok(response(Some(number)));
        }
    }
    Ok(response(None))
}

/// Projects one aggregate, or parks it. An error is worth another try.
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
            let order = fold::<Order>(projectors, commits).await?;
            for one in projectors.of_kind(Kind::ProcessedOrders) {
                let row = processed_orders::row(&order.state, order.version, &one.environment);
                put_newer(one, Table::ProcessedOrders, row, order.version).await?;
            }
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

/// Puts a row for each update.
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

/// The aggregate that these commits lead to: of themselves where they are its beginning, else as
/// it is stored.
async fn fold<A: EventSourced>(
    projectors: &Projectors,
    commits: Vec<Commit>,
) -> Result<Loaded<A>, Stop> {
    let begins = commits.first().is_some_and(|first| first.sequence == 1);
    let gapless = commits
        .windows(2)
        .all(|two| two[0].next_sequence() == two[1].sequence);
    let Some(id) = commits.first().map(|first| first.aggregate.clone()) else {
        return Err(Stop::Unavailable("no commits to fold".to_owned()));
    };
    let folded = match begins && gapless {
        true => Loaded::from_history(id, commits),
        false => projectors.store.load(&id).await,
    };
    folded.map_err(|error| match error {
        StoreError::Corrupt { sequence, .. } | StoreError::Newer { sequence, .. } => Stop::Park {
            sequence,
            code: "corrupt_history",
            reason: error.to_string(),
        },
        other => Stop::Unavailable(other.to_string()),
    })
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
    /// Stops an aggregate for one consumer, loudly: the others go on. One that is parked again
    /// stands since the first time, and at the lowest sequence: the stream may bring a commit after
    /// those behind it. Its row's version is raised in any case, so that nobody forgets it who has
    /// not seen that.
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
            // Of a row that was forgotten meanwhile, and one that stands since, it is not the same.
            ("version".to_owned(), now.millis().unsigned_abs().into()),
        ]);
        let mut earliest = None;
        for _ in 0..PARK_ATTEMPTS {
            let Some(mut there) = self.rows.put_first(Table::Parked, row.clone()).await? else {
                return Ok(());
            };
            let (version, lowest) = (row::version(&there), row::whole(&there, "sequence"));
            let raised = *earliest.get_or_insert(version) < version;
            if raised && lowest <= sequence {
                return Ok(());
            }
            if sequence < lowest {
                there.insert("sequence".to_owned(), sequence.into());
                there.insert("code".to_owned(), code.into());
            }
            there.insert("version".to_owned(), (version + 1).into());
            let put = self.rows.put_newer(Table::Parked, there, version + 1);
            put.await?;
        }
        let rivals = "it is parked by others all the time".to_owned();
        Err(RowError::Unavailable(rivals))
    }
}
