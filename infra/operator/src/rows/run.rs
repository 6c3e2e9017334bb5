//! What the folder of a run over the whole store keeps, and how far it is.
//!
//! ```text
//! run.json                 what the run is: written once
//! <run>/gather-00003.json  where a segment's scan stands, after each step of a second
//! <run>/settle-00012.json  where a bucket stands, with what was found in it
//! <run>/00012/…            digests of that bucket (the ledger)
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

/// What a run is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    /// Which environment it is of.
    pub(super) of: String,
    pub(super) plan: Plan,
    /// When it was begun.
    pub(super) begun: Timestamp,
    /// About how many items there are to gather.
    pub(super) items: u64,
    /// Findings that are kept with both rows.
    #[serde(rename = "sides")]
    pub(super) max_differences: usize,
}

/// Where a bucket stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) settle: Settle,
    /// The first findings.
    pub(super) findings: Vec<Finding>,
    /// Both rows of the first of them.
    pub(super) differences: Vec<Difference>,
}

impl Run {
    pub(super) fn kind(&self) -> Kind {
        match self.plan.mend {
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

    /// Where every segment stands.
    pub(super) fn gathers(&self, folder: &Folder) -> Result<Vec<Gather>, OperatorError> {
        let planned = self.plan.gather().into_iter().enumerate();
        let stands = planned.map(|(place, planned)| {
            let saved = folder.load(&self.gather_file(place))?;
            Ok(saved.unwrap_or(planned))
        });
        stands.collect()
    }

    /// Where every bucket stands.
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

/// The summary of what was gathered and settled.
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

/// How far a run over the whole store is, whether it is running, stopped or killed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunProgress {
    /// Verifying or rebuilding.
    pub kind: Kind,
    /// One read model alone; without it all that are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// When it was begun, by the environment's clock.
    pub begun: Timestamp,
    /// When it last wrote down where it stands, by this machine's clock. One that runs does so every
    /// second or two, unless a service keeps it waiting.
    pub saved: Option<Timestamp>,
    /// Who is at it now; `None` where it was stopped or killed, and can be gone on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<LockHolder>,
    /// What it is doing.
    pub stage: Stage,
    /// How much of the stage is done, in items or buckets
    pub done: u64,
    /// of about so many.
    pub total: u64,
    /// What came of it so far.
    pub summary: Summary,
}

/// How far the run in a folder is; `None` where there is none, or it has come to its end. It may be
/// asked from any process at any time.
pub fn running(folder: &Path) -> Result<Option<RunProgress>, OperatorError> {
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
    Ok(Some(RunProgress {
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
