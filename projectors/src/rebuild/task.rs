//! The role `rebuild`: each invocation is a piece of work, and its answer is the next one, until
//! that says `done`. So whoever drives it (a state machine, a schedule, a person) keeps where it
//! stands, and the function keeps nothing.

use event_store::Deadline;
use lambda::{Answer, Failed, Invocation, ReadModel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    RebuildError, Rebuilt,
    finding::Finding,
    gather::{Gather, Source},
    settle::{Counted, Settle, one},
    sweep::Sweep,
};
use crate::{
    Projectors,
    limits::{
        BUCKETS_MAX, FINDINGS_LOGGED, PLANNED_BUCKETS_MAX, PLANNED_SEGMENTS_MAX, REBUILD_RESERVE,
        SEGMENTS_MAX,
    },
    parked,
    ports::Table,
};

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum Task {
    /// Says which pieces a whole rebuild is made of.
    Plan(Plan),
    /// A segment of a whole rebuild.
    Gather(Gather),
    /// A bucket of a whole rebuild.
    Settle(Settle),
    /// One aggregate.
    Aggregate(Aggregate),
    /// The segment of the store whose turn it is by the clock, mended.
    Sweep {},
    /// A segment of the store, named.
    Part(Sweep),
}

/// A whole rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// A name of its own: letters, digits and `-`, at most 80, such as a state machine's execution
    /// has.
    pub run: String,
    /// Segments that each table is scanned in; at most 64 where the role plans.
    pub segments: u32,
    /// Buckets of its ledger, one for some 100,000 aggregates; at most 512 where the role plans.
    pub buckets: u32,
    /// Make the rows what they should be? Else they are only named, in the log.
    #[serde(default = "yes")]
    pub mend: bool,
    /// One read model alone; without it, all that are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
}

/// One aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aggregate {
    /// `order#<orderId>` or `shipment#<shipmentId>`.
    pub aggregate: String,
    /// Make the rows what they should be? Else they are only named.
    #[serde(default = "yes")]
    pub mend: bool,
}

fn yes() -> bool {
    true
}

impl Plan {
    /// All that is to be gathered, at once or one after the other.
    pub fn gather(&self) -> Vec<Gather> {
        let sources = [Source::Events, Source::ProcessedOrders, Source::ShipmentLog];
        let wanted = |source: &Source| {
            let table = self.only.map(|model| Table::from(model.kind));
            *source == Source::Events || table.is_none() || table == source.table()
        };
        let segments = |source: Source| {
            (0..self.segments).map(move |segment| {
                let place = (segment, self.segments);
                let mut gather = Gather::new(&self.run, source, place, self.buckets);
                gather.only = self.only;
                gather
            })
        };
        sources
            .into_iter()
            .filter(wanted)
            .flat_map(segments)
            .collect()
    }

    /// All that is to be settled when everything is gathered, at once or one after the other.
    pub fn settle(&self) -> Vec<Settle> {
        (0..self.buckets)
            .map(|bucket| Settle {
                only: self.only,
                ..Settle::new(&self.run, bucket, self.mend)
            })
            .collect()
    }

    fn check(&self) -> Result<(), Failed> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=80).contains(&self.run.len()) || !self.run.bytes().all(plain) {
            return Err(Failed("run: 1 to 80 letters, digits and '-'".to_owned()));
        }
        check("segments", self.segments, PLANNED_SEGMENTS_MAX)?;
        check("buckets", self.buckets, PLANNED_BUCKETS_MAX)
    }
}

/// The projectors of a read model: those that are read where none is named.
fn of(projectors: &Projectors, only: Option<ReadModel>) -> Result<&Projectors, Failed> {
    match only {
        None => Ok(projectors),
        Some(model) => projectors
            .of(model)
            .ok_or_else(|| Failed(format!("this environment has no {model}"))),
    }
}

fn check(name: &str, value: u32, most: u32) -> Result<(), Failed> {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(Failed(format!("{name}: 1 to {most}"))),
    }
}

