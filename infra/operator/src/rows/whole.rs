//! The whole store: the cost of a run over it, and the run.

use std::{path::PathBuf, sync::Arc};

use domain::Timestamp;
use lambda::{ReadModel, read_models::Kind as ModelKind};
use projectors::{Projectors, task::Plan};

use super::{
    drive,
    run::Run,
    summary::{Kind, Summary},
};
use crate::{
    cost::{Cost, Size, size},
    environment::{CapacityLimits, Environment},
    error::OperatorError,
    folder::{Folder, STATE, Start, started},
    limits::{
        BUCKETS_MIN, DIFFERENCES_KEPT_MAX, ITEMS_PER_BUCKET, RESUMED_WITHIN, SEGMENTS, SEGMENTS_MAX,
    },
    lock::Lock,
    progress::Progress,
};

/// The options of a run over the whole store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether it verifies or rebuilds.
    pub kind: Kind,
    /// The only read model of the run, which may be one that queries do not use yet. Without it the
    /// run is over all that queries use.
    pub only: Option<ReadModel>,
    /// The number of parts of each table that are read in parallel, 1 to
    /// [`SEGMENTS_MAX`].
    pub segments: u32,
    /// The folder that keeps the state of the run, with 60 bytes of digests for each order and
    /// shipment, twice. [`run_folder`](crate::folder::run_folder) returns the default one.
    pub folder: PathBuf,
    /// Whether to begin from the start even where the folder contains an unfinished run.
    pub anew: bool,
    /// The capacity that it may use.
    pub limits: CapacityLimits,
    /// The highest number of findings that are kept with both rows, in the folder as well; at most
    /// [`DIFFERENCES_KEPT_MAX`].
    pub max_differences: usize,
}

impl Options {
    /// The options of a command without arguments: all read models that queries use, the default
    /// number of segments, and no rows of findings.
    pub fn new(kind: Kind, folder: PathBuf) -> Self {
        Self {
            kind,
            only: None,
            segments: SEGMENTS,
            folder,
            anew: false,
            limits: CapacityLimits::default(),
            max_differences: 0,
        }
    }
}

/// The cost of a run over the whole store. Each order or shipment that differs costs something
/// more. Fails with `NotFound` where the environment has no such read model.
pub async fn price(
    environment: &Environment,
    only: Option<ReadModel>,
) -> Result<Cost, OperatorError> {
    environment.projectors_of(only)?;
    let units = sizes(environment, only).await?;
    Ok(Cost::of(units.into_iter().map(Size::scan_units).sum()))
}

/// Reads the sizes of the tables that the run reads.
async fn sizes(
    environment: &Environment,
    only: Option<ReadModel>,
) -> Result<Vec<Size>, OperatorError> {
    let mut sizes = Vec::new();
    for table in tables(environment, only) {
        sizes.push(size(environment, &table).await?);
    }
    Ok(sizes)
}

/// The full names of the tables that the run reads.
fn tables(environment: &Environment, only: Option<ReadModel>) -> Vec<String> {
    let read = &environment.settings.read_models;
    let models = match only {
        Some(model) => vec![model],
        None => vec![
            read.read(ModelKind::ProcessedOrders),
            read.read(ModelKind::ShipmentLog),
        ],
    };
    let models = models
        .into_iter()
        .map(|model| environment.names.of(&model.to_string()));
    std::iter::once(environment.names.events())
        .chain(models)
        .collect()
}

/// A run over the whole store, started or resumed. Nothing is read before [`WholeRun::finish`].
pub struct WholeRun {
    folder: Folder,
    run: Run,
    projectors: Projectors,
    start: Start,
    _lock: Lock,
}

impl WholeRun {
    /// Resumes the run in the folder, where it has the same environment, settings and build, does
    /// the same, and was started within [`RESUMED_WITHIN`]; else
    /// starts a new one. Fails with `Busy` where another process, or another run of this one, has
    /// the folder: only one run may use it at a time.
    pub async fn begin(
        environment: &Environment,
        options: &Options,
    ) -> Result<Self, OperatorError> {
        if !(1..=SEGMENTS_MAX).contains(&options.segments) {
            let text = format!("there are 1 to {SEGMENTS_MAX} segments");
            return Err(OperatorError::Usage(text));
        }
        environment.projectors_of(options.only)?;
        let sizes = sizes(environment, options.only).await?;
        let largest = sizes.iter().map(|size| size.items).max();
        let buckets = largest.unwrap_or_default() / ITEMS_PER_BUCKET;
        let buckets = u32::try_from(buckets).unwrap_or(u32::MAX);
        let plan = Plan {
            run: uuid::Uuid::new_v4().to_string(),
            segments: options.segments,
            buckets: buckets.clamp(BUCKETS_MIN, projectors::limits::BUCKETS_MAX),
            repair: options.kind == Kind::Rebuild,
            only: options.only,
        };
        let run = Run {
            of: environment.identity(),
            plan,
            begun: environment.now(),
            items: sizes.iter().map(|size| size.items).sum(),
            max_differences: options.max_differences.min(DIFFERENCES_KEPT_MAX),
        };
        let lock = Lock::take(&options.folder).await?;
        let folder = Folder::open(&options.folder)?;
        let (run, start) = begun(&folder, run, options.anew)?;
        let ledger = Arc::new(folder.clone());
        Ok(Self {
            projectors: environment.limited_projectors(
                options.only,
                options.limits,
                Some(ledger),
            )?,
            folder,
            run,
            start,
            _lock: lock,
        })
    }

