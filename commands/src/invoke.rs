//! The role `invoke`: orders by direct invocation. The payload is the order itself.

use domain::{AggregateId, Json, Order, Refusal, json::Object, order, order::Fulfilment};
use lambda::{Answer, Failed, Invocation, http::Problem, trace::TraceParent};
use serde_json::value::RawValue;

use crate::{
    Commands,
    sender::Sender,
    telemetry::About,
    translate::{self, fields::Fields},
};

/// Places the order in `payload`, which may have `commandId` and `traceparent` beside its own
/// members. Whatever the payload says, the sender is always `invoke`, and the command is always the
/// placement of an order.
///
/// A refusal is an answer with the member `error`. An internal error is a function error: Lambda
/// retries an asynchronous invocation after it, and then stores it in the dead letter queue.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    let started = commands.clock.now();
    let answer = match place(commands, payload.get(), invocation).await {
        Ok(reply) => reply,
        Err(problem) => {
            commands.count_failed(About::Orders, (problem.status, problem.code), started);
            if problem.status >= 500 {
                return Err(Failed(problem.message));
            }
            // The answer to an asynchronous invocation is lost, so the refusal is logged as well.
            let (request_id, code) = (&invocation.request_id, problem.code);
            tracing::warn!(
                request_id,
                code,
                "an order that was sent by direct invocation is refused"
            );
            Json::Object(Object::from([("error".to_owned(), problem.to_json())]))
        }
    };
    let answer = serde_json::to_value(&answer);
    answer.map_err(|error| Failed(format!("an answer that cannot be written: {error}")))
}

async fn place(
    commands: &Commands,
    payload: &str,
    invocation: &Invocation,
) -> Result<Json, Problem> {
    let order = Json::parse(payload).map_err(Refusal::from)?;
    let kind = order.kind();
    let mut members = order.into_object().ok_or_else(|| {
        let message = format!("an order was expected, not {kind}");
        Problem::invalid("not_an_object", "", message)
    })?;
    let traceparent = TraceParent::take(&mut members);
    let mut fields = Fields::new(members);
    let sender = Sender::of_invocation(&mut fields, traceparent, invocation)?;
    let context = translate::order::Context {
        default_id: Some(sender.order_id(&commands.environment)),
        default_fulfilment: Fulfilment::Automatic,
    };
    let place = translate::order::place(fields, context)?;
    let aggregate = AggregateId::Order(place.order_id.clone());
    let intent = order::Intent::Place(Box::new(place));
    sender.execute::<Order>(commands, aggregate, intent).await
}
