//! Announcing all commits of a period again. The commits of the period are found by reading all
//! commits.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use projectors::{
    Projectors,
    announce::{Announce, Announced},
};
use serde::{Deserialize, Serialize};

use crate::{
    cost::{Cost, size},
    environment::{CapacityLimits, Environment},
    error::OperatorError,
    folder::{Folder, STATE, Start, started},
    limits::{SEGMENTS_MAX, STEP},
    lock::Lock,
    progress::{Progress, Stage},
};

/// Which period is announced, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodOptions {
    /// The begin of the period: commits of this time or later are announced.
    pub from: Timestamp,
    /// The end of the period: commits before this time are announced.
    pub to: Timestamp,
    /// The number of parts of the store that are read in parallel, 1 to
    /// [`SEGMENTS_MAX`].
    pub segments: u32,
    /// The folder that keeps the state of the run. [`run_folder`](crate::folder::run_folder)
    /// returns the default one.
    pub folder: PathBuf,
    /// Whether to begin from the start even where the folder contains an unfinished run.
    pub anew: bool,
    /// The highest number of read units per second. Without it the environment's own limit is used.
    pub read_units: Option<u32>,
}

impl PeriodOptions {
    /// Fails with `Usage` where the period is empty or the number of segments is out of its bounds.
    pub fn check(&self) -> Result<(), OperatorError> {
        let Self { from, to, .. } = self;
        if from >= to {
            let text = format!("the start of the period, {from}, must be before its end, {to}");
            return Err(OperatorError::Usage(text));
        }
        if !(1..=SEGMENTS_MAX).contains(&self.segments) {
            let text = format!("there are 1 to {SEGMENTS_MAX} segments");
            return Err(OperatorError::Usage(text));
        }
        Ok(())
    }
}

/// The result of announcing a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodReport {
    /// The number of commits that were read.
    pub read: u64,
    /// The number of commits in the period.
    pub commits: u64,
    /// The number of messages that were accepted.
    pub messages: u64,
    /// The number of orders and shipments with a commit that cannot be read, or with a message that
    /// will never be accepted.
    pub refused: u64,
    /// The read units that reading has used.
    pub read_units: u64,
}

impl From<Announced> for PeriodReport {
    fn from(announced: Announced) -> Self {
        Self {
            read: announced.read,
            commits: announced.commits,
            messages: announced.messages,
            refused: announced.refused,
            read_units: announced.half_units.div_ceil(2),
        }
    }
}

/// The cost of finding the commits of any period. It does not contain the one or two messages that
/// each commit of the period makes.
pub async fn period_price(environment: &Environment) -> Result<Cost, OperatorError> {
    let size = size(environment, &environment.names.events()).await?;
    Ok(Cost::of(size.scan_units()))
}

/// A run over the whole store, as its folder keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    /// The [`identity`](Environment::identity) of its environment.
    of: String,
    /// The time at which it was started.
    begun: Timestamp,
    segments: Vec<Announce>,
}

