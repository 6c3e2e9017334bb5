//! `waybill rebuild`: corrects rows that differ from what follows from the events.

use domain::AggregateId;
use operator::{
    Kind, OperatorError,
    rows::{Rebuilt, rebuild_one},
};
use serde_json::json;

use super::{
    Failed, Outcome, arguments,
    print::{number_of, print_json, print_line},
    target::Target,
    whole::{OF_ALL, Whole, read_costs},
};

/// Which rows are rebuilt, and how
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 where every row is what follows from the events, 3 where a history cannot be read, 1 where
nothing was done: the named order or shipment has no events and no rows, the question was answered with
no, or the command could not be carried out.")]
pub(crate) struct RebuildArgs {
    /// One order or shipment: `order#<orderId>` or `shipment#<shipmentId>`; without it, all of
    /// them. The options of a run over all of them cannot be combined with it
    #[arg(value_name = "AGGREGATE", conflicts_with_all = OF_ALL, value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    target: Target,
}

/// Rebuilds one order or shipment, or all of them.
pub(super) async fn run(args: RebuildArgs) -> Result<Outcome, Failed> {
    let environment = args.target.reach().await?;
    if let Some(id) = &args.aggregate {
        return match rebuild_one(&environment, id).await {
            Ok(rebuilt) => one(id, rebuilt, args.target.json),
            Err(OperatorError::Corrupt(reason)) => {
                eprintln!("waybill: {id} cannot be rebuilt: {reason}");
                if args.target.json {
                    print_json(&json!({ "aggregate": id, "refused": reason }))?;
                }
                Ok(Outcome::Wrong)
            }
            Err(failed) => Err(failed.into()),
        };
    }
    let whole = &args.whole;
    let done = whole.run(&environment, &args.target, Kind::Rebuild, 0);
    let Some(done) = done.await? else {
        return Ok(Outcome::Well);
    };
    let all = &done.counted;
    match args.target.json {
        true => print_json(&done)?,
        false => {
            print_line(&format!(
                "{} compared: {} written, {} removed",
                number_of(all.aggregates, "order or shipment"),
                number_of(all.written, "row"),
                all.removed,
            ));
            print_line(&read_costs(&done));
            if all.unreadable > 0 {
                print_line(&format!(
                    "{} cannot be folded, and no row of them was touched: `waybill verify` names them",
                    number_of(all.unreadable, "history"),
                ));
            }
        }
    }
    Ok(Outcome::wrong_if(all.unreadable > 0))
}

fn one(id: &AggregateId, rebuilt: Rebuilt, json: bool) -> Result<Outcome, Failed> {
    let Rebuilt { written, removed } = rebuilt;
    match json {
        true => print_json(&json!({ "written": written, "removed": removed }))?,
        false => {
            let written = number_of(written, "row");
            print_line(&format!("{id}: {written} written, {removed} removed"));
        }
    }
    Ok(Outcome::Well)
}
