//! `waybill retry`: resumes parked orders and shipments, and retries dead letters.

use domain::AggregateId;
use operator::{
    limits::MESSAGE_HIDDEN,
    retry::{self, Group, Preview, Report, Selection},
};

use super::{
    Failed, Outcome, arguments,
    bars::Bars,
    print::{number_of, print_json, print_line},
    target::Target,
};

/// What is retried
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is retried, in this order:
  parked        orders and shipments at which a consumer has stopped: their rows are rebuilt, or their
                notifications are sent, beginning with the event at which it has stopped
  stream        objects in the bucket of dead letters: batches that a consumer of the stream has failed
                to handle
  message       messages in the queue of dead letters: events of the bus, orders and files that a
                function has failed to handle. The function is invoked with them again
Whatever succeeds is removed, and only then: this may be stopped at any moment and started again.
A message that is in the queue more than once, since it was delivered more than once, counts once: its
copies are removed or stay with it. Messages that another retry has received, even one that was stopped,
are hidden from this one for up to 16 minutes, and those that arrive meanwhile are not yet due: both are
counted, and left to the next retry. The time is the environment's, not this machine's.
To retry twice has no second effect; a notification may be sent twice, with the same id. What does not
succeed stays, with the reason. An event that a function refuses for good is sent to the queue again, and
so is its mail: find its sender, or `waybill dead-letters --discard` it.

Examples:
  waybill retry --dry-run --env prod
  waybill retry --local
  waybill retry order#ORD-1 --consumer notify --env prod
  waybill retry --only dead-letters --env prod --json
  waybill retry --role bus --reason unavailable --env prod

Ends with 0 where nothing is left, 3 where something stays, is hidden or not yet due, 1 where it could
not be carried out.")]
pub(crate) struct RetryArgs {
    /// Only what is parked of this order or shipment: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// Only what this consumer of the stream has parked or failed to handle
    #[arg(long, value_enum)]
    consumer: Option<Consumer>,

    /// Only what is parked, or only the dead letters
    #[arg(long, value_enum)]
    only: Option<Category>,

    /// With --reason: only what this consumer or function has stopped at or failed to handle, such as
    /// `bus`; an empty text where nothing says which one it was
    #[arg(long, requires = "reason")]
    role: Option<String>,

    /// With --role: only what is stuck for this reason, by its code, such as `unavailable`; an empty
    /// text where nothing says why
    #[arg(long, requires = "role")]
    reason: Option<String>,

    /// Print what there is to retry, and do nothing
    #[arg(long, conflicts_with_all = ["role", "reason"])]
    dry_run: bool,

    #[command(flatten)]
    target: Target,
}

/// A consumer of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Consumer {
    /// The function that writes rows
    Project,
    /// The function that sends notifications
    Notify,
}

impl From<Consumer> for retry::Consumer {
    fn from(consumer: Consumer) -> Self {
        match consumer {
            Consumer::Project => Self::Project,
            Consumer::Notify => Self::Notify,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Category {
    /// Parked orders and shipments
    Parked,
    /// Dead letters
    DeadLetters,
}

impl From<Category> for retry::Category {
    fn from(only: Category) -> Self {
        match only {
            Category::Parked => Self::Parked,
            Category::DeadLetters => Self::DeadLetters,
        }
    }
}

/// Retries what the arguments select.
pub(super) async fn run(args: RetryArgs) -> Result<Outcome, Failed> {
    let selection = Selection {
        aggregate: args.aggregate,
        consumer: args.consumer.map(Into::into),
        category: args.only.map(Into::into),
        group: group(args.role, args.reason),
    };
    selection.check()?;
    let (environment, json) = (args.target.reach().await?, args.target.json);
    if args.dry_run {
        let preview = retry::preview(&environment, &selection).await?;
        match json {
            true => print_json(&preview)?,
            false => previewed(&preview).iter().for_each(|line| print_line(line)),
        }
        return Ok(Outcome::wrong_if(preview.is_wrong()));
    }
    let bars = Bars::printing_results(!json);
    let report = retry::all(&environment, &selection, &bars).await?;
    match json {
        true => print_json(&report)?,
        false => reported(&report).iter().for_each(|line| print_line(line)),
    }
    Ok(Outcome::wrong_if(report.is_wrong()))
}

/// The group of what is stuck for one reason, where both are named. An empty text is what nothing says.
fn group(role: Option<String>, reason: Option<String>) -> Option<Group> {
    let (role, reason) = (role?, reason?);
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(Group {
        role: said(role),
        reason: said(reason),
    })
}

/// A preview as lines for a person.
fn previewed(preview: &Preview) -> Vec<String> {
    let parked = preview.parked.iter();
    let parked = parked.map(|one| format!("parked  {} {}", one.consumer, one.aggregate));
    let mut lines: Vec<String> = parked.collect();
    let or_more = if preview.more_objects { " or more" } else { "" };
    lines.push(format!(
        "{} parked, {}{or_more} of the stream, {} of the bus and of files",
        preview.parked.len(),
        number_of(preview.objects, "object"),
        number_of(preview.messages, "message"),
    ));
    lines.extend(hidden(preview.hidden));
    lines
}

/// The report of a retry as lines for a person.
fn reported(report: &Report) -> Vec<String> {
    let Report {
        done,
        stays,
        copies,
        not_yet_due,
        ..
    } = report;
    let mut lines = vec![match done + stays + report.left() {
        0 => "there is nothing to retry".to_owned(),
        _ => format!("{done} done, {stays} left"),
    }];
    if *copies > 0 {
        let copies = number_of(*copies, "copy");
        lines.push(format!("{copies} of these removed with them"));
    }
    lines.extend(hidden(report.hidden));
    if *not_yet_due > 0 {
        lines.push(format!(
            "{} not yet due: they came while this went on; start it again for them",
            number_of(*not_yet_due, "message")
        ));
    }
    lines
}

/// The line about messages that another reader has received; `None` where there are none.
fn hidden(hidden: u64) -> Option<String> {
    let minutes = MESSAGE_HIDDEN.as_secs() / 60;
    (hidden > 0).then(|| {
        format!(
            "{} hidden: another retry has taken them, or one that was stopped; start this again \
             when they are back, in {minutes} minutes at the most",
            number_of(hidden, "message")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_needs_both_and_an_empty_text_is_what_nobody_can_say() {
        let named =
            |role: &str, reason: &str| group(Some(role.to_owned()), Some(reason.to_owned()));
        let text = |text: &str| Some(text.to_owned());
        let of = |role, reason| Some(Group { role, reason });
        assert_eq!(
            named("bus", "unavailable"),
            of(text("bus"), text("unavailable"))
        );
        assert_eq!(named("", ""), of(None, None));
        assert_eq!(group(text("bus"), None), None);
    }

    #[test]
    fn what_is_left_says_what_to_do() {
        let nothing = reported(&Report::default());
        assert_eq!(nothing, ["there is nothing to retry"]);
        let some = reported(&Report {
            done: 2,
            copies: 1,
            hidden: 1,
            not_yet_due: 3,
            ..Report::default()
        });
        assert_eq!(some[0], "2 done, 0 left");
        assert_eq!(some[1], "1 copy of these removed with them");
        assert!(some[2].starts_with("1 message hidden"), "{some:?}");
        assert!(some[2].contains("in 16 minutes"), "{some:?}");
        assert!(some[3].starts_with("3 messages not yet due"), "{some:?}");
    }
}
