//! `waybill parked`: lists the orders and shipments at which a consumer of the stream has stopped.

use operator::parked::{self, Parked};
use serde_json::json;

use super::{
    Failed, Outcome,
    print::{print_json, print_line},
    target::Target,
};

/// The environment whose parked orders and shipments are listed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An order or shipment is parked where one of its events cannot be projected (`project`) or announced
(`notify`): the consumer has stopped at this order or shipment, and continues with all others. Codes:
  unreadable_commit  what is stored cannot be read: damaged, or written by newer code
  unreadable_event   newer code has written an event that this code does not know
  message_refused    EventBridge or SNS will never accept a message of it
  corrupt_history    the events up to this one do not fit together, or one cannot be read
  row_refused        DynamoDB will never accept a row of it
  panic              a defect: the logs say more
Find the cause (`waybill history` shows the event), repair it, then run `waybill retry`.

Examples:
  waybill parked --local
  waybill parked --env prod --json

Ends with 0 where nothing is parked, 3 where anything is, 1 where it could not be read.")]
pub(crate) struct ParkedArgs {
    #[command(flatten)]
    target: Target,
}

/// Lists what is parked, oldest first.
pub(super) async fn run(args: ParkedArgs) -> Result<Outcome, Failed> {
    let environment = args.target.reach().await?;
    let parked = parked::all(&environment).await?;
    if args.target.json {
        print_json(&json!({ "parked": parked }))?;
    } else if parked.is_empty() {
        print_line("nothing is parked");
    } else {
        for one in &parked {
            let Parked {
                consumer,
                aggregate,
                since,
                sequence,
                code,
                ..
            } = one;
            print_line(&format!(
                "{consumer:<7}  since {since}  at event {sequence:<4}  {code:<17}  {aggregate}"
            ));
        }
        print_line(&format!("{} parked", parked.len()));
    }
    Ok(Outcome::wrong_if(!parked.is_empty()))
}
