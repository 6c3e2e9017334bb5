//! Rejects an event that can never succeed: stores it in the dead letter queue, and alerts the
//! operator without quoting anything that its sender wrote.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use domain::{Json, OrderId, ShipmentId, order::names};
use event_store::commit::bounded;
use lambda::Failed;
use serde_json::value::RawValue;

use crate::{Commands, execute::Failure, limits::PATH_PARTS_MAX, operator::DeadLetterReason};

/// Why an event can never succeed, without anything that its sender wrote: the text is sent by
/// mail, field and message stand beside the dead letter.
pub(crate) struct Rejection {
    pub(crate) event_id: String,
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) text: String,
}

impl Rejection {
    pub(crate) fn new(code: &'static str, text: &str) -> Self {
        Self {
            event_id: "unknown".to_owned(),
            code,
            field: None,
            message: Some(text.to_owned()),
            text: text.to_owned(),
        }
    }

    pub(crate) fn of(event: &EventBridgeEvent<Box<RawValue>>, failure: Failure) -> Self {
        let id = event.id.clone().filter(|id| !id.is_empty());
        let event_id = id.unwrap_or_else(|| "unknown".to_owned());
        let problem = crate::reply::problem(failure);
        let field = problem.field.filter(|field| !field.is_empty());
        let field = field.map(|field| redact_path(&field));
        let at = field
            .as_ref()
            .map(|field| format!(" at {field}"))
            .unwrap_or_default();
        let numbers = match MESSAGES_FOR_ALERTS.contains(&problem.code) {
            true => format!(" ({})", problem.message),
            false => String::new(),
        };
        let about = about(event.detail.get()).unwrap_or_default();
        let text = format!(
            "{} from {}: {}{at}{numbers}{about}",
            event.detail_type, event.source, problem.code
        );
        Self {
            event_id,
            code: problem.code,
            field,
            message: MESSAGES_WITHOUT_SENDER_TEXT
                .contains(&problem.code)
                .then_some(problem.message),
            text,
        }
    }
}

/// The codes whose messages are Waybill's own words, the contract's names, and numbers. One about a
/// text that is no JSON may quote it.
const MESSAGES_WITHOUT_SENDER_TEXT: [&str; 10] = [
    "command_id_reused",
    "duplicate_member",
    "history_full",
    "invalid_field",
    "misspelt_member",
    "order_closed",
    "order_exists",
    "too_large",
    "total_mismatch",
    "unknown_member",
];

/// The codes whose messages hold numbers, and no text of a sender.
const MESSAGES_FOR_ALERTS: [&str; 3] = ["total_mismatch", "order_closed", "too_large"];

/// A line for the alert with the id of the order or shipment that an event is about; `None` where
/// it names none, or an invalid one.
fn about(detail: &str) -> Option<String> {
    let members = Json::parse(detail).ok()?.into_object()?;
    let named = |name: &str| match members.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let order = named("orderId").and_then(|text| text.parse::<OrderId>().ok());
    let shipment = named("shipmentId").and_then(|text| text.parse::<ShipmentId>().ok());
    match (shipment, order) {
        (Some(id), _) => Some(format!("\nShipment: {id}")),
        (None, Some(id)) => Some(format!("\nOrder: {id}")),
        (None, None) => None,
    }
}

/// Names of the contract in a field's path, beside those of an order, its items and adjustments.
const OTHER_NAMES: [&str; 11] = [
    "attributes",
    "carrier",
    "detail",
    "detail-type",
    "id",
    "location",
    "reason",
    "shipmentId",
    "status",
    "timestamp",
    "trackingNumber",
];

/// Whether it is a name of the contract. Any other name was chosen by a sender, and may be a
/// customer's data.
fn is_contract_name(name: &str) -> bool {
    let of_orders = [names::ORDER, names::ITEM, names::ADJUSTMENT];
    of_orders.iter().any(|names| names.contains(&name)) || OTHER_NAMES.contains(&name)
}

/// A field's path such as `items[3].price`, with `…` for every name that the contract does not
/// have.
fn redact_path(place: &str) -> String {
    let name_only = |part: &str| {
        let (name, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        let is_index = index
            .strip_prefix('[')
            .and_then(|index| index.strip_suffix(']'))
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        match (is_contract_name(name), index.is_empty() || is_index) {
            (true, true) => part.to_owned(),
            (true, false) => name.to_owned(),
            (false, _) => "…".to_owned(),
        }
    };
    // A sender's name with dots makes more parts; those that are cut off are the sender's too.
    let parts = place.split('.').take(PATH_PARTS_MAX);
    parts.map(name_only).collect::<Vec<_>>().join(".")
}

/// Stores the event in the dead letter queue, then alerts the operator, who so finds it there.
///
/// Where the alert fails, the event is delivered again, and stored again. The opposite order would
/// alert people to a letter that may not exist, as often as storing fails. With any order, a crash
/// between the two, or a platform that delivers twice, stores the event twice: EventBridge and
/// Lambda take only standard queues for dead letters, which do not detect duplicates. So the
/// redrive must: `waybill retry` takes letters with the same content for one.
pub(crate) async fn reject(
    commands: &Commands,
    payload: &RawValue,
    rejection: Rejection,
) -> Result<(), Failed> {
    let Rejection {
        event_id,
        code,
        field,
        message,
        text,
    } = rejection;
    let event_id = bounded(event_id);
    tracing::error!(event_id, code, "an event can never succeed");
    let subject = format!("Logistics Processing Error - {}", commands.environment);
    let text = format!(
        "An event was rejected and lies in the dead letters.\n\nEvent: {event_id}\nReason: {text}\n"
    );
    let operator = &commands.operator;
    let unreachable = |error: crate::operator::Unreachable| {
        tracing::error!(%error, "a rejected event waits for its next delivery");
        Failed("temporarily unavailable".to_owned())
    };
    let reason = DeadLetterReason {
        code: code.to_owned(),
        field,
        message,
    };
    operator
        .keep_dead_letter(payload.get(), &reason)
        .await
        .map_err(unreachable)?;
    operator
        .alert(&subject, &text, &event_id)
        .await
        .map_err(unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_names_of_the_contract_alone() {
        for (place, told) in [
            ("items[3].price", "items[3].price"),
            (
                "items[0].adjustments[12].type",
                "items[0].adjustments[12].type",
            ),
            ("trackingNumber", "trackingNumber"),
            ("", "…"),
            ("12 Elm Street\nClick here", "…"),
            ("attributes.12 Elm Street", "attributes.…"),
            ("items[Ada].price", "items.price"),
            ("note.Ada.Lovelace.of.12.Elm", "….….….…"),
        ] {
            assert_eq!(redact_path(place), told, "{place}");
        }
    }
}
