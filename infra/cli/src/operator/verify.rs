//! `waybill verify`: compares every row with the fold of its history, and every history with its
//! rows.

use domain::AggregateId;
use operator::{
    Kind,
    limits::DIFFERENCES_KEPT_MAX,
    rows::{Difference, Finding, Summary, sample_price, verify_one, verify_sample},
};

use super::{
    Failed, Outcome, arguments,
    ask::{confirmed, priced},
    bars::Bars,
    print::{number_of, print_json, print_line},
    target::Target,
    whole::{OF_ALL, Whole, print_cost, read_costs},
};

/// Which rows are compared, and how
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 where every row that was compared is as it should be (a sample says nothing of the other
rows), 3 where any is not, 1 where nothing was compared: there are no events, the question was answered
with no, or the command could not be carried out to its end.")]
pub(crate) struct VerifyArgs {
    /// One order or shipment: `order#<orderId>` or `shipment#<shipmentId>`; without it, all of
    /// them. The options of a run over all of them cannot be combined with it
    #[arg(value_name = "AGGREGATE", conflicts_with_all = OF_ALL, value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// Compare a sample only: the store is divided into this number of parts, and one of them is
    /// chosen at random
    #[arg(long, value_name = "PARTS", conflicts_with_all = ["aggregate", "only", "segments", "state", "anew"], value_parser = clap::value_parser!(u32).range(2..))]
    one_of: Option<u32>,

    /// Also show the row as it is and as it should be, of this number of findings; rows contain
    /// what customers have sent
    #[arg(long, value_name = "FINDINGS", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(0..=DIFFERENCES_KEPT_MAX as i64))]
    rows: u32,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    target: Target,
}

/// Compares one order or shipment, a sample, or all of them.
pub(super) async fn run(args: VerifyArgs) -> Result<Outcome, Failed> {
    let (environment, json) = (args.target.reach().await?, args.target.json);
    let max_differences = args.rows as usize;
    let done = match (&args.aggregate, args.one_of) {
        (Some(id), _) => {
            let (summary, unreadable) = verify_one(&environment, id, max_differences).await?;
            if let Some(reason) = unreadable {
                eprintln!("waybill: {id} cannot be compared: {reason}");
            }
            summary
        }
        (None, Some(parts)) => {
            let cost = sample_price(&environment, parts).await?;
            if !confirmed(args.whole.asking, &format!("at most {}", priced(&cost)))? {
                print_cost(json, &cost)?;
                return Ok(Outcome::Well);
            }
            let limits = args.whole.limits.into();
            verify_sample(
                &environment,
                parts,
                limits,
                max_differences,
                &Bars::default(),
            )
            .await?
        }
        (None, None) => {
            let whole = &args.whole;
            match whole
                .run(&environment, &args.target, Kind::Verify, max_differences)
                .await?
            {
                Some(done) => done,
                None => return Ok(Outcome::Well),
            }
        }
    };
    if done.is_empty() {
        let nothing = "nothing was compared: there are no events";
        let whose = args.one_of.map_or("", |_| " in this part of the store");
        return Err(Failed::Nothing(format!("{nothing}{whose}")));
    }
    match json {
        true => print_json(&done)?,
        false => print(&done)?,
    }
    Ok(Outcome::wrong_if(done.counted.wrong() > 0))
}

fn print(done: &Summary) -> Result<(), Failed> {
    done.findings
        .iter()
        .for_each(|finding| print_line(&line(finding)));
    let more = done.more();
    if more > 0 {
        print_line(&format!("and {more} more"));
    }
    for difference in &done.differences {
        print_line(&both(difference)?);
    }
    print_line(&summary_line(done));
    print_line(&read_costs(done));
    Ok(())
}

/// A finding as a line.
fn line(finding: &Finding) -> String {
    let version = |version: Option<u64>| version.map_or("-".to_owned(), |it| it.to_string());
    let entry = finding.entry.as_deref().unwrap_or_default();
    format!(
        "{:<12} {:<17} {} {entry} (version {}, expected {})",
        finding.kind.to_string(),
        finding.table,
        finding.id,
        version(finding.stored),
        version(finding.expected),
    )
}

/// Both rows of a finding, as lines.
fn both(difference: &Difference) -> Result<String, Failed> {
    let row = |row: &Option<_>| match row {
        Some(row) => serde_json::to_string(row),
        None => Ok("none".to_owned()),
    };
    Ok(format!(
        "{}\n      is             {}\n      should be      {}",
        line(&difference.finding),
        row(&difference.stored)?,
        row(&difference.expected)?,
    ))
}

/// The advice where an event cannot be read: rows follow from events, so a rebuild does not help.
const UNREADABLE: &str =
    "a rebuild cannot mend an unreadable history: that takes a build that can read it";

/// The summary as a sentence.
fn summary_line(done: &Summary) -> String {
    let all = &done.counted;
    let compared = number_of(all.aggregates, "order or shipment");
    if all.wrong() == 0 {
        return format!("{compared} compared: every row is as it should be");
    }
    let rows = all.missing + all.stale + all.superfluous + all.different;
    let advice = match (rows, all.unreadable) {
        (_, 0) => "`waybill rebuild` mends them",
        (0, _) => UNREADABLE,
        _ => {
            "`waybill rebuild` mends the rows; an unreadable history takes a build that can read it"
        }
    };
    format!(
        "{compared} compared: {} missing, {} stale, {} superfluous, {} different, {} unreadable; \
         {advice}",
        all.missing, all.stale, all.superfluous, all.different, all.unreadable,
    )
}
