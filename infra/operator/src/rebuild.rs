//! `waybill rebuild`: rows made what follows from the events, where they differ.

use std::path::PathBuf;

use domain::AggregateId;
use lambda::{ReadModel, read_models::Kind};
use projectors::rebuild::{self, RebuildError, Rebuilt, settle::Counted, task::Plan};
use serde_json::json;

use crate::{
    arguments,
    cost::{Asking, go_on, priced, size},
    drive::{Drive, Finished},
    folder::{Folder, usual},
    limits::{BUCKETS_LEAST, ITEMS_PER_BUCKET, SEGMENTS, SEGMENTS_MAX},
    outcome::{OperatorError, Outcome, counted, say, say_json},
    target::{Environment, Limits, Target},
};

/// Which rows, and how
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 where every row is what follows from the events, 3 where a history cannot be read, 1 where
nothing was done: the one that was named has no events and no rows, somebody did not want it, or it
could not be carried out.")]
pub struct RebuildArgs {
    /// One order or shipment: `order#<orderId>` or `shipment#<shipmentId>`; all of them without it.
    /// With one, no option says how, or whether, all are gone through
    #[arg(value_name = "AGGREGATE", conflicts_with_all = OF_ALL, value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    target: Target,
}

/// Options that mean something only where all are gone through. With one order or shipment they are
/// refused: whoever says `--dry-run` must not find rows written.
pub(crate) const OF_ALL: [&str; 7] = [
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
pub(crate) struct Whole {
    /// One read model alone: `processed-orders`, `shipment-log`, or a later generation of one that
    /// is projected beside it, such as `processed-orders-v2`; else all that are read
    #[arg(long, value_name = "READ MODEL")]
    pub(crate) only: Option<ReadModel>,

    /// Parts of each table that are read at the same time
    #[arg(long, default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    pub(crate) segments: u32,

    /// Folder for where it stands, and for digests of rows: 60 bytes for each order and
    /// shipment, twice. Whoever is stopped goes on from there by the same command
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,

    /// Begin anew, whatever was begun before
    #[arg(long)]
    pub(crate) anew: bool,

    #[command(flatten)]
    pub(crate) limits: Limits,

    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Rebuilds.
pub(crate) async fn run(args: RebuildArgs) -> Result<Outcome, OperatorError> {
    let environment = args.target.reach().await?;
    if let Some(id) = args.aggregate {
        return one(environment, &id, args.target.json).await;
    }
    let Some(done) = whole(environment, &args.whole, &args.target, true).await? else {
        return Ok(Outcome::Well);
    };
    let all = &done.counted;
    match args.target.json {
        true => say_json(&result(&done))?,
        false => {
            say(&format!(
                "{} compared: {} written, {} removed",
                counted(all.aggregates, "order or shipment")
                    .replace("order or shipments", "orders and shipments"),
                counted(all.written, "row"),
                all.removed,
            ));
            say(&used(&done));
            if all.unreadable > 0 {
                say(&format!(
                    "{} cannot be folded, and no row of them was touched: `waybill verify` names them",
                    counted(all.unreadable, "history").replace("historys", "histories"),
                ));
            }
        }
    }
    Ok(Outcome::wrong_if(all.unreadable > 0))
}

async fn one(
    environment: Environment,
    id: &AggregateId,
    json: bool,
) -> Result<Outcome, OperatorError> {
    let rebuilt = match rebuild::aggregate(&environment.projectors, id).await {
        Err(RebuildError::Corrupt(reason)) => {
            eprintln!("waybill: {id} cannot be rebuilt: {reason}");
            return Ok(Outcome::Wrong);
        }
        rebuilt => rebuilt?,
    };
    // Rows of what was never there are removed; without any, somebody has mistyped an id.
    if rebuilt == Rebuilt::default() {
        environment.has_events(id).await?;
    }
    match json {
        true => say_json(&json!({ "written": rebuilt.written, "removed": rebuilt.removed }))?,
        false => say(&format!(
            "{id}: {} written, {} removed",
            counted(rebuilt.written, "row"),
            rebuilt.removed
        )),
    }
    Ok(Outcome::Well)
}

/// Goes through the whole store; `None` where somebody did not want it to.
pub(crate) async fn whole(
    mut environment: Environment,
    whole: &Whole,
    target: &Target,
    mend: bool,
) -> Result<Option<Finished>, OperatorError> {
    environment.projectors_of(whole.only)?;
    let (mut items, mut units, mut largest) = (0, 0, 0);
    for table in tables(&environment, whole.only) {
        let size = size(&environment, &table).await?;
        items += size.items;
        units += size.scan_units();
        largest = largest.max(size.items);
    }
    let now = environment.projectors.clock.now();
    let buckets = u32::try_from(largest / ITEMS_PER_BUCKET).unwrap_or(u32::MAX);
    let plan = Plan {
        run: uuid::Uuid::new_v4().to_string(),
        segments: whole.segments,
        buckets: buckets.clamp(BUCKETS_LEAST, projectors::limits::BUCKETS_MAX),
        mend,
        only: whole.only,
    };
    let cost = format!(
        "{}, and more for each order or shipment that differs",
        priced(units)
    );
    if !go_on(whole.asking, &cost)? {
        return Ok(None);
    }
    let of = environment.identity();
    let kind = if mend { "rebuild" } else { "verify" };
    let path = whole.state.clone();
    let folder = Folder::open(&path.unwrap_or_else(|| usual(kind, &target.env)))?;
    let (drive, goes_on) = Drive::begin(folder.clone(), &of, plan, now.to_string(), whole.anew)?;
    if goes_on {
        eprintln!("going on with what was begun at {}", drive.begun());
    }
    environment.working_in(folder, whole.limits);
    let projectors = environment.projectors_of(whole.only)?;
    let finished = drive.finish(&projectors, items).await?;
    Ok(Some(finished))
}

/// The tables that are read.
fn tables(environment: &Environment, only: Option<ReadModel>) -> Vec<String> {
    let read = &environment.settings.read_models;
    let models = match only {
        Some(model) => vec![model],
        None => vec![
            read.read(Kind::ProcessedOrders),
            read.read(Kind::ShipmentLog),
        ],
    };
    let models = models
        .into_iter()
        .map(|model| environment.names.of(&model.to_string()));
    std::iter::once(environment.names.events())
        .chain(models)
        .collect()
}

/// What it has read: `1200 commits and as many rows …`.
pub(crate) fn used(done: &Finished) -> String {
    let scanned = done.scanned_half_units.div_ceil(2);
    let examined = done.counted.half_units.div_ceil(2);
    format!(
        "read {}: {scanned} read units for the scans, some {examined} for {} examined one by one",
        counted(done.commits, "commit"),
        counted(done.counted.examined, "aggregate"),
    )
}

/// What came of it, for machines.
pub(crate) fn result(done: &Finished) -> serde_json::Value {
    let Counted { half_units, .. } = done.counted;
    json!({
        "commits": done.commits,
        "counted": done.counted,
        "scannedReadUnits": done.scanned_half_units.div_ceil(2),
        "examinedReadUnits": half_units.div_ceil(2),
        "findings": done.findings,
    })
}
