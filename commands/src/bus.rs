//! Commands from EventBridge: shipment updates, orders, and the completion of `automatic` orders.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use domain::{
    AggregateId, Digest, Json, Order, OrderId, Refusal, Shipment, ShipmentId, Timestamp,
    aggregate::Intent as _, json::Object, order, shipment::UpdateKind,
};
use event_store::Cause;
use lambda::{Answer, Failed, Invocation, trace::TraceParent};
use serde_json::{Value, value::RawValue};

use crate::{
    Commands,
    execute::{Envelope, Failure, Outcome},
    limits::PLACE_PARTS_MAX,
    told::About,
    translate::{self, fields::Fields},
};

type Event = EventBridgeEvent<Box<RawValue>>;

/// Handles an event. One that may succeed later fails, and is retried by whoever delivers it; one
/// that never can is kept and announced, and is done with.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    let started = commands.clock.now();
    let Ok(event) = serde_json::from_str::<Event>(payload.get()) else {
        let rejection = Rejection::new("not_an_event", "this is no event of EventBridge");
        commands.count_failed(About::Shipments, 400, started);
        reject(commands, payload, rejection).await?;
        return Ok(Value::Null);
    };
    let Err(failure) = command(commands, &event, invocation).await else {
        return Ok(Value::Null);
    };
    let about = match event.source.as_str() {
        "logistics.shipments" => About::Shipments,
        _ => About::Orders,
    };
    if let Failure::Unavailable(reason) = failure {
        commands.count_failed(about, 503, started);
        tracing::warn!(reason, "an event waits for its next delivery");
        return Err(Failed("temporarily unavailable".to_owned()));
    }
    // EventBridge keeps no order: what a command is for may come yet, and after the last attempt
    // the platform makes a dead letter of the event.
    if failure.code() == "not_found" {
        commands.count_failed(about, 404, started);
        tracing::warn!("an event waits for the order that it is about");
        return Err(Failed("there is no such order yet".to_owned()));
    }
    let rejected = Rejection::of(&event, failure);
    commands.count_failed(about, 400, started);
    reject(commands, payload, rejected).await?;
    Ok(Value::Null)
}

async fn command(
    commands: &Commands,
    event: &Event,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let detail = Json::parse(event.detail.get()).map_err(|error| refused(error.into()))?;
    let mut members = detail
        .into_object()
        .ok_or_else(|| invalid("detail", "an object was expected"))?;
    let id = event.id.clone().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| invalid("id", "it is required"))?;
    let sent = TraceParent::take(&mut members);
    let correlation = sent.as_ref().map(|sent| sent.trace_id().to_owned());
    let cause = Caused {
        event,
        correlation_id: correlation.unwrap_or_else(|| id.clone()),
        id,
        trace: sent.or_else(|| invocation.traceparent()),
    };
    let kind = UpdateKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == event.detail_type);
    match (event.source.as_str(), event.detail_type.as_str(), kind) {
        ("logistics.shipments", _, Some(kind)) => update_shipment(commands, cause, kind, members)
            .await
            .map(drop),
        ("orders.commands", "Place Order" | "Complete Order" | "Cancel Order", _) => {
            order_command(commands, cause, members).await.map(drop)
        }
        ("waybill.orders", "Order Created", _) => fulfil(commands, cause, members).await.map(drop),
        _ => Err(invalid("detail-type", "no such command")),
    }
}

fn invalid(field: &str, message: &str) -> Failure {
    refused(Refusal::field(field, message))
}

fn refused(refusal: Refusal) -> Failure {
    Failure::Refused {
        refusal,
        standing: None,
    }
}

/// What causes a command: an event with its id, and the trace that it belongs to.
struct Caused<'a> {
    event: &'a Event,
    id: String,
    /// What finds its whole way: the trace that it names, or else itself.
    correlation_id: String,
    trace: Option<TraceParent>,
}

impl Caused<'_> {
    fn actor(&self) -> String {
        format!("events/{}", self.event.source)
    }

    fn cause(self, digest: Digest) -> Cause {
        Cause {
            command_id: format!("event/{}", self.id),
            digest,
            actor: self.actor(),
            source: "bus".to_owned(),
            correlation_id: self.correlation_id,
            causation_id: self.id,
            traceparent: self.trace.map(String::from),
        }
    }
}

/// An order is placed, completed or cancelled, after the event's detail-type.
async fn order_command(
    commands: &Commands,
    caused: Caused<'_>,
    detail: Object,
) -> Result<Outcome, Failure> {
    let mut fields = Fields::new(detail);
    let (order_id, intent) = match caused.event.detail_type.as_str() {
        "Place Order" => {
            let environment = &commands.environment;
            let context = translate::order::Context {
                default_id: Some(translate::order::id_of(
                    environment,
                    &caused.actor(),
                    &caused.id,
                )),
                default_fulfilment: order::Fulfilment::Automatic,
            };
            let place = translate::order::place(fields, context).map_err(refused)?;
            (
                place.order_id.clone(),
                order::Intent::Place(Box::new(place)),
            )
        }
        "Complete Order" => {
            let order_id = translate::order::named(&mut fields).map_err(refused)?;
            (
                order_id,
                translate::order::complete(fields).map_err(refused)?,
            )
        }
        _ => {
            let order_id = translate::order::named(&mut fields).map_err(refused)?;
            (order_id, translate::order::cancel(fields).map_err(refused)?)
        }
    };
    let envelope = Envelope {
        aggregate: AggregateId::Order(order_id),
        expected_version: None,
        cause: caused.cause(intent.digest()),
        intent,
    };
    commands.execute::<Order>(envelope).await
}

