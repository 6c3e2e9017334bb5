//! The events of an order as sentences for a person.

use domain::{Json, json::Object};

use crate::{at::At, rows::Event};

/// An event for a person.
#[derive(Debug, Clone)]
pub struct Step {
    /// The sequence in the order's history.
    pub sequence: u64,
    /// The time of the commit.
    pub at: At,
    /// What happened, such as `Cancelled`.
    pub what: String,
    /// The status before; `None` where there was none.
    pub from: Option<String>,
    /// The status after; `None` where the event sets none.
    pub to: Option<String>,
    /// The actor as a phrase for a person, such as `Waybill itself`.
    pub who: String,
    /// The trigger as a phrase for a person, such as `by a call of the HTTP API`.
    pub how: String,
    /// The reason that was given.
    pub reason: Option<String>,
    /// The file that the order came from.
    pub file: Option<String>,
    /// The event itself, for the ids of its command, cause and correlation.
    pub event: Event,
}

fn text(data: &Object, name: &str) -> Option<String> {
    match data.get(name) {
        Some(Json::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Converts an event to a step.
pub fn step(event: Event) -> Step {
    let automatic = text(&event.data, "fulfilment").as_deref() == Some("automatic");
    let (what, to) = match event.kind.as_str() {
        "OrderPlaced" if automatic => ("Placed", Some("NEW")),
        "OrderPlaced" => ("Placed", Some("PROCESSING")),
        "OrderProcessed" => ("Completed", Some("PROCESSED")),
        "OrderCancelled" => ("Cancelled", Some("CANCELLED")),
        other => (other, None),
    };
    let cancelled = event.kind == "OrderCancelled";
    Step {
        sequence: event.sequence,
        at: event.at.clone(),
        what: what.to_owned(),
        from: text(&event.data, "previousStatus"),
        to: to.map(str::to_owned),
        who: who(&event.actor),
        how: how(&event),
        reason: text(&event.data, "reason").filter(|_| cancelled),
        file: text(&event.data, "sourceFile"),
        event,
    }
}

/// Returns the actor as a phrase for a person.
pub fn who(actor: &str) -> String {
    match actor {
        "waybill" => "Waybill itself".to_owned(),
        "anonymous" => "an anonymous caller".to_owned(),
        other => match other.strip_prefix("events/") {
            Some(source) => format!("the event source {source}"),
            None => other.to_owned(),
        },
    }
}

/// Returns the trigger as a phrase; for an automatic command, why Waybill acted.
fn how(event: &Event) -> String {
    if event.command_id.starts_with("fulfil/") {
        return "because the order is fulfilled automatically: Waybill completes it as soon as it \
                has announced it"
            .to_owned();
    }
    match event.source.as_str() {
        "http" => "by a call of the HTTP API".to_owned(),
        "file" => "from an order file".to_owned(),
        "bus" => "by an event on the bus".to_owned(),
        "invoke" => "by invoking the function directly".to_owned(),
        other => format!("by {other}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(kind: &str, data: &str, command_id: &str) -> Event {
        Event {
            sequence: 1,
            kind: kind.to_owned(),
            at: At("2026-03-01T08:00:00.000Z".to_owned()),
            data: Json::parse(data).unwrap().into_object().unwrap(),
            actor: "events/waybill.orders".to_owned(),
            source: "bus".to_owned(),
            command_id: command_id.to_owned(),
            correlation_id: String::new(),
            causation_id: String::new(),
        }
    }

    #[test]
    fn a_step_says_what_became_of_the_status() {
        let placed = step(event("OrderPlaced", r#"{"fulfilment":"automatic"}"#, "a"));
        assert_eq!((placed.from, placed.to.unwrap().as_str()), (None, "NEW"));
        let data = r#"{"previousStatus":"NEW","reason":"late"}"#;
        let cancelled = step(event("OrderCancelled", data, "a"));
        assert_eq!(cancelled.from.unwrap(), "NEW");
        assert_eq!(cancelled.reason.unwrap(), "late");
        assert_eq!(cancelled.who, "the event source waybill.orders");
        // An event of a later version is shown by its type.
        let later = step(event("OrderRefunded", "{}", "a"));
        assert_eq!((later.what.as_str(), later.to), ("OrderRefunded", None));
    }

    #[test]
    fn what_waybill_did_by_itself_says_why() {
        let completed = step(event("OrderProcessed", "{}", "fulfil/A-1"));
        assert!(completed.how.contains("automatically"), "{}", completed.how);
    }
}
