//! `waybill history`: every event of an order or shipment, and why it happened.

use std::sync::Arc;

use domain::{
    AggregateId, EventSourced, Json, Order, Shipment, Timestamp,
    event::{EncodedEvent, Undecodable},
    json::Object,
};
use event_store::{
    Commit,
    commit::{Item, SEQUENCE},
    dynamodb::DynamoDbTable,
    table::CommitTable,
};
use projectors::query;
use serde_json::json;

use crate::{
    arguments,
    limits::{HISTORY_PAGE, HISTORY_PAGES_MAX},
    outcome::{OperatorError, Outcome, counted, say, say_json},
    target::{Environment, Target},
};

/// Whose
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What cannot be read is shown as `unreadable`, with the reason: a commit that is damaged, an event
that newer code has written, a gap. This prints what customers have sent: mind who looks over your
shoulder.

Examples:
  waybill history order#ORD-1 --local
  waybill history shipment/SHIP-12345 --at 2026-03-01T08:00:00Z --env prod
  waybill history order#ORD-1 --json | jq '.events[].type'

Ends with 0; with 3 where anything is unreadable; with 1 where there are no events, or they could not
be looked at.")]
pub struct HistoryArgs {
    /// Order or shipment: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: AggregateId,

    /// As it was at this time: what was committed later is left out
    #[arg(long, value_name = "TIME", value_parser = arguments::time)]
    at: Option<Timestamp>,

    #[command(flatten)]
    target: Target,
}

/// Why something is not shown as an event.
const UNREADABLE: &str = "unreadable";

/// Prints a history.
pub(crate) async fn run(args: HistoryArgs) -> Result<Outcome, OperatorError> {
    let environment = args.target.reach().await?;
    let id = &args.aggregate;
    let events = events(&environment, id, args.at).await?;
    if events.is_empty() {
        let then = args.at.map_or(String::new(), |at| format!(" by {at}"));
        return Err(OperatorError::Said(format!("{id} has no events{then}")));
    }
    let unreadable = events.iter().filter(|event| event.contains_key(UNREADABLE));
    let unreadable = unreadable.count() as u64;
    match args.target.json {
        true => say_json(&json!({ "aggregate": id, "events": events }))?,
        false => {
            events.iter().for_each(|event| say(&lines(event)));
            let all = counted(events.len() as u64, "event");
            match unreadable {
                0 => say(&format!("{all} of {id}")),
                _ => say(&format!("{all} of {id}, {unreadable} of them unreadable")),
            }
        }
    }
    Ok(Outcome::wrong_if(unreadable > 0))
}

/// The events as they are shown, those that cannot be read among them.
async fn events(
    environment: &Environment,
    id: &AggregateId,
    at: Option<Timestamp>,
) -> Result<Vec<Object>, OperatorError> {
    let table = environment.names.events();
    let table: Arc<dyn CommitTable> =
        Arc::new(DynamoDbTable::new(environment.dynamodb.clone(), table));
    let (mut events, mut expected, mut from) = (Vec::new(), Some(1), 1);
    for _ in 0..HISTORY_PAGES_MAX {
        let page = table.oldest(&id.to_string(), from, HISTORY_PAGE).await;
        let page = page.map_err(|error| OperatorError::Said(error.to_string()))?;
        for item in page.items {
            let sequence = sequence(&item);
            from = from.max(sequence + 1);
            let commit = Commit::from_item(item);
            if at.is_some_and(|at| commit.as_ref().is_ok_and(|commit| commit.at > at)) {
                return Ok(events);
            }
            if let Some(expected) = expected.filter(|expected| *expected != sequence) {
                let reason = format!("a commit that begins with {expected} was expected");
                events.push(unreadable(sequence, reason));
            }
            // How many events an unreadable one holds is not known: nor what comes next.
            expected = commit.as_ref().ok().map(Commit::next_sequence);
            match commit {
                Ok(commit) => events.extend(shown(id, &commit)),
                Err(error) => events.push(unreadable(sequence, error.to_string())),
            }
        }
        if !page.more {
            return Ok(events);
        }
    }
    Err(OperatorError::Said(format!(
        "the history of {id} has no end"
    )))
}

fn sequence(item: &Item) -> u64 {
    let number = item.get(SEQUENCE).and_then(|value| value.as_n().ok());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// A commit's events, as the HTTP API shows them; one that this code cannot read says so beside.
fn shown(id: &AggregateId, commit: &Commit) -> Vec<Object> {
    let told = match query::told(commit) {
        Ok(told) => told,
        Err(error) => return vec![unreadable(commit.sequence, error.to_string())],
    };
    let shown = told.into_iter().filter_map(Json::into_object);
    let mut shown: Vec<Object> = shown.collect();
    for (event, shown) in commit.events.iter().zip(&mut shown) {
        let decoded = match id {
            AggregateId::Order(_) => decoded::<Order>(event),
            AggregateId::Shipment(_) => decoded::<Shipment>(event),
        };
        if let Err(error) = decoded {
            shown.insert(UNREADABLE.to_owned(), error.to_string().into());
        }
    }
    shown
}

fn decoded<A: EventSourced>(event: &EncodedEvent) -> Result<(), Undecodable> {
    A::decode(event).map(drop)
}

fn unreadable(sequence: u64, reason: String) -> Object {
    Object::from([
        ("sequence".to_owned(), sequence.into()),
        (UNREADABLE.to_owned(), reason.into()),
    ])
}

/// An event for a person.
fn lines(event: &Object) -> String {
    let text = |name: &str| match event.get(name) {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut lines = format!("{:>4}  {}  {}", text("sequence"), text("at"), text("type"));
    let beside = [
        UNREADABLE,
        "data",
        "actor",
        "source",
        "commandId",
        "correlationId",
        "causationId",
    ];
    for name in beside {
        if event.contains_key(name) {
            lines.push_str(&format!("\n      {name:<14} {}", text(name)));
        }
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_with_its_cause_and_exact_numbers() {
        let event = r#"{"sequence":2,"type":"OrderPlaced","at":"2026-03-01T08:00:00.000Z",
                        "data":{"total":12345678901234567890.12},"actor":"http/a","commandId":"k"}"#;
        let event = Json::parse(event).unwrap().into_object().unwrap();
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
        let told = lines(&unreadable(7, "damaged".to_owned()));
        assert!(told.starts_with("   7"), "{told}");
        assert!(told.ends_with("unreadable     damaged"), "{told}");
    }
}
