//! A run over the whole store: its options, its cost, and the run itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lambda::ReadModel;
use operator::{
    CapacityLimits, Environment, Kind,
    cost::Cost,
    folder::STATE_FOLDER,
    limits::{SEGMENTS, SEGMENTS_MAX},
    lock::LockHolder,
    rows::{Options, PastRun, Summary, WholeRun, price, remember_run},
};
use serde_json::json;

use super::{
    Failed,
    ask::{Confirmation, confirmed, priced},
    bars::{Bars, print_start},
    print::{number_of, print_json},
    target::Target,
};

/// How much capacity may be used
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Limits {
    /// Highest number of read units per second, for all parallel reads together
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: Option<u32>,

    /// Highest number of write units per second, for all parallel writes together, indexes included
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    write_units: Option<u32>,
}

impl From<Limits> for CapacityLimits {
    fn from(limits: Limits) -> Self {
        let Limits {
            read_units,
            write_units,
        } = limits;
        Self {
            read_units,
            write_units,
        }
    }
}

/// The options that have a meaning only in a run over all orders and shipments. With a single one
/// they are refused: a command with `--dry-run` must not write rows.
pub(super) const OF_ALL: [&str; 7] = [
    "only",
    "segments",
    "state",
    "anew",
    "dry_run",
    "read_units",
    "write_units",
];

/// The options of a run over the whole store
#[derive(Debug, clap::Args)]
pub(super) struct Whole {
    /// Only this read model: `processed-orders`, `shipment-log`, or a later generation that is
    /// projected in addition, such as `processed-orders-v2`; without it, all that queries use
    #[arg(long, value_name = "READ MODEL")]
    only: Option<ReadModel>,

    /// Number of parts of each table that are read in parallel
    #[arg(long, default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    segments: u32,

    /// Folder for the state of the run and for digests of rows: 60 bytes for each order and
    /// shipment, twice. A run that is stopped is resumed by the same command
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// Begin from the start, even where an unfinished run could be resumed
    #[arg(long)]
    anew: bool,

    #[command(flatten)]
    pub(super) limits: Limits,

    #[command(flatten)]
    pub(super) asking: Confirmation,
}

impl Whole {
    /// Runs over the whole store; `None` for a dry run.
    pub(super) async fn run(
        &self,
        environment: &Environment,
        target: &Target,
        kind: Kind,
        max_differences: usize,
    ) -> Result<Option<Summary>, Failed> {
        let cost = price(environment, self.only).await?;
        let told = format!(
            "{}, and more for each order or shipment that differs",
            priced(&cost)
        );
        if !confirmed(self.asking, &told)? {
            print_cost(target.json, &cost)?;
            return Ok(None);
        }
        let options = Options {
            kind,
            only: self.only,
            segments: self.segments,
            folder: target.state(self.state.as_ref(), kind.name()),
            anew: self.anew,
            limits: self.limits.into(),
            max_differences,
        };
        let run = WholeRun::begin(environment, &options).await?;
        print_start(run.start());
        let begun = run.begun();
        let summary = run.finish(&Bars::default()).await?;
        let past = PastRun {
            kind,
            only: self.only,
            begun,
            ended: environment.now(),
            by: LockHolder::this_process().command,
            summary: summary.clone(),
            mended: BTreeMap::new(),
        };
        // The run is done, even where it cannot be remembered.
        if let Err(error) = remember_run(Path::new(STATE_FOLDER), environment.name(), &past) {
            eprintln!("waybill: this run is not remembered: {error}");
        }
        Ok(Some(summary))
    }
}

/// Prints the cost of an operation as JSON, for programs; a person has already read it on standard
/// error.
pub(super) fn print_cost(json: bool, cost: &Cost) -> Result<(), Failed> {
    match json {
        true => print_json(&json!({ "cost": cost })),
        false => Ok(()),
    }
}

/// What a run has read, and the read units that it has used: `read 1200 commits: …`.
pub(super) fn read_costs(done: &Summary) -> String {
    format!(
        "read {}: {} read units for the scans, some {} for {} examined one by one",
        number_of(done.commits, "commit"),
        done.scanned_read_units,
        done.examined_read_units,
        number_of(done.counted.examined, "aggregate"),
    )
}