    /// Whether the run begins from the start or is resumed.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The time at which the run was started.
    pub fn begun(&self) -> Timestamp {
        self.run.begun
    }

    /// Does everything that is not done yet, and removes the folder at the end. The progress stays
    /// saved after an error and after a stop.
    pub async fn finish(self, progress: &dyn Progress) -> Result<Summary, OperatorError> {
        let summary = drive::finish(&self.folder, &self.run, &self.projectors, progress).await?;
        self.folder.remove()?;
        Ok(summary)
    }
}

/// The run to work on, and how it starts: the run in the folder where it may be resumed, else
/// `planned`, which is saved there.
fn begun(folder: &Folder, planned: Run, anew: bool) -> Result<(Run, Start), OperatorError> {
    let known: Option<Run> = match anew {
        true => None,
        false => folder.load(STATE)?,
    };
    let same = |known: &Run| {
        // A store that has grown would get more buckets now; the run keeps the number that it has.
        let as_this = Plan {
            run: known.plan.run.clone(),
            buckets: known.plan.buckets,
            ..planned.plan.clone()
        };
        known.of == planned.of && known.plan == as_this
    };
    let known = known.filter(same);
    let start = started(
        known.as_ref().map(|run| run.begun),
        planned.begun,
        Some(RESUMED_WITHIN),
    );
    if let (Some(known), Start::Resumed { .. }) = (known, start) {
        return Ok((known, start));
    }
    folder.clear()?;
    folder.save(STATE, &planned)?;
    Ok((planned, start))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(name: &str, buckets: u32, mend: bool, hours: i64) -> Run {
        Run {
            of: "here".to_owned(),
            plan: Plan {
                run: name.to_owned(),
                segments: 2,
                buckets,
                repair: mend,
                only: None,
            },
            begun: Timestamp::from_millis(hours * 3_600_000).unwrap(),
            items: 0,
            max_differences: 0,
        }
    }

    fn folder() -> (PathBuf, Folder) {
        let name = format!("waybill-whole-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let folder = Folder::open(&path).unwrap();
        (path, folder)
    }

    #[test]
    fn a_run_goes_on_in_a_store_that_has_grown() {
        let (path, folder) = folder();
        let (_, start) = begun(&folder, run("first", 16, true, 0), false).unwrap();
        assert_eq!(start, Start::Anew);
        let (known, start) = begun(&folder, run("second", 17, true, 1), false).unwrap();
        assert!(
            matches!(start, Start::Resumed { seconds: 3_600, .. }),
            "{start:?}"
        );
        let buckets = known.buckets(&folder).unwrap().len();
        assert_eq!((known.plan.run.as_str(), buckets), ("first", 16));
        // A run that does something else begins from the start.
        let (_, start) = begun(&folder, run("third", 17, false, 1), false).unwrap();
        assert_eq!(start, Start::Anew);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn what_was_begun_too_long_ago_is_begun_anew_and_that_is_said() {
        let (path, folder) = folder();
        begun(&folder, run("first", 16, true, 0), false).unwrap();
        let (_, start) = begun(&folder, run("second", 16, true, 24), false).unwrap();
        assert!(matches!(start, Start::Resumed { .. }), "{start:?}");
        let (known, start) = begun(&folder, run("third", 16, true, 25), false).unwrap();
        assert!(
            matches!(
                start,
                Start::TooOld {
                    seconds: 90_000,
                    ..
                }
            ),
            "{start:?}"
        );
        assert_eq!(known.plan.run, "third");
        // From then on this is the run that is resumed.
        let (known, _) = begun(&folder, run("fourth", 16, true, 26), false).unwrap();
        assert_eq!(known.plan.run, "third");
        std::fs::remove_dir_all(&path).unwrap();
    }
}
