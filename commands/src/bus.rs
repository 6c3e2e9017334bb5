//! The role `bus`: commands from EventBridge. They are shipment updates, commands to orders, the
//! completion of `automatic` orders, and shipments that are found to be stalled.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use domain::{
    AggregateId, Digest, Json, Order, OrderId, Refusal, Shipment, Timestamp,
    aggregate::Intent as _,
    json::Object,
    order,
    shipment::{self, UpdateKind},
};
use event_store::{Cause, commit::bounded};
use lambda::{Answer, Failed, Invocation, trace::TraceParent};
use serde_json::{Value, value::RawValue};

use crate::{
    Commands,
    execute::{Envelope, Failure, Outcome},
    rejection::{Rejection, reject},
    telemetry::About,
    translate::{self, fields::Fields},
};

type Event = EventBridgeEvent<Box<RawValue>>;

/// Handles an event of EventBridge. An event that may succeed later is a function error, after
/// which the platform delivers it again. An event that can never succeed becomes a dead letter with
/// an alert, and is not delivered again.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    let started = commands.clock.now();
    let Ok(event) = serde_json::from_str::<Event>(payload.get()) else {
        let rejection = Rejection::new("not_an_event", "this is no event of EventBridge");
        commands.count_failed(About::Shipments, (400, "not_an_event"), started);
        reject(commands, payload, rejection).await?;
        return Ok(Value::Null);
    };
    let Err(failure) = command(commands, &event, invocation).await else {
        return Ok(Value::Null);
    };
    let about = match event.source.as_str() {
        "logistics.shipments" | "waybill.watch" => About::Shipments,
        _ => About::Orders,
    };
    if let Failure::Unavailable(reason) = failure {
        commands.count_failed(about, (503, "unavailable"), started);
        tracing::warn!(reason, "an event waits for its next delivery");
        return Err(Failed("temporarily unavailable".to_owned()));
    }
    // EventBridge does not keep the order of events: the order that this one is about may still
    // arrive. After the last attempt the platform makes a dead letter of the event.
    if let Failure::Refused {
        refusal: Refusal::NotFound { .. },
        ..
    } = failure
    {
        commands.count_failed(about, (404, "not_found"), started);
        tracing::warn!("an event waits for the order that it is about");
        return Err(Failed("there is no such order yet".to_owned()));
    }
    let code = failure.code();
    let rejected = Rejection::of(&event, failure);
    commands.count_failed(about, (400, code), started);
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
    let cause = CausingEvent {
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
        ("orders.commands", "Place Order", _) => {
            order_command(commands, cause, members, place).await
        }
        ("orders.commands", "Complete Order", _) => {
            order_command(commands, cause, members, complete).await
        }
        ("orders.commands", "Cancel Order", _) => {
            order_command(commands, cause, members, cancel).await
        }
        ("waybill.orders", "Order Created", _) => fulfil(commands, cause, members).await.map(drop),
        ("waybill.watch", "Mark Stalled", _) => stall(commands, cause, members).await,
        _ => Err(invalid("detail-type", "no such command")),
    }
}

fn invalid(field: &str, message: &str) -> Failure {
    refused(Refusal::field(field, message))
}

fn refused(refusal: Refusal) -> Failure {
    Failure::Refused {
        refusal,
        present_state: None,
    }
}

/// The event that causes a command, with its id and its trace.
struct CausingEvent<'a> {
    event: &'a Event,
    id: String,
    /// The correlation id: the trace id that the event names, or else the event's id.
    correlation_id: String,
    trace: Option<TraceParent>,
}

impl CausingEvent<'_> {
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

/// The id of an order, and the content of the command to it.
type Wanted = Result<(OrderId, order::Intent), Refusal>;

fn place(commands: &Commands, caused: &CausingEvent<'_>, fields: Fields) -> Wanted {
    let id = translate::order::id_of(&commands.environment, &caused.actor(), &caused.id);
    let context = translate::order::Context {
        default_id: Some(id),
        default_fulfilment: order::Fulfilment::Automatic,
    };
    let place = translate::order::place(fields, context)?;
    let order_id = place.order_id.clone();
    Ok((order_id, order::Intent::Place(Box::new(place))))
}

