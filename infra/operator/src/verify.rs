//! `waybill verify`: every row against the fold of its history, and every history for its rows.

use domain::AggregateId;
use projectors::{
    ports::Table,
    rebuild::{RebuildError, aggregate::examine, finding::Finding, settle::Counted, sweep::Sweep},
};

use crate::{
    arguments,
    cost::{go_on, priced, size},
    drive::Finished,
    limits::FINDINGS_KEPT,
    outcome::{OperatorError, Outcome, counted, say, say_json},
    rebuild::{OF_ALL, Whole, result, used, whole},
    target::{Environment, Target},
};

/// Which rows, and how
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 where every row that was compared is as it should be (of a sample, that says nothing of
the others), 3 where any is not, 1 where nothing was compared: there are no events, somebody did not
want it, or it could not be carried out to its end.")]
pub struct VerifyArgs {
    /// One order or shipment: `order#<orderId>` or `shipment#<shipmentId>`; all of them without it.
    /// With one, no option says how, or whether, all are gone through
    #[arg(value_name = "AGGREGATE", conflicts_with_all = OF_ALL, value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// A sample: one of so many parts of the store, by chance
    #[arg(long, value_name = "PARTS", conflicts_with_all = ["aggregate", "only", "segments", "state", "anew"], value_parser = clap::value_parser!(u32).range(2..))]
    one_of: Option<u32>,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    target: Target,
}

/// Verifies.
pub(crate) async fn run(args: VerifyArgs) -> Result<Outcome, OperatorError> {
    let environment = args.target.reach().await?;
    let done = match (&args.aggregate, args.one_of) {
        (Some(id), _) => Some(one(&environment, id).await?),
        (None, Some(parts)) => sample(environment, &args, parts).await?,
        (None, None) => whole(environment, &args.whole, &args.target, false).await?,
    };
    let Some(done) = done else {
        return Ok(Outcome::Well);
    };
    let wrong = done.counted.wrong();
    if done.counted.aggregates == 0 && wrong == 0 {
        let nothing = "nothing was compared: there are no events";
        let whose = args.one_of.map_or("", |_| " in this part of the store");
        return Err(OperatorError::Said(format!("{nothing}{whose}")));
    }
    if args.target.json {
        say_json(&result(&done))?;
    } else {
        done.findings.iter().for_each(|finding| say(&line(finding)));
        let more = wrong.saturating_sub(done.findings.len() as u64);
        if more > 0 {
            say(&format!("and {more} more"));
        }
        say(&told(&done));
        say(&used(&done));
    }
    Ok(Outcome::wrong_if(wrong > 0))
}

async fn one(environment: &Environment, id: &AggregateId) -> Result<Finished, OperatorError> {
    let (findings, half_units) = match examine(&environment.projectors, &id.to_string()).await {
        Err(RebuildError::Corrupt(reason)) => {
            eprintln!("waybill: {id} cannot be compared: {reason}");
            (vec![unreadable(id)], 0)
        }
        examined => {
            let examined = examined?;
            (examined.findings, examined.half_units)
        }
    };
    if findings.is_empty() {
        environment.has_events(id).await?;
    }
    let mut counted = Counted {
        aggregates: 1,
        half_units,
        ..Counted::default()
    };
    counted.found(&findings);
    Ok(Finished {
        counted,
        commits: 0,
        scanned_half_units: 0,
        findings,
    })
}

fn unreadable(id: &AggregateId) -> Finding {
    match id {
        AggregateId::Order(id) => Finding::unreadable(Table::ProcessedOrders, id.as_str()),
        AggregateId::Shipment(id) => Finding::unreadable(Table::ShipmentLog, id.as_str()),
    }
}

async fn sample(
    mut environment: Environment,
    args: &VerifyArgs,
    parts: u32,
) -> Result<Option<Finished>, OperatorError> {
    let names = &environment.names;
    let mut units = 0;
    for table in [
        names.events(),
        names.processed_orders(),
        names.shipment_log(),
    ] {
        let size = size(&environment, &table).await?;
        // Each aggregate's rows are looked up besides: at most two units for each.
        units += (size.scan_units() + 2 * size.items).div_ceil(u64::from(parts));
    }
    if !go_on(args.whole.asking, &format!("at most {}", priced(units)))? {
        return Ok(None);
    }
    environment.limited(args.whole.limits);
    let clock = &environment.projectors.clock;
    let chance = clock.jitter(std::time::Duration::from_millis(u64::from(parts) - 1));
    let segment = u32::try_from(chance.as_millis()).unwrap_or_default();
    let mut sweep = Sweep::new(segment, parts, false);
    let mut findings = Vec::new();
    // A step ends early where something cannot be reached. It is an error where it then comes no
    // further, so there are no more steps than there are pages.
    while !sweep.done {
        let found = sweep.step(&environment.projectors, || false).await?;
        let room = FINDINGS_KEPT.saturating_sub(findings.len());
        findings.extend(found.into_iter().take(room));
    }
    Ok(Some(Finished {
        counted: sweep.counted,
        commits: 0,
        scanned_half_units: 0,
        findings,
    }))
}

/// A finding as a line.
fn line(finding: &Finding) -> String {
    let version = |version: Option<u64>| version.map_or("-".to_owned(), |it| it.to_string());
    let entry = finding.entry.as_deref().unwrap_or_default();
    format!(
        "{:<12} {:<17} {} {entry} (version {}, expected {})",
        finding.wrong.to_string(),
        finding.table,
        finding.id,
        version(finding.there),
        version(finding.expected),
    )
}

/// What helps where an event cannot be read: rows follow from events, so no rebuild does.
const UNREADABLE: &str =
    "no rebuild mends an unreadable history: it takes a build that can read it";

/// What came of it, in a sentence.
fn told(done: &Finished) -> String {
    let Counted {
        aggregates,
        missing,
        stale,
        superfluous,
        different,
        unreadable,
        ..
    } = done.counted;
    let compared = counted(aggregates, "order or shipment");
    let compared = compared.replace("order or shipments", "orders and shipments");
    if done.counted.wrong() == 0 {
        return format!("{compared} compared: every row is as it should be");
    }
    let advice = match (missing + stale + superfluous + different, unreadable) {
        (_, 0) => "`waybill rebuild` mends them",
        (0, _) => UNREADABLE,
        _ => {
            "`waybill rebuild` mends the rows; an unreadable history takes a build that can read it"
        }
    };
    format!(
        "{compared} compared: {missing} missing, {stale} stale, {superfluous} superfluous, \
         {different} different, {unreadable} unreadable; {advice}"
    )
}
