//! The state of a run over the whole store, as its folder keeps it, and its progress.
//!
//! ```text
//! run.json                 the description of the run, written once
//! <run>/gather-00003.json  the state of a segment's scan, saved after each step of a second
//! <run>/settle-00012.json  the state of a bucket, with its findings
//! <run>/00012/…            the digests of that bucket (the ledger)
//! ```

use std::path::Path;

use domain::Timestamp;
use lambda::ReadModel;
use projectors::{
    rebuild::{
        finding::{Difference, Finding},
        gather::{Gather, Source},
        settle::{Counted, Settle},
    },
    task::Plan,
};
use serde::{Deserialize, Serialize};

use super::summary::{Kind, Summary};
use crate::{
    error::OperatorError,
    folder::{Folder, STATE},
    lock::{LockHolder, holder},
    progress::Stage,
};

/// The description of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    /// The identity of its environment, as `Environment::identity` returns it.
    pub(super) of: String,
    pub(super) plan: Plan,
    /// The time at which it was started.
    pub(super) begun: Timestamp,
    /// The approximate number of items to gather.
    pub(super) items: u64,
    /// The highest number of findings that are kept with both rows.
    #[serde(rename = "sides")]
    pub(super) max_differences: usize,
}

/// The state of a bucket, as its file contains it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) settle: Settle,
    /// The findings in it that are kept.
    pub(super) findings: Vec<Finding>,
    /// Both rows of those findings, as far as they are kept.
    pub(super) differences: Vec<Difference>,
}

impl Run {
    pub(super) fn kind(&self) -> Kind {
        match self.plan.repair {
            true => Kind::Rebuild,
            false => Kind::Verify,
        }
    }

    pub(super) fn gather_file(&self, place: usize) -> String {
        format!("{}/gather-{place:05}.json", self.plan.run)
    }

    pub(super) fn bucket_file(&self, place: usize) -> String {
        format!("{}/settle-{place:05}.json", self.plan.run)
    }

    /// The state of every segment, from its file or else from the plan.
    pub(super) fn gathers(&self, folder: &Folder) -> Result<Vec<Gather>, OperatorError> {
        let planned = self.plan.gather().into_iter().enumerate();
        let stands = planned.map(|(place, planned)| {
            let saved = folder.load(&self.gather_file(place))?;
            Ok(saved.unwrap_or(planned))
        });
        stands.collect()
    }

    /// The state of every bucket, from its file or else from the plan.
    pub(super) fn buckets(&self, folder: &Folder) -> Result<Vec<Bucket>, OperatorError> {
        let planned = self.plan.settle().into_iter().enumerate();
        let stands = planned.map(|(place, settle)| {
            let saved = folder.load(&self.bucket_file(place))?;
            Ok(saved.unwrap_or(Bucket {
                settle,
                findings: Vec::new(),
                differences: Vec::new(),
            }))
        });
        stands.collect()
    }
}

/// The summary of everything that was gathered and settled.
pub(super) fn summary(gathers: &[Gather], buckets: Vec<Bucket>) -> Summary {
    let mut summary = Summary::default();
    let of_events = gathers.iter().filter(|one| one.source == Source::Events);
    summary.commits = of_events.map(|one| one.items).sum();
    let scanned: u64 = gathers.iter().map(|one| one.half_units).sum();
    summary.scanned_read_units = scanned.div_ceil(2);
    let mut counted = Counted::default();
    for bucket in buckets {
        counted.add(&bucket.settle.counted);
        summary.findings.extend(bucket.findings);
        summary.differences.extend(bucket.differences);
    }
    summary.examined_read_units = counted.half_units.div_ceil(2);
    summary.counted = counted;
    summary.findings.sort_unstable();
    let by_finding = |one: &Difference, other: &Difference| one.finding.cmp(&other.finding);
    summary.differences.sort_by(by_finding);
    summary
}

/// The progress of a run over the whole store, whether it is running or was stopped or killed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// Whether it verifies or rebuilds.
    pub kind: Kind,
    /// The only read model of the run; without it the run is over all that queries use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// The time at which it was started, by the environment's clock.
    pub begun: Timestamp,
    /// The time at which it last saved its state, by this machine's clock. A process that works on
    /// the run saves it every second or two, unless it waits for a service.
    pub saved: Option<Timestamp>,
    /// The process that works on it now; `None` where the run was stopped or killed and can be
    /// resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<LockHolder>,
    /// The stage of the run.
    pub stage: Stage,
    /// The number of items or buckets of the stage that are done.
    pub done: u64,
    /// The approximate number of all items or buckets of the stage.
    pub total: u64,
    /// The summary of the run so far.
    pub summary: Summary,
}

/// Reads the progress of the run in a folder; `None` where there is none or it has ended. Any
/// process may call this at any time.
pub fn running(folder: &Path) -> Result<Option<RunStatus>, OperatorError> {
    let owner = holder(folder)?;
    let folder = Folder::at(folder.to_owned());
    let Some(run) = folder.load::<Run>(STATE)? else {
        return Ok(None);
    };
    let (gathers, buckets) = (run.gathers(&folder)?, run.buckets(&folder)?);
    let gathered = gathers.iter().all(|one| one.done);
    let (stage, done, total) = match gathered {
        false => {
            let items = gathers.iter().map(|one| one.items).sum();
            (Stage::Gathering, items, run.items)
        }
        true => {
            let done = buckets.iter().filter(|one| one.settle.done).count();
            (Stage::Comparing, done as u64, buckets.len() as u64)
        }
    };
    let files = (0..gathers.len()).map(|place| run.gather_file(place));
    let files = files.chain((0..buckets.len()).map(|place| run.bucket_file(place)));
    let saved = files.chain([STATE.to_owned()]);
    let saved = saved.filter_map(|name| folder.saved_at(&name)).max();
    let millis = saved.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let millis = millis.and_then(|since| i64::try_from(since.as_millis()).ok());
    Ok(Some(RunStatus {
        kind: run.kind(),
        only: run.plan.only,
        begun: run.begun,
        saved: millis.and_then(Timestamp::from_millis),
        owner,
        stage,
        done,
        total,
        summary: summary(&gathers, buckets),
    }))
}