fn complete(_: &Commands, _: &CausingEvent<'_>, mut fields: Fields) -> Wanted {
    let order_id = translate::order::named(&mut fields)?;
    Ok((order_id, translate::order::complete(fields)?))
}

fn cancel(_: &Commands, _: &CausingEvent<'_>, mut fields: Fields) -> Wanted {
    let order_id = translate::order::named(&mut fields)?;
    Ok((order_id, translate::order::cancel(fields)?))
}

/// Executes the command that `read` makes of the event's detail.
async fn order_command(
    commands: &Commands,
    caused: CausingEvent<'_>,
    detail: Object,
    read: fn(&Commands, &CausingEvent<'_>, Fields) -> Wanted,
) -> Result<(), Failure> {
    let (order_id, intent) = read(commands, &caused, Fields::new(detail)).map_err(refused)?;
    let envelope = Envelope {
        aggregate: AggregateId::Order(order_id),
        expected_version: None,
        cause: caused.cause(intent.digest()),
        intent,
    };
    commands.execute::<Order>(envelope).await.map(drop)
}

async fn update_shipment(
    commands: &Commands,
    caused: CausingEvent<'_>,
    kind: UpdateKind,
    detail: Object,
) -> Result<Outcome, Failure> {
    let event = caused.event;
    let event_time = event.time.and_then(Timestamp::from_datetime);
    let context = translate::shipment::Context {
        shipment_id: None,
        kind,
        event_id: bounded(caused.id.clone()),
        event_source: event.source.clone(),
        event_time: event_time.unwrap_or_else(|| commands.clock.now()),
    };
    let update = translate::shipment::update(detail, context).map_err(refused)?;
    let aggregate = AggregateId::Shipment(update.shipment_id.clone());
    let intent = shipment::Intent::from(update);
    let envelope = Envelope {
        aggregate,
        expected_version: None,
        cause: caused.cause(intent.digest()),
        intent,
    };
    commands.execute::<Shipment>(envelope).await
}

/// Completes an order that is `automatic`. Idempotent, since the message that triggers it is
/// delivered at least once.
async fn fulfil(
    commands: &Commands,
    caused: CausingEvent<'_>,
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

/// Notes that a shipment is stalled, where its history confirms it. The role `watch` sends this
/// command again each time it looks, until it has had its effect. So where the history is full or
/// damaged, the failure is counted and logged, and makes no dead letter each time.
async fn stall(
    commands: &Commands,
    caused: CausingEvent<'_>,
    detail: Object,
) -> Result<(), Failure> {
    let started = commands.clock.now();
    let (stall, version) = translate::shipment::stall(detail).map_err(refused)?;
    let aggregate = AggregateId::Shipment(stall.shipment_id.clone());
    // Where a clock was set back, two updates arrive at the same time: the silence after the second
    // is another one, which the version of the row tells.
    let command_id = format!("stalled/{}/{version}", stall.last_update_at);
    let intent = shipment::Intent::Stall(stall);
    let envelope = Envelope {
        cause: Cause {
            command_id,
            digest: intent.digest(),
            actor: "waybill".to_owned(),
            source: "bus".to_owned(),
            correlation_id: caused.correlation_id,
            causation_id: caused.id,
            traceparent: caused.trace.map(String::from),
        },
        aggregate,
        // Whoever looked at an older row did not see the shipment as it is.
        expected_version: (version > 0).then_some(version),
        intent,
    };
    match commands.execute::<Shipment>(envelope).await {
        Ok(_) | Err(Failure::UnexpectedVersion(_)) => Ok(()),
        Err(failure @ (Failure::HistoryFull | Failure::Corrupt(_))) => {
            tracing::error!(code = failure.code(), "a stalled shipment cannot be marked");
            commands.count_failed(About::Shipments, (500, "history_full"), started);
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}
