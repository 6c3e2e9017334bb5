//! `waybill history`: every event of an order or shipment, with its cause.

use domain::{AggregateId, Timestamp};
use operator::{
    history::{History, HistoryEvent, history},
    messages::{Channel, Message},
};
use serde::Serialize;

use super::{
    Failed, Outcome, arguments,
    print::{number_of, print_json, print_line},
    target::Target,
};

/// Whose events are printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What cannot be read is shown as `unreadable`, with the reason: a commit that is damaged, an event
that newer code has written, a gap. This prints what customers have sent: do not show it to others.

Examples:
  waybill history order#ORD-1 --local
  waybill history shipment/SHIP-12345 --at 2026-03-01T08:00:00Z --env prod
  waybill history order#ORD-1 --json | jq '.events[].type'

Ends with 0; with 3 where anything is unreadable; with 1 where there are no events, or they could not
be read.")]
pub(crate) struct HistoryArgs {
    /// The order or shipment: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: AggregateId,

    /// The history as it was at this time: events that were committed later are left out
    #[arg(long, value_name = "TIME", value_parser = arguments::time)]
    at: Option<Timestamp>,

    /// Also show the messages of each event
    #[arg(long)]
    messages: bool,

    #[command(flatten)]
    target: Target,
}

/// A history with its messages, as JSON.
#[derive(Serialize)]
struct AllWithMessages<'a> {
    aggregate: &'a AggregateId,
    events: Vec<WithMessages<'a>>,
}

/// An event with its messages, as JSON.
#[derive(Serialize)]
struct WithMessages<'a> {
    event: &'a HistoryEvent,
    version: Option<u32>,
    messages: &'a [Message],
}

impl<'a> WithMessages<'a> {
    fn of(event: &'a HistoryEvent) -> Self {
        Self {
            event,
            version: event.version,
            messages: &event.messages,
        }
    }
}

/// Prints a history.
pub(super) async fn run(args: HistoryArgs) -> Result<Outcome, Failed> {
    let environment = args.target.reach().await?;
    let history = history(&environment, &args.aggregate, args.at).await?;
    match args.target.json {
        true if args.messages => {
            let events = history.events.iter();
            let events: Vec<_> = events.map(WithMessages::of).collect();
            print_json(&AllWithMessages {
                aggregate: &history.aggregate,
                events,
            })?;
        }
        true => print_json(&history)?,
        false => {
            for event in &history.events {
                print_line(&lines(event));
                if args.messages {
                    event.messages.iter().for_each(|one| print_line(&line(one)));
                }
            }
            print_line(&ended(&history));
        }
    }
    Ok(Outcome::wrong_if(history.unreadable() > 0))
}

fn ended(history: &History) -> String {
    let all = number_of(history.events.len() as u64, "event");
    let id = &history.aggregate;
    match history.unreadable() {
        0 => format!("{all} of {id}"),
        unreadable => format!("{all} of {id}, {unreadable} of them unreadable"),
    }
}

/// An event as lines for a person.
fn lines(event: &HistoryEvent) -> String {
    let at = event.at.map(|at| at.to_string()).unwrap_or_default();
    let kind = event.kind.as_deref().unwrap_or_default();
    let mut lines = format!("{:>4}  {at}  {kind}", event.sequence);
    let data = event.data.as_ref().map(ToString::to_string);
    let beside = [
        ("unreadable", &event.unreadable),
        ("data", &data),
        ("actor", &event.actor),
        ("source", &event.source),
        ("commandId", &event.command_id),
        ("correlationId", &event.correlation_id),
        ("causationId", &event.causation_id),
    ];
    for (name, text) in beside {
        if let Some(text) = text {
            lines.push_str(&format!("\n      {name:<14} {text}"));
        }
    }
    lines
}

/// A message as a line for a person.
fn line(message: &Message) -> String {
    let channel = match message.channel {
        Channel::Bus => "bus",
        Channel::Topic => "topic",
    };
    let Message { id, to, .. } = message;
    format!("      {:<14} {id}  to the {channel} {to}", "message")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use domain::Json;

    use super::*;

    #[test]
    fn an_event_is_shown_with_its_cause_and_exact_numbers() {
        let data = r#"{"total":12345678901234567890.12}"#;
        let event = HistoryEvent {
            kind: Some("OrderPlaced".to_owned()),
            at: Some("2026-03-01T08:00:00.000Z".parse().unwrap()),
            data: Some(Json::parse(data).unwrap()),
            actor: Some("http/a".to_owned()),
            command_id: Some("k".to_owned()),
            unreadable: None,
            ..HistoryEvent::unreadable(2, String::new())
        };
        let told = lines(&event);
        let mut told = told.lines();
        assert_eq!(
            told.next().unwrap(),
            "   2  2026-03-01T08:00:00.000Z  OrderPlaced"
        );
        assert_eq!(
            told.next().unwrap(),
            "      data           {\"total\":12345678901234567890.12}"
        );
        assert_eq!(told.count(), 2);
    }

    #[test]
    fn what_is_no_event_says_why() {
        let told = lines(&HistoryEvent::unreadable(7, "damaged".to_owned()));
        assert!(told.starts_with("   7"), "{told}");
        assert!(told.ends_with("unreadable     damaged"), "{told}");
    }
}
