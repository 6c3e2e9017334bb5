//! `waybill announce`: notifications are sent again, with the same ids.

use std::path::PathBuf;

use domain::{AggregateId, Timestamp};
use operator::{
    Environment, OperatorError,
    announce::{self, PeriodOptions, PeriodReport, PeriodRun, period_price},
    limits::{SEGMENTS, SEGMENTS_MAX},
};
use serde_json::json;

use super::{
    Failed, Outcome, arguments,
    ask::{Confirmation, confirmed, priced},
    bars::{Bars, print_start},
    print::{number_of, print_json, print_line},
    target::Target,
    whole::print_cost,
};

/// Which events are announced
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
For consumers that have missed messages: events go to the bus, alerts to the topic, as they did the
first time. They have the same ids, so a consumer that has received one already recognises it.
The commits of a period are found by reading all commits once; the cost is shown first. A run that was
stopped is resumed by the same command; a message may be sent twice then.

Examples:
  waybill announce order#ORD-1 --local
  waybill announce shipment/SHIP-1 --from-sequence 7 --env prod
  waybill announce --from 2026-03-01T08:00:00Z --to 2026-03-01T09:30:00Z --dry-run --env prod
  waybill announce --from 2026-03-01 --to 2026-03-02 --read-units 500 --yes --env prod

Ends with 0 where everything is announced, 3 where something cannot be announced, 1 where the command
was not carried out.",
    group = clap::ArgGroup::new("which").required(true).args(["aggregate", "from"])
)]
pub(crate) struct AnnounceArgs {
    /// All events of one order or shipment: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// From the first commit on whose first event is this one or a later one
    #[arg(long, value_name = "N", default_value_t = 1, requires = "aggregate", value_parser = clap::value_parser!(u64).range(1..))]
    from_sequence: u64,

    /// Begin of a period, in ISO 8601 or as a day: commits of this time or later are announced
    #[arg(long, value_name = "TIME", requires = "to", value_parser = arguments::time)]
    from: Option<Timestamp>,

    /// End of the period: commits before this time are announced
    #[arg(long, value_name = "TIME", requires = "from", value_parser = arguments::time)]
    to: Option<Timestamp>,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    asking: Confirmation,

    #[command(flatten)]
    target: Target,
}

/// The options of a run over the whole store.
#[derive(Debug, clap::Args)]
struct Whole {
    /// Number of parts of the store that are read in parallel
    #[arg(long, default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    segments: u32,

    /// Highest number of read units per second
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: Option<u32>,

    /// Folder for the state of the run
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// Begin from the start, even where an unfinished run could be resumed
    #[arg(long)]
    anew: bool,
}

/// Announces one order or shipment, or a period.
pub(super) async fn run(args: AnnounceArgs) -> Result<Outcome, Failed> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        let options = PeriodOptions {
            from,
            to,
            segments: args.whole.segments,
            folder: args.target.state(args.whole.state.as_ref(), "announce"),
            anew: args.whole.anew,
            read_units: args.whole.read_units,
        };
        options.check()?;
        let environment = args.target.reach().await?;
        return time(&environment, &args, &options).await;
    }
    let environment = args.target.reach().await?;
    match &args.aggregate {
        Some(id) => one(&environment, &args, id).await,
        None => Err(OperatorError::Usage(
            "name an order or shipment, or a period by --from and --to".to_owned(),
        )
        .into()),
    }
}

async fn one(
    environment: &Environment,
    args: &AnnounceArgs,
    id: &AggregateId,
) -> Result<Outcome, Failed> {
    let (from, json) = (args.from_sequence, args.target.json);
    let what = format!("announces {id} from event {from} on, at the price of reading its history");
    if !confirmed(args.asking, &what)? {
        if json {
            print_json(&announce::preview(environment, id, from).await?)?;
        }
        return Ok(Outcome::Well);
    }
    let announced = match announce::one(environment, id, from).await {
        Err(OperatorError::Corrupt(reason)) => {
            let refused = json!({ "aggregate": id, "refused": reason });
            match json {
                true => print_json(&refused)?,
                false => print_line(&format!("{id} cannot be announced to its end: {reason}")),
            }
            return Ok(Outcome::Wrong);
        }
        announced => announced?,
    };
    match json {
        true => print_json(&announced)?,
        false => print_line(&format!(
            "{id} is announced up to event {}",
            announced.to_sequence
        )),
    }
    Ok(Outcome::Well)
}

async fn time(
    environment: &Environment,
    args: &AnnounceArgs,
    options: &PeriodOptions,
) -> Result<Outcome, Failed> {
    let cost = period_price(environment).await?;
    let told = format!(
        "{}, and a message or two for each commit of that time",
        priced(&cost)
    );
    if !confirmed(args.asking, &told)? {
        print_cost(args.target.json, &cost)?;
        return Ok(Outcome::Well);
    }
    let run = PeriodRun::begin(environment, options).await?;
    print_start(run.start());
    let report = run.finish(&Bars::default()).await?;
    match args.target.json {
        true => print_json(&report)?,
        false => print_line(&reported(&report)),
    }
    Ok(Outcome::wrong_if(report.refused > 0))
}

fn reported(report: &PeriodReport) -> String {
    let refused = match report.refused {
        0 => String::new(),
        refused => format!(
            "; {refused} cannot be read, or announced: `waybill parked` and `waybill history` say more"
        ),
    };
    format!(
        "{} of {} announced, by {}{refused}; {} read units",
        report.commits,
        number_of(report.read, "commit"),
        number_of(report.messages, "message"),
        report.read_units,
    )
}
