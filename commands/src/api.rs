//! The role `api`: commands over the HTTP API.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use domain::{
    AggregateId, EventSourced, Order, OrderId, Shipment, ShipmentId,
    order::{self, Fulfilment},
    shipment::UpdateKind,
};
use event_store::commit::bounded;
use lambda::{
    Answer, Failed, Invocation,
    http::{Problem, Request, Response, is_request},
};
use serde_json::value::RawValue;

use crate::{
    Commands, invoke,
    sender::Sender,
    telemetry::About,
    translate::{self, fields::Fields},
};

/// Handles a request of the HTTP API. The request names its caller, so it is accepted only from the
/// gateway, by the alias that nobody else may invoke.
///
/// An order by direct invocation, for which the function `invoke` exists, is still accepted by this
/// function for older callers, with a warning in the log.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    if !is_request(payload) {
        tracing::warn!("an order by direct invocation: send it to the function `invoke`");
        return invoke::handle(commands, payload, invocation).await;
    }
    if !invocation.is_by_gateway() {
        tracing::warn!("a request is refused because it did not come through the API gateway");
        let message = "requests are accepted only through the HTTP API's gateway";
        return Ok(Problem::forbidden("not_by_gateway", message).to_payload());
    }
    let event: ApiGatewayV2httpRequest = serde_json::from_str(payload.get())
        .map_err(|_| Failed("not a request of an HTTP API".to_owned()))?;
    Ok(match http(commands, event, invocation).await {
        Ok(response) => response.to_payload(),
        Err(problem) => problem.to_payload(),
    })
}

async fn http(
    commands: &Commands,
    event: ApiGatewayV2httpRequest,
    invocation: &Invocation,
) -> Result<Response, Problem> {
    let request = Request::new(event)?;
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let started = commands.clock.now();
    let answer = command(commands, &request, &path, invocation).await;
    if let (Some(about), Err(problem)) = (About::of_path(&path), &answer) {
        commands.count_failed(about, (problem.status, problem.code), started);
    }
    answer
}

async fn command(
    commands: &Commands,
    request: &Request,
    path: &[&str],
    invocation: &Invocation,
) -> Result<Response, Problem> {
    let sender = Sender::of_request(request, invocation)?;
    match (request.method.as_str(), path) {
        ("POST", ["orders"]) => {
            let place = translate::order::place(
                Fields::new(request.json()?),
                translate::order::Context {
                    default_id: Some(sender.order_id(&commands.environment)),
                    default_fulfilment: Fulfilment::Merchant,
                },
            )?;
            let aggregate = AggregateId::Order(place.order_id.clone());
            let intent = order::Intent::Place(Box::new(place));
            send::<Order>(sender, commands, aggregate, intent).await
        }
        ("POST", ["orders", id, "complete"]) => {
            let intent = translate::order::complete(of_path(request, id)?)?;
            let aggregate = AggregateId::Order(order_id(id)?);
            send::<Order>(sender, commands, aggregate, intent).await
        }
        ("POST", ["orders", id, "cancel"]) => {
            let intent = translate::order::cancel(of_path(request, id)?)?;
            let aggregate = AggregateId::Order(order_id(id)?);
            send::<Order>(sender, commands, aggregate, intent).await
        }
        ("POST", ["shipments", id, "updates"]) => {
            let shipment_id: ShipmentId = id
                .parse()
                .map_err(|error| Problem::invalid("invalid_field", "shipmentId", text(error)))?;
            let context = translate::shipment::Context {
                shipment_id: Some(shipment_id.clone()),
                kind: UpdateKind::Update,
                event_id: bounded(sender.cause_id().to_owned()),
                event_source: "http".to_owned(),
                event_time: commands.clock.now(),
            };
            let intent = translate::shipment::update(request.json()?, context)?;
            let aggregate = AggregateId::Shipment(shipment_id);
            send::<Shipment>(sender, commands, aggregate, intent.into()).await
        }
        ("DELETE", ["customers", id, "personal-data"]) => {
            let owner = format!("customer#{id}").parse();
            let owner = owner
                .map_err(|error| Problem::invalid("invalid_field", "customerId", text(error)))?;
            sender.erase(commands, &owner).await.map(Response::ok)
        }
        _ => Err(Problem::not_found("there is nothing here")),
    }
}

async fn send<A: EventSourced>(
    sender: Sender,
    commands: &Commands,
    aggregate: AggregateId,
    intent: A::Intent,
) -> Result<Response, Problem> {
    let reply = sender.execute::<A>(commands, aggregate, intent).await?;
    Ok(Response::ok(reply))
}

/// The members of a request about the order in its path. Refused where the body names another
/// order.
fn of_path(request: &Request, id: &str) -> Result<Fields, Problem> {
    let mut fields = Fields::new(request.json()?);
    match fields.id("orderId")? {
        Some(named) if named != id => {
            Err(fields.wrong("orderId", "it is not the order of the path"))?
        }
        _ => Ok(fields),
    }
}

fn order_id(text_of_id: &str) -> Result<OrderId, Problem> {
    text_of_id
        .parse()
        .map_err(|error| Problem::invalid("invalid_field", "orderId", text(error)))
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
