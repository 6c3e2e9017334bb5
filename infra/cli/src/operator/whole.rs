//! The whole store gone through: its options, its price, and the run.

use std::path::{Path, PathBuf};

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
    /// Read units a second at most, all together
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: Option<u32>,

    /// Write units a second at most, all together, counting indexes
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

/// Options that mean something only where all are gone through. With one order or shipment they are
/// refused: whoever says `--dry-run` must not find rows written.
pub(super) const OF_ALL: [&str; 7] = [
    "only",
    "segments",
    "state",
    "anew",
    "dry_run",
    "read_units",
    "write_units",
];

/// How a whole store is gone through
#[derive(Debug, clap::Args)]
pub(super) struct Whole {
    /// One read model alone: `processed-orders`, `shipment-log`, or a later generation of one that
    /// is projected beside it, such as `processed-orders-v2`; else all that are read
    #[arg(long, value_name = "READ MODEL")]
    only: Option<ReadModel>,

    /// Parts of each table that are read at the same time
    #[arg(long, default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    segments: u32,

    /// Folder for where it stands, and for digests of rows: 60 bytes for each order and
    /// shipment, twice. Whoever is stopped goes on from there by the same command
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// Begin anew, whatever was begun before
    #[arg(long)]
    anew: bool,

    #[command(flatten)]
    pub(super) limits: Limits,

    #[command(flatten)]
    pub(super) asking: Confirmation,
}

impl Whole {
    /// Goes through the whole store; `None` where somebody did not want it to.
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
        };
        // What is done is done, whether or not somebody reads of it later.
        if let Err(error) = remember_run(Path::new(STATE_FOLDER), environment.name(), &past) {
            eprintln!("waybill: this run is not remembered: {error}");
        }
        Ok(Some(summary))
    }
}

/// Prints what something would cost, for machines alone: a person has read it.
pub(super) fn print_cost(json: bool, cost: &Cost) -> Result<(), Failed> {
    match json {
        true => print_json(&json!({ "cost": cost })),
        false => Ok(()),
    }
}

/// What it has read: `1200 commits and as many rows …`.
pub(super) fn read_costs(done: &Summary) -> String {
    format!(
        "read {}: {} read units for the scans, some {} for {} examined one by one",
        number_of(done.commits, "commit"),
        done.scanned_read_units,
        done.examined_read_units,
        number_of(done.counted.examined, "aggregate"),
    )
}
