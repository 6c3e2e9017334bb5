//! Drives a run over the whole store from this machine: gathers every segment, settles every
//! bucket, and saves the state of each, so that the run can be stopped at any moment and resumed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use futures::{StreamExt, TryStreamExt, stream};
use projectors::{
    Projectors,
    rebuild::{
        finding::{Difference, Finding},
        gather::Gather,
    },
};

use super::{
    run::{Bucket, Run, summary},
    summary::Summary,
};
use crate::{
    error::OperatorError,
    folder::Folder,
    limits::{BUCKETS_AT_ONCE, FINDINGS_KEPT, STEP},
    progress::{Progress, Stage},
};

/// Reports findings and their rows to a [`Progress`], and keeps the first of each. It counts those
/// that the whole run has kept.
pub(super) struct FindingCollector {
    findings: AtomicUsize,
    differences: AtomicUsize,
    max_differences: usize,
}

impl FindingCollector {
    pub(super) fn new(findings: usize, differences: usize, max_differences: usize) -> Self {
        Self {
            findings: AtomicUsize::new(findings),
            differences: AtomicUsize::new(differences),
            max_differences,
        }
    }

    /// Reports findings, and adds them to `kept` until the run has [`FINDINGS_KEPT`].
    pub(super) fn findings(
        &self,
        found: Vec<Finding>,
        kept: &mut Vec<Finding>,
        progress: &dyn Progress,
    ) {
        for finding in found {
            progress.finds(&finding);
            if self.findings.fetch_add(1, Ordering::Relaxed) < FINDINGS_KEPT {
                kept.push(finding);
            }
        }
    }

    /// Reports a difference and adds it to `kept`, until the run has `max_differences`.
    pub(super) fn difference(
        &self,
        difference: Difference,
        kept: &mut Vec<Difference>,
        progress: &dyn Progress,
    ) {
        if self.differences.fetch_add(1, Ordering::Relaxed) < self.max_differences {
            progress.differs(&difference);
            kept.push(difference);
        }
    }
}

/// Does everything of a run that is not done yet, and returns the summary of the whole run.
pub(super) async fn finish(
    folder: &Folder,
    run: &Run,
    projectors: &Projectors,
    progress: &dyn Progress,
) -> Result<Summary, OperatorError> {
    let gathers = gather_all(folder, run, projectors, progress).await?;
    let buckets = settle_all(folder, run, projectors, progress).await?;
    Ok(summary(&gathers, buckets))
}

async fn gather_all(
    folder: &Folder,
    run: &Run,
    projectors: &Projectors,
    progress: &dyn Progress,
) -> Result<Vec<Gather>, OperatorError> {
    let all = run.gathers(folder)?;
    let items = all.iter().map(|one| one.items).sum();
    progress.begins(Stage::Gathering, items, run.items);
    let work = all.into_iter().enumerate().map(|(place, mut gather)| {
        let file = run.gather_file(place);
        async move {
            while !gather.done {
                check_stopped(progress)?;
                let (started, before) = (Instant::now(), gather.items);
                gather
                    .step(projectors, || started.elapsed() >= STEP)
                    .await?;
                progress.advances(gather.items - before);
                folder.save(&file, &gather)?;
            }
            Ok::<Gather, OperatorError>(gather)
        }
    });
    // The parallel reads are as many as one table has segments: the three tables are read one after
    // the other.
    let at_once = run.plan.segments as usize;
    let done = stream::iter(work).buffered(at_once).try_collect().await;
    progress.ends();
    done
}

async fn settle_all(
    folder: &Folder,
    run: &Run,
    projectors: &Projectors,
    progress: &dyn Progress,
) -> Result<Vec<Bucket>, OperatorError> {
    let all = run.buckets(folder)?;
    let kept = FindingCollector::new(
        all.iter().map(|one| one.findings.len()).sum(),
        all.iter().map(|one| one.differences.len()).sum(),
        run.max_differences,
    );
    let done = all.iter().filter(|one| one.settle.done).count();
    progress.begins(Stage::Comparing, done as u64, all.len() as u64);
    let work = all.into_iter().enumerate().map(|(place, bucket)| {
        let (file, kept) = (run.bucket_file(place), &kept);
        settle(folder, file, bucket, kept, projectors, progress)
    });
    let done = stream::iter(work).buffered(BUCKETS_AT_ONCE);
    let done = done.try_collect().await;
    progress.ends();
    done
}

async fn settle(
    folder: &Folder,
    file: String,
    mut bucket: Bucket,
    kept: &FindingCollector,
    projectors: &Projectors,
    progress: &dyn Progress,
) -> Result<Bucket, OperatorError> {
    if bucket.settle.done {
        return Ok(bucket);
    }
    while !bucket.settle.done {
        check_stopped(progress)?;
        let started = Instant::now();
        let Bucket {
            settle,
            findings,
            differences,
        } = &mut bucket;
        let mut on_difference = |difference| kept.difference(difference, differences, progress);
        let enough = || started.elapsed() >= STEP;
        let found = settle
            .step_reporting(projectors, enough, &mut on_difference)
            .await?;
        kept.findings(found, findings, progress);
        folder.save(&file, &bucket)?;
    }
    progress.advances(1);
    Ok(bucket)
}

fn check_stopped(progress: &dyn Progress) -> Result<(), OperatorError> {
    match progress.stopped() {
        true => Err(OperatorError::Stopped),
        false => Ok(()),
    }
}