impl Run {
    fn new(
        of: String,
        begun: Timestamp,
        segments: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Self {
        let segment = |segment| Announce::new((segment, segments), from, to);
        let segments = (0..segments).map(segment).collect();
        Self {
            of,
            begun,
            segments,
        }
    }

    /// Whether both runs do the same, no matter how far each of them is.
    fn is_same(&self, other: &Self) -> bool {
        let anew = |one: &Announce| Announce::new((one.segment, one.segments), one.from, one.to);
        let plan = |run: &Self| run.segments.iter().map(anew).collect::<Vec<_>>();
        self.of == other.of && plan(self) == plan(other)
    }

    fn counted(&self) -> Announced {
        let mut all = Announced::default();
        self.segments.iter().for_each(|one| all.add(&one.counted));
        all
    }
}

/// A run that announces a period. It is started or resumed; nothing is sent before
/// [`PeriodRun::finish`].
pub struct PeriodRun {
    folder: Folder,
    run: Run,
    projectors: Projectors,
    /// The approximate number of commits in the store.
    items: u64,
    start: Start,
    _lock: Lock,
}

impl PeriodRun {
    /// Resumes the run in the folder, where it belongs to the same environment and the same period;
    /// else starts a new one. Fails with `Busy` where another run has the folder: only one run may
    /// use it at a time.
    pub async fn begin(
        environment: &Environment,
        options: &PeriodOptions,
    ) -> Result<Self, OperatorError> {
        options.check()?;
        let size = size(environment, &environment.names.events()).await?;
        let lock = Lock::take(&options.folder).await?;
        let folder = Folder::open(&options.folder)?;
        let (now, time) = (environment.now(), (options.from, options.to));
        let planned = Run::new(environment.identity(), now, options.segments, time);
        let known: Option<Run> = match options.anew {
            true => None,
            false => folder.load(STATE)?,
        };
        let known = known.filter(|known| known.is_same(&planned));
        let start = started(known.as_ref().map(|run| run.begun), now, None);
        let run = known.unwrap_or(planned);
        folder.save(STATE, &run)?;
        let limits = CapacityLimits {
            read_units: options.read_units,
            write_units: None,
        };
        Ok(Self {
            folder,
            run,
            projectors: environment.limited_projectors(None, limits, None)?,
            items: size.items,
            start,
            _lock: lock,
        })
    }

    /// Whether the run begins from the start or is resumed.
    pub fn start(&self) -> Start {
        self.start
    }

    /// Announces everything that is not done yet, and removes the folder at the end. The progress
    /// stays saved after an error and after a stop. The run that is resumed may send a message a
    /// second time, with the same id.
    pub async fn finish(self, progress: &dyn Progress) -> Result<PeriodReport, OperatorError> {
        let read = self.run.counted().read;
        progress.begins(Stage::Announcing, read, self.items);
        let (at_once, all) = (self.run.segments.len(), self.run.segments.clone());
        let run = Mutex::new(self.run);
        let (run, folder, projectors) = (&run, &self.folder, &self.projectors);
        let work = all.into_iter().enumerate();
        let work = work.map(|(place, segment)| async move {
            let save = |segment: &Announce| {
                let mut run = locked(run);
                run.segments[place] = segment.clone();
                folder.save(STATE, &*run)
            };
            finish(segment, projectors, progress, save).await
        });
        let work = stream::iter(work).map(Ok::<_, OperatorError>);
        let done = work.try_for_each_concurrent(at_once, |one| one).await;
        progress.ends();
        done?;
        let counted = locked(run).counted();
        self.folder.remove()?;
        Ok(counted.into())
    }
}

/// Announces one segment to its end, and saves its state after each step.
async fn finish(
    mut segment: Announce,
    projectors: &Projectors,
    progress: &dyn Progress,
    save: impl Fn(&Announce) -> Result<(), OperatorError>,
) -> Result<(), OperatorError> {
    while !segment.done {
        if progress.stopped() {
            return Err(OperatorError::Stopped);
        }
        let (started, before) = (Instant::now(), segment.counted.read);
        segment
            .step(projectors, || started.elapsed() >= STEP)
            .await?;
        progress.advances(segment.counted.read - before);
        save(&segment)?;
    }
    Ok(())
}

fn locked(run: &Mutex<Run>) -> MutexGuard<'_, Run> {
    run.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(of: &str, segments: u32, to: i64) -> Run {
        let time = (Timestamp::EPOCH, Timestamp::from_millis(to).unwrap());
        Run::new(of.to_owned(), Timestamp::EPOCH, segments, time)
    }

    #[test]
    fn only_a_run_that_does_the_same_goes_on() {
        let mut begun = run("dev", 2, 5);
        begun.segments[1].done = true;
        begun.segments[1].counted.read = 7;
        begun.begun = Timestamp::from_millis(7).unwrap();
        assert!(begun.is_same(&run("dev", 2, 5)));
        assert_eq!(begun.counted().read, 7);
        for other in [run("prod", 2, 5), run("dev", 3, 5), run("dev", 2, 6)] {
            assert!(!begun.is_same(&other));
        }
    }
}
