//! What was committed in a time, announced once more. The commits are found by reading all of them.

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

/// What of a time is announced, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodOptions {
    /// What was committed at this time or later
    pub from: Timestamp,
    /// and before this.
    pub to: Timestamp,
    /// Parts of the store that are read at the same time, 1 to
    /// [`SEGMENTS_MAX`](crate::limits::SEGMENTS_MAX).
    pub segments: u32,
    /// Where it is kept how far it is; [`run_folder`](crate::folder::run_folder) says where commands keep it.
    pub folder: PathBuf,
    /// Begin anew, whatever was begun before in that folder?
    pub anew: bool,
    /// Read units a second at most; without it the environment's own limit counts.
    pub read_units: Option<u32>,
}

impl PeriodOptions {
    /// An error where they contradict themselves, or a number is out of its bounds.
    pub fn check(&self) -> Result<(), OperatorError> {
        let Self { from, to, .. } = self;
        if from >= to {
            let text = format!("nothing is of {from} or later and before {to}");
            return Err(OperatorError::Usage(text));
        }
        if !(1..=SEGMENTS_MAX).contains(&self.segments) {
            let text = format!("there are 1 to {SEGMENTS_MAX} segments");
            return Err(OperatorError::Usage(text));
        }
        Ok(())
    }
}

/// What came of announcing a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodReport {
    /// Commits that were read.
    pub read: u64,
    /// Those of them that are of the time.
    pub commits: u64,
    /// Messages that were accepted.
    pub messages: u64,
    /// Orders and shipments with a commit that cannot be read, or a message that will never be
    /// accepted.
    pub refused: u64,
    /// What reading has cost, in read units.
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

/// What finding the commits of a time costs, whichever time; a message or two for each commit of it
/// are not counted.
pub async fn period_price(environment: &Environment) -> Result<Cost, OperatorError> {
    let size = size(environment, &environment.names.events()).await?;
    Ok(Cost::of(size.scan_units()))
}

/// A run over the whole store, as its folder keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    /// Which environment it is of.
    of: String,
    /// When it was begun.
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

    /// Does it do the same, however far it has come?
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

/// Announcing a time, begun or gone on with. Nothing is sent before [`PeriodRun::finish`].
pub struct PeriodRun {
    folder: Folder,
    run: Run,
    projectors: Projectors,
    /// About how many commits there are.
    items: u64,
    start: Start,
    _lock: Lock,
}

impl PeriodRun {
    /// Goes on with the run in the folder, where there is one of the same environment and the same
    /// time; else begins anew. One folder takes one run at a time: `Busy` where somebody has it.
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

    /// Does it begin anew, or go on?
    pub fn start(&self) -> Start {
        self.start
    }

    /// Announces all that is not done; the folder is removed at the end. On any error, and where
    /// somebody stops it, what is done stays written down; a message may then be sent twice, with
    /// the same id.
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

/// Goes through a segment to its end, and writes down where it stands.
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
