//! Commands over HTTP, and by direct invocation.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use domain::{
    AggregateId, EventSourced, Json, Order, OrderId, Refusal, Shipment, ShipmentId,
    aggregate::Intent as _,
    json::Object,
    order::{self, Fulfilment},
    shipment::UpdateKind,
};
use event_store::{Cause, commit::bounded};
use lambda::{
    Answer, Failed, Invocation,
    http::{Problem, Request, Response, is_request},
    trace::TraceParent,
};
use serde_json::value::RawValue;

use crate::{
    Commands,
    execute::Envelope,
    limits::KEY_MAX,
    reply::{problem, reply},
    told::About,
    translate::{self, fields::Fields},
};

/// Handles a request of the HTTP API, or an order by direct invocation.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    if is_request(payload) {
        let event: ApiGatewayV2httpRequest = serde_json::from_str(payload.get())
            .map_err(|_| Failed("not a request of an HTTP API".to_owned()))?;
        return Ok(match http(commands, event, invocation).await {
            Ok(response) => response.to_payload(),
            Err(problem) => problem.to_payload(),
        });
    }
    let started = commands.clock.now();
    let answer = match direct(commands, payload.get(), invocation).await {
        Ok(reply) => reply,
        Err(problem) => {
            commands.count_failed(About::Orders, problem.status, started);
            Json::Object(Object::from([("error".to_owned(), problem.to_json())]))
        }
    };
    let answer = serde_json::to_value(&answer);
    answer.map_err(|error| Failed(format!("an answer that cannot be written: {error}")))
}

// ---- HTTP

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
        commands.count_failed(about, problem.status, started);
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
            sender.send::<Order>(commands, aggregate, intent).await
        }
        ("POST", ["orders", id, "complete"]) => {
            let intent = translate::order::complete(of_path(request, id)?)?;
            sender
                .send::<Order>(commands, AggregateId::Order(order_id(id)?), intent)
                .await
        }
        ("POST", ["orders", id, "cancel"]) => {
            let intent = translate::order::cancel(of_path(request, id)?)?;
            sender
                .send::<Order>(commands, AggregateId::Order(order_id(id)?), intent)
                .await
        }
        ("POST", ["shipments", id, "updates"]) => {
            let shipment_id: ShipmentId = id
                .parse()
                .map_err(|error| Problem::invalid("invalid_field", "shipmentId", text(error)))?;
            let context = translate::shipment::Context {
                shipment_id: Some(shipment_id.clone()),
                kind: UpdateKind::Update,
                event_id: bounded(sender.cause_id.clone()),
                event_source: "http".to_owned(),
                event_time: commands.clock.now(),
            };
            let intent = translate::shipment::update(request.json()?, context)?;
            let aggregate = AggregateId::Shipment(shipment_id);
            sender.send::<Shipment>(commands, aggregate, intent).await
        }
        _ => Err(Problem::not_found("there is nothing here")),
    }
}

/// The members of a request about the order that its path names; they must not name another.
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

/// Who sends a command, and how it is known again.
#[derive(Debug)]
struct Sender {
    actor: String,
    source: &'static str,
    command_id: String,
    /// What makes the command id, without its sender: the order's id comes from it.
    key: String,
    correlation_id: String,
    cause_id: String,
    traceparent: Option<String>,
    expected_version: Option<u64>,
}

impl Sender {
    fn of_request(request: &Request, invocation: &Invocation) -> Result<Self, Problem> {
        let caller = &request.caller;
        let (command_id, key) = match request.header("idempotency-key")? {
            Some(key) => {
                check_key("Idempotency-Key", key)?;
                // A '/' in the caller must not read like the one before the key.
                let caller = caller.replace('%', "%25").replace('/', "%2F");
                (format!("http/{caller}/{key}"), key.to_owned())
            }
            None => {
                let id = &request.request_id;
                (format!("http-request/{id}"), format!("request/{id}"))
            }
        };
        let sent = request.header("traceparent")?.and_then(TraceParent::parse);
        let traceparent = sent.or_else(|| invocation.traceparent());
        let correlation_id = match request.header("x-correlation-id")? {
            Some(id) => {
                check_key("X-Correlation-Id", id)?;
                id
            }
            None => correlation(traceparent.as_ref(), &request.request_id),
        };
        Ok(Self {
            actor: caller.clone(),
            source: "http",
            command_id,
            key,
            correlation_id: correlation_id.to_owned(),
            cause_id: request.request_id.clone(),
            traceparent: traceparent.map(String::from),
            expected_version: expected_version(request.header("if-match")?)?,
        })
    }

