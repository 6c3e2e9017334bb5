//! Drives a whole rebuild from this machine: gathers every segment, settles every bucket, and
//! writes down where it stands, so that it can be stopped at any moment and gone on with.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use projectors::{
    Projectors,
    rebuild::{
        finding::Finding,
        gather::{Gather, Source},
        settle::{Counted, Settle},
        task::Plan,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    folder::{Folder, STATE},
    limits::{BUCKETS_AT_ONCE, FINDINGS_KEPT, STEP},
    outcome::OperatorError,
};

/// Where a run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Which environment it is of.
    pub(crate) of: String,
    pub(crate) plan: Plan,
    /// When it was begun.
    pub(crate) begun: String,
    gather: Vec<Gather>,
    settle: Vec<Settle>,
    /// The first findings.
    pub(crate) findings: Vec<Finding>,
}

/// A run in its folder.
pub(crate) struct Drive {
    folder: Folder,
    run: Mutex<Run>,
}

impl Drive {
    /// Goes on with the run in `folder`, where there is one of the same environment that does the
    /// same; else begins `plan`. Says whether it goes on.
    pub(crate) fn begin(
        folder: Folder,
        of: &str,
        plan: Plan,
        begun: String,
        anew: bool,
    ) -> Result<(Self, bool), OperatorError> {
        let known: Option<Run> = match anew {
            true => None,
            false => folder.load(STATE)?,
        };
        let same = |known: &Run| {
            // A store that grows would have more buckets by now; the run keeps those it has.
            let as_this = Plan {
                run: known.plan.run.clone(),
                buckets: known.plan.buckets,
                ..plan.clone()
            };
            known.of == of && known.plan == as_this
        };
        if let Some(run) = known.filter(same) {
            let run = Mutex::new(run);
            return Ok((Self { folder, run }, true));
        }
        folder.clear()?;
        let run = Run {
            of: of.to_owned(),
            begun,
            gather: plan.gather(),
            settle: plan.settle(),
            plan,
            findings: Vec::new(),
        };
        folder.save(STATE, &run)?;
        let run = Mutex::new(run);
        Ok((Self { folder, run }, false))
    }

    /// When it was begun.
    pub(crate) fn begun(&self) -> String {
        self.run().begun.clone()
    }

    /// Does all of it. `items` are as many as there are said to be.
    pub(crate) async fn finish(
        self,
        projectors: &Projectors,
        items: u64,
    ) -> Result<Finished, OperatorError> {
        self.gather(projectors, items).await?;
        self.settle(projectors).await?;
        let run = self.run().clone();
        let mut counted = Counted::default();
        run.settle.iter().for_each(|one| counted.add(&one.counted));
        let sum = |of: fn(&Gather) -> u64| run.gather.iter().map(of).sum::<u64>();
        let events = |gather: &&Gather| gather.source == Source::Events;
        let mut findings = run.findings;
        findings.sort_unstable();
        let finished = Finished {
            counted,
            commits: run.gather.iter().filter(events).map(|one| one.items).sum(),
            scanned_half_units: sum(|one| one.half_units),
            findings,
        };
        self.folder.remove()?;
        Ok(finished)
    }

    async fn gather(&self, projectors: &Projectors, items: u64) -> Result<(), OperatorError> {
        let all = self.run().gather.clone();
        let bar = bar(
            items,
            "gathering {wide_bar} {human_pos} of {human_len} items, {per_sec}, {eta} left",
        );
        bar.set_position(all.iter().map(|one| one.items).sum());
        bar.reset_eta();
        let work = all.into_iter().enumerate().map(|(place, mut gather)| {
            let bar = &bar;
            async move {
                while !gather.done {
                    let (started, before) = (Instant::now(), gather.items);
                    gather
                        .step(projectors, || started.elapsed() >= STEP)
                        .await?;
                    bar.inc(gather.items - before);
                    self.note(|run| run.gather[place] = gather.clone())?;
                }
                Ok::<(), OperatorError>(())
            }
        });
        let work = stream::iter(work).map(Ok::<_, OperatorError>);
        // As many as there are segments of one table: the three tables one after the other.
        let at_once = self.run().plan.segments as usize;
        let done = work.try_for_each_concurrent(at_once, |one| one).await;
        bar.finish_and_clear();
        done
    }

    async fn settle(&self, projectors: &Projectors) -> Result<(), OperatorError> {
        let all = self.run().settle.clone();
        let template = "comparing {wide_bar} {human_pos} of {human_len} buckets, {eta} left";
        let bar = bar(all.len() as u64, template);
        let work = all.into_iter().enumerate().map(|(place, mut settle)| {
            let bar = &bar;
            async move {
                while !settle.done {
                    let started = Instant::now();
                    let findings = settle
                        .step(projectors, || started.elapsed() >= STEP)
                        .await?;
                    self.note(|run| {
                        run.settle[place] = settle.clone();
                        let room = FINDINGS_KEPT.saturating_sub(run.findings.len());
                        run.findings.extend(findings.into_iter().take(room));
                    })?;
                }
                bar.inc(1);
                Ok::<(), OperatorError>(())
            }
        });
        let work = stream::iter(work).map(Ok::<_, OperatorError>);
        let done = work
            .try_for_each_concurrent(BUCKETS_AT_ONCE, |one| one)
            .await;
        bar.finish_and_clear();
        done
    }

    /// Writes down where a piece stands.
    fn note(&self, change: impl FnOnce(&mut Run)) -> Result<(), OperatorError> {
        let mut run = self.run();
        change(&mut run);
        self.folder.save(STATE, &*run)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a run.
pub(crate) struct Finished {
    pub(crate) counted: Counted,
    /// Commits that were read.
    pub(crate) commits: u64,
    /// What the scans have cost, in halves of a read unit.
    pub(crate) scanned_half_units: u64,
    /// The first findings.
    pub(crate) findings: Vec<Finding>,
}

/// A bar on standard error, where that is a terminal.
pub(crate) fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // A template that cannot be read would be a bar of another look, and no more.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_in_a_store_that_has_grown() -> Result<(), OperatorError> {
        let name = format!("waybill-drive-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let plan = |run: &str, buckets, mend| Plan {
            run: run.to_owned(),
            segments: 2,
            buckets,
            mend,
            only: None,
        };
        let begin = |plan| {
            let folder = Folder::open(&path)?;
            Drive::begin(folder, "here", plan, "now".to_owned(), false)
        };
        let (_, goes_on) = begin(plan("first", 16, true))?;
        assert!(!goes_on);
        let (drive, goes_on) = begin(plan("second", 17, true))?;
        let run = drive.run().clone();
        assert!(goes_on);
        assert_eq!((run.plan.run.as_str(), run.settle.len()), ("first", 16));
        // One that does something else begins anew.
        let (_, goes_on) = begin(plan("third", 17, false))?;
        assert!(!goes_on);
        std::fs::remove_dir_all(&path)?;
        Ok(())
    }
}
