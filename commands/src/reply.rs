//! The answer to the sender of a command.

use domain::{AggregateId, Json, json::Object};
use lambda::http::Problem;

use crate::execute::{Failure, Outcome};

/// The answer to a command: `{message, orderId | shipmentId, status, version}`.
pub fn reply(aggregate: &AggregateId, outcome: &Outcome) -> Json {
    // Only an order is recognised by its content when another command placed it. Its sender must
    // not take an order that has been cancelled since for an open one.
    let known = !outcome.own && outcome.repeated && matches!(aggregate, AggregateId::Order(_));
    let message = match outcome.event.as_deref() {
        _ if known => "Order already known",
        Some("OrderPlaced") => "Order placed",
        Some("OrderProcessed") => "Order completed",
        Some("OrderCancelled") => "Order cancelled",
        Some("ShipmentUpdated") => "Shipment update logged",
        Some("CustomerErased") => "Personal data erased",
        Some("ShipmentStalled") => "Shipment marked as stalled",
        Some(_) => "Done",
        None => "Nothing to do",
    };
    let (id_name, id) = match aggregate {
        AggregateId::Order(id) => ("orderId", id.to_string()),
        AggregateId::Shipment(id) => ("shipmentId", id.to_string()),
        AggregateId::Erasure(owner) => ("owner", owner.to_string()),
    };
    Json::Object(Object::from([
        ("message".to_owned(), message.into()),
        (id_name.to_owned(), id.into()),
        ("status".to_owned(), outcome.status.clone().into()),
        ("version".to_owned(), outcome.version.into()),
    ]))
}

/// The problem that reports a failure to the sender. Internal reasons are logged instead.
pub fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Refused {
            refusal,
            present_state,
        } => {
            let problem = Problem::from(refusal);
            // Only a conflict reports the present state.
            match present_state.filter(|_| problem.status == 409) {
                Some(present_state) => problem.present_state(present_state),
                None => problem,
            }
        }
        Failure::IdReused => Problem::new(
            422,
            "command_id_reused",
            "this id was used before, for a command with another content",
        ),
        Failure::UnexpectedVersion(present_state) => {
            let message = format!(
                "the version is {}, not the expected one",
                present_state.version
            );
            Problem::new(412, "version_moved", message).present_state(present_state)
        }
        Failure::HistoryFull => {
            tracing::error!("an aggregate's history is full");
            Problem::new(
                409,
                "history_full",
                "its history has reached its limit and takes no more events",
            )
        }
        Failure::Unavailable(reason) => {
            tracing::warn!(reason, "a command cannot be executed now");
            Problem::unavailable()
        }
        Failure::Corrupt(reason) => {
            tracing::error!(reason, "a history cannot be read");
            Problem::internal()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use domain::{EventSourced, Order, Shipment};

    use super::*;

    fn says_what_was_done<A: EventSourced>(aggregate: &str) {
        let aggregate: AggregateId = aggregate.parse().unwrap();
        for kind in A::kinds() {
            let outcome = Outcome {
                event: Some(kind.name.to_owned()),
                status: "ANY".to_owned(),
                version: 1,
                own: true,
                repeated: false,
            };
            let text = reply(&aggregate, &outcome).to_string();
            assert!(!text.contains(r#""Done""#), "{}", kind.name);
        }
    }

    #[test]
    fn every_kind_of_event_has_words_of_its_own() {
        says_what_was_done::<Order>("order#1");
        says_what_was_done::<Shipment>("shipment#1");
    }
}