async fn update_shipment(
    commands: &Commands,
    caused: Caused<'_>,
    kind: UpdateKind,
    detail: Object,
) -> Result<Outcome, Failure> {
    let event = caused.event;
    let event_time = event.time.and_then(Timestamp::from_datetime);
    let context = translate::shipment::Context {
        shipment_id: None,
        kind,
        event_id: caused.id.clone(),
        event_source: event.source.clone(),
        event_time: event_time.unwrap_or_else(|| commands.clock.now()),
    };
    let intent = translate::shipment::update(detail, context).map_err(refused)?;
    let envelope = Envelope {
        aggregate: AggregateId::Shipment(intent.shipment_id.clone()),
        expected_version: None,
        cause: caused.cause(intent.digest()),
        intent,
    };
    commands.execute::<Shipment>(envelope).await
}

/// Completes an order that nobody else is going to. The announcement that asks for it comes at
/// least once, so this does nothing where it has been done.
async fn fulfil(
    commands: &Commands,
    caused: Caused<'_>,
    detail: Object,
) -> Result<Outcome, Failure> {
    let id = caused.id;
    let mut fields = Fields::new(detail);
    let order_id = translate::order::named(&mut fields).map_err(refused)?;
    let text = |fields: &mut Fields, name: &str| fields.text(name).ok().flatten();
    let message_id = text(&mut fields, "id");
    let correlation_id = text(&mut fields, "correlationId");
    let intent = order::Intent::Fulfil;
    let envelope = Envelope {
        cause: Cause {
            command_id: format!("fulfil/{order_id}"),
            digest: intent.digest(),
            actor: "waybill".to_owned(),
            source: "bus".to_owned(),
            correlation_id: correlation_id.unwrap_or(caused.correlation_id),
            causation_id: message_id.unwrap_or(id),
            traceparent: caused.trace.map(String::from),
        },
        aggregate: AggregateId::Order(order_id),
        expected_version: None,
        intent,
    };
    commands.execute::<Order>(envelope).await
}

// ---- What can never succeed

/// Why an event can never succeed, without anything of its detail: it goes out by mail.
pub(crate) struct Rejection {
    pub(crate) event_id: String,
    pub(crate) code: String,
    pub(crate) text: String,
}

impl Rejection {
    pub(crate) fn new(code: &str, text: &str) -> Self {
        Self {
            event_id: "unknown".to_owned(),
            code: code.to_owned(),
            text: text.to_owned(),
        }
    }

    fn of(event: &Event, failure: Failure) -> Self {
        let id = event.id.clone().filter(|id| !id.is_empty());
        let event_id = id.unwrap_or_else(|| "unknown".to_owned());
        let problem = crate::reply::problem(failure);
        let field = problem
            .field
            .map(|field| format!(" at {}", names_only(&field)))
            .unwrap_or_default();
        let numbers = match SAYS_NUMBERS_ONLY.contains(&problem.code) {
            true => format!(" ({})", problem.message),
            false => String::new(),
        };
        let about = about(event.detail.get()).unwrap_or_default();
        let text = format!(
            "{} from {}: {}{field}{numbers}{about}",
            event.detail_type, event.source, problem.code
        );
        Self {
            event_id,
            code: problem.code.to_owned(),
            text,
        }
    }
}

/// Codes whose messages hold numbers, and no text that somebody has sent.
const SAYS_NUMBERS_ONLY: [&str; 3] = ["total_mismatch", "order_closed", "too_large"];

/// The order or shipment that an event names, as a line of a mail; `None` where it names none
/// rightly.
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

/// Names that a place in a mail may have: those of the contract. Any other one was chosen by a
/// sender, and may be a customer's data.
const NAMES: [&str; 26] = [
    "adjustments",
    "amount",
    "carrier",
    "currency",
    "customerId",
    "customerName",
    "detail",
    "detail-type",
    "fulfilment",
    "id",
    "included",
    "items",
    "location",
    "name",
    "orderId",
    "placedAt",
    "price",
    "productId",
    "quantity",
    "reason",
    "shipmentId",
    "snackItems",
    "status",
    "timestamp",
    "totalAmount",
    "trackingNumber",
];

/// A place such as `items[3].price`, with `…` for every name that is none of the contract.
fn names_only(place: &str) -> String {
    let name_only = |part: &str| {
        let (name, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        let is_index = index
            .strip_prefix('[')
            .and_then(|index| index.strip_suffix(']'))
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        match (NAMES.contains(&name), index.is_empty() || is_index) {
            (true, true) => part.to_owned(),
            (true, false) => name.to_owned(),
            (false, _) => "…".to_owned(),
        }
    };
    // Where names of a sender have dots, there are more parts; what is cut off is theirs, too.
    let parts = place.split('.').take(PLACE_PARTS_MAX);
    parts.map(name_only).collect::<Vec<_>>().join(".")
}

/// Keeps the event, then says so: whoever is called finds it.
pub(crate) async fn reject(
    commands: &Commands,
    payload: &RawValue,
    rejection: Rejection,
) -> Result<(), Failed> {
    let Rejection {
        event_id,
        code,
        text,
    } = rejection;
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
    operator
        .keep_dead_letter(payload.get(), &code)
        .await
        .map_err(unreachable)?;
    operator
        .alert(&subject, &text, &event_id)
        .await
        .map_err(unreachable)
}
