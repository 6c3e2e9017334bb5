//! The role `rebuild`: each invocation is a task, and its answer is the next task, until that says
//! `done`. So its caller (a state machine, a schedule, a person) keeps the progress, and the
//! function is stateless.

use event_store::Deadline;
use lambda::{Answer, Failed, Invocation, ReadModel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use crate::{
    Projectors,
    limits::{
        BUCKETS_MAX, FINDINGS_LOGGED, PLANNED_BUCKETS_MAX, PLANNED_SEGMENTS_MAX, REBUILD_RESERVE,
        SEGMENTS_MAX,
    },
    parked,
    ports::Table,
    rebuild::{
        RebuildError, Rebuilt,
        finding::Finding,
        gather::{Gather, Source},
        settle::{Counted, Settle, settle_aggregate},
        sweep::Sweep,
    },
};

/// A task of the role `rebuild`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum Task {
    /// Lists the tasks of a whole rebuild.
    Plan(Plan),
    /// Gathers a segment of a whole rebuild.
    Gather(Gather),
    /// Settles a bucket of a whole rebuild.
    Settle(Settle),
    /// Rebuilds one aggregate.
    Aggregate(Aggregate),
    /// Sweeps and repairs the segment of the store whose turn it is by the clock.
    Sweep {},
    /// Sweeps the named segment of the store.
    Part(Sweep),
}

/// A rebuild of all aggregates, to be planned as tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The rebuild's unique name: 1 to 80 letters, digits and `-`, such as the name of a state
    /// machine's execution.
    pub run: String,
    /// The number of segments in which each table is scanned; at most 64 where the role plans.
    pub segments: u32,
    /// The number of buckets of the ledger, one for some 100,000 aggregates; at most 512 where the
    /// role plans.
    pub buckets: u32,
    /// Whether rows that differ are repaired. Otherwise they are only logged.
    #[serde(default = "yes", rename = "mend")]
    pub repair: bool,
    /// The only read model to rebuild; without it, all read models that are queried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
}

/// The rebuild of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aggregate {
    /// The aggregate: `order#<orderId>` or `shipment#<shipmentId>`.
    pub aggregate: String,
    /// Whether rows that differ are repaired. Otherwise they are only reported.
    #[serde(default = "yes", rename = "mend")]
    pub repair: bool,
}

fn yes() -> bool {
    true
}

impl Plan {
    /// All segments to gather, in any order or concurrently.
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

    /// All buckets to settle after everything is gathered, in any order or concurrently.
    pub fn settle(&self) -> Vec<Settle> {
        (0..self.buckets)
            .map(|bucket| Settle {
                only: self.only,
                ..Settle::new(&self.run, bucket, self.repair)
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

/// The projectors of a read model; without `only`, those of the read models that are queried.
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

/// Handles one invocation.
pub async fn handle(
    projectors: &Projectors,
    payload: &RawValue,
    invocation: &Invocation,
) -> Answer {
    let task: Task = serde_json::from_str(payload.get())
        .map_err(|error| Failed(format!("not a piece of work: {error}")))?;
    let clock = projectors.clock.as_ref();
    let deadline = Deadline::before(invocation.deadline, REBUILD_RESERVE, clock);
    let enough = || deadline.has_passed();
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
            // At least one step: an invocation with too little time must not be repeated for ever.
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
            write_metrics(projectors, &sweep).await;
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
    let compared = settle_aggregate(projectors, task.aggregate.clone(), task.repair).await;
    let compared = compared.map_err(failed)?;
    let Rebuilt { written, removed } = compared.rebuilt;
    let findings: Vec<Value> = compared.findings.iter().map(|one| json!(one)).collect();
    Ok(json!({ "written": written, "removed": removed, "findings": findings, "done": true }))
}

/// Writes the metrics of a sweep and the number of parked aggregates. The schedule repeats them, so
/// that an alarm on them ends by itself.
async fn write_metrics(projectors: &Projectors, sweep: &Sweep) {
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

/// Logs a line for each finding, up to a limit.
fn log(findings: &[Finding]) {
    for finding in findings.iter().take(FINDINGS_LOGGED) {
        tracing::warn!(
            table = finding.table,
            id = finding.id,
            entry = finding.entry,
            wrong = %finding.kind,
            stored = finding.stored,
            expected = finding.expected,
            "a row differs from what follows from its history"
        );
    }
    if findings.len() > FINDINGS_LOGGED {
        let more = findings.len() - FINDINGS_LOGGED;
        tracing::warn!(
            more,
            "more rows differ from what follows from their history"
        );
    }
}

fn failed(error: RebuildError) -> Failed {
    tracing::error!(%error, "a task of a rebuild failed");
    Failed("temporarily unavailable; the same task can be repeated".to_owned())
}