    /// The id of an order that names none: the same for the same key, so a retry finds its order.
    fn order_id(&self, environment: &str) -> OrderId {
        translate::order::id_of(environment, &self.actor, &self.key)
    }

    async fn send<A: EventSourced>(
        self,
        commands: &Commands,
        aggregate: AggregateId,
        intent: A::Intent,
    ) -> Result<Response, Problem> {
        let reply = self.execute::<A>(commands, aggregate, intent).await?;
        Ok(Response::ok(reply))
    }

    async fn execute<A: EventSourced>(
        self,
        commands: &Commands,
        aggregate: AggregateId,
        intent: A::Intent,
    ) -> Result<Json, Problem> {
        let envelope = Envelope {
            aggregate: aggregate.clone(),
            expected_version: self.expected_version,
            cause: Cause {
                command_id: self.command_id,
                digest: intent.digest(),
                actor: self.actor,
                source: self.source.to_owned(),
                correlation_id: self.correlation_id,
                causation_id: self.cause_id,
                traceparent: self.traceparent,
            },
            intent,
        };
        commands
            .execute::<A>(envelope)
            .await
            .map(|outcome| reply(&aggregate, &outcome))
            .map_err(problem)
    }
}

/// `"7"` or `7`: the version that the sender has seen.
fn expected_version(if_match: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = if_match else {
        return Ok(None);
    };
    let digits = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let version = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    version.map(Some).ok_or_else(|| {
        Problem::invalid(
            "invalid_header",
            "If-Match",
            "a version was expected, such as \"3\"",
        )
    })
}

fn check_key(name: &str, key: &str) -> Result<(), Problem> {
    if (1..=KEY_MAX).contains(&key.chars().count()) {
        return Ok(());
    }
    let message = format!("1 to {KEY_MAX} characters were expected");
    Err(Problem::invalid("invalid_header", name, message))
}

/// What finds the whole way of a command: the trace that it belongs to, or else the request.
fn correlation<'a>(trace: Option<&'a TraceParent>, request_id: &'a str) -> &'a str {
    trace.map_or(request_id, TraceParent::trace_id)
}

// ---- Direct invocation

/// An order as it is, with `commandId` and `traceparent` beside it where its sender has them.
async fn direct(
    commands: &Commands,
    payload: &str,
    invocation: &Invocation,
) -> Result<Json, Problem> {
    let request_id = invocation.request_id.as_str();
    let order = Json::parse(payload).map_err(Refusal::from)?;
    let kind = order.kind();
    let mut members = order.into_object().ok_or_else(|| {
        Problem::invalid(
            "not_an_object",
            "",
            format!("an order was expected, not {kind}"),
        )
    })?;
    let traceparent = TraceParent::take(&mut members).or_else(|| invocation.traceparent());
    let mut fields = Fields::new(members);
    let key = match fields.text("commandId")? {
        Some(id) => {
            check_key("commandId", &id)?;
            id
        }
        None => format!("request/{request_id}"),
    };
    let sender = Sender {
        // Lambda does not tell a function who invoked it.
        actor: "invoke".to_owned(),
        source: "invoke",
        command_id: format!("invoke/{key}"),
        key,
        correlation_id: correlation(traceparent.as_ref(), request_id).to_owned(),
        cause_id: request_id.to_owned(),
        traceparent: traceparent.map(String::from),
        expected_version: None,
    };
    let context = translate::order::Context {
        default_id: Some(sender.order_id(&commands.environment)),
        default_fulfilment: Fulfilment::Automatic,
    };
    let place = translate::order::place(fields, context)?;
    let aggregate = AggregateId::Order(place.order_id.clone());
    let intent = order::Intent::Place(Box::new(place));
    sender.execute::<Order>(commands, aggregate, intent).await
}