/// Handles an invocation.
pub async fn handle(
    projectors: &Projectors,
    payload: &RawValue,
    invocation: &Invocation,
) -> Answer {
    let task: Task = serde_json::from_str(payload.get())
        .map_err(|error| Failed(format!("not a piece of work: {error}")))?;
    let clock = projectors.clock.as_ref();
    let deadline = Deadline::before(invocation.deadline, REBUILD_RESERVE, clock);
    let enough = || deadline.is_near();
    let next = match task {
        Task::Plan(plan) => {
            plan.check()?;
            let [gather, settle] = [
                plan.gather()
                    .into_iter()
                    .map(Task::Gather)
                    .collect::<Vec<_>>(),
                plan.settle().into_iter().map(Task::Settle).collect(),
            ];
            return Ok(json!({ "gather": gather, "settle": settle }));
        }
        Task::Gather(mut gather) => {
            check("segments", gather.segments, SEGMENTS_MAX)?;
            check("buckets", gather.buckets, BUCKETS_MAX)?;
            let projectors = of(projectors, gather.only)?;
            // One step in any case: who has too little time must not come again for ever.
            while !gather.done {
                gather.step(projectors, enough).await.map_err(failed)?;
                if enough() {
                    break;
                }
            }
            Task::Gather(gather)
        }
        Task::Settle(mut settle) => {
            let projectors = of(projectors, settle.only)?;
            let findings = settle.step(projectors, enough).await.map_err(failed)?;
            log(&findings);
            Task::Settle(settle)
        }
        Task::Aggregate(one) => return aggregate(projectors, &one).await,
        Task::Sweep {} => {
            let mut sweep = projectors.rebuilds.turn(projectors.clock.now());
            let swept = loop {
                match sweep.step(projectors, enough).await {
                    Ok(findings) => log(&findings),
                    Err(error) => break Err(error),
                }
                if sweep.done || enough() {
                    break Ok(());
                }
            };
            say(projectors, &sweep).await;
            swept.map_err(failed)?;
            Task::Part(sweep)
        }
        Task::Part(mut sweep) => {
            check("segments", sweep.segments, SEGMENTS_MAX)?;
            let findings = sweep.step(projectors, enough).await.map_err(failed)?;
            log(&findings);
            Task::Part(sweep)
        }
    };
    serde_json::to_value(next).map_err(|error| Failed(error.to_string()))
}

async fn aggregate(projectors: &Projectors, task: &Aggregate) -> Answer {
    let settled = one(projectors, task.aggregate.clone(), task.mend).await;
    let settled = settled.map_err(failed)?;
    let Rebuilt { written, removed } = settled.rebuilt;
    let findings: Vec<Value> = settled.findings.iter().map(|one| json!(one)).collect();
    Ok(json!({ "written": written, "removed": removed, "findings": findings, "done": true }))
}

/// Tells what a sweep did, and what is parked: by the clock, so an alarm on it ends by itself.
async fn say(projectors: &Projectors, sweep: &Sweep) {
    let now = projectors.clock.now();
    let Counted {
        aggregates,
        written,
        removed,
        unreadable,
        ..
    } = sweep.counted;
    let parked = parked::count(projectors).await;
    projectors.metrics.swept(
        now,
        &lambda::metrics::Swept {
            aggregates,
            mended: written + removed,
            unreadable,
            unfinished: !sweep.done,
            parked,
        },
    );
}

/// A line for each finding, of the first of them.
fn log(findings: &[Finding]) {
    for finding in findings.iter().take(FINDINGS_LOGGED) {
        tracing::warn!(
            table = finding.table,
            id = finding.id,
            entry = finding.entry,
            wrong = %finding.wrong,
            there = finding.there,
            expected = finding.expected,
            "a row was not as it should be"
        );
    }
    if findings.len() > FINDINGS_LOGGED {
        let more = findings.len() - FINDINGS_LOGGED;
        tracing::warn!(more, "rows were not as they should be");
    }
}

fn failed(error: RebuildError) -> Failed {
    tracing::error!(%error, "a piece of a rebuild failed");
    Failed("temporarily unavailable; the same piece may be done again".to_owned())
}
