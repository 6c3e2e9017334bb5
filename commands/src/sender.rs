//! The sender and the command id of a command over HTTP or by direct invocation.

use domain::{
    AggregateId, Digest, EventSourced, Json, OrderId, aggregate::Intent as _, personal::Owner,
};
use event_store::Cause;
use lambda::{
    Invocation,
    http::{Problem, Request},
    trace::TraceParent,
};

use crate::{
    Commands,
    erase::erase,
    execute::Envelope,
    limits::KEY_MAX,
    reply::{problem, reply},
    translate::{self, fields::Fields},
};

/// The sender of a command with the command's metadata.
#[derive(Debug)]
pub(crate) struct Sender {
    actor: String,
    source: &'static str,
    command_id: String,
    /// The part of the command id without the sender, of which the id of an order that names none
    /// is made.
    key: String,
    correlation_id: String,
    cause_id: String,
    traceparent: Option<String>,
    expected_version: Option<u64>,
}

impl Sender {
    /// The caller that the gateway names, with the metadata in the request's headers.
    pub(crate) fn of_request(request: &Request, invocation: &Invocation) -> Result<Self, Problem> {
        let caller = &request.caller;
        let (command_id, key) = match request.header("idempotency-key")? {
            Some(key) => {
                check_key("Idempotency-Key", key)?;
                // A '/' in the caller must not look like the one before the key.
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

    /// The sender `invoke`, with the metadata in `commandId` and `traceparent` beside an order,
    /// which are removed from it. Lambda does not say who has invoked a function, so all callers
    /// are one sender.
    pub(crate) fn of_invocation(
        fields: &mut Fields,
        traceparent: Option<TraceParent>,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let request_id = invocation.request_id.as_str();
        let key = match fields.text("commandId")? {
            Some(id) => {
                check_key("commandId", &id)?;
                id
            }
            None => format!("request/{request_id}"),
        };
        let traceparent = traceparent.or_else(|| invocation.traceparent());
        Ok(Self {
            actor: "invoke".to_owned(),
            source: "invoke",
            command_id: format!("invoke/{key}"),
            key,
            correlation_id: correlation(traceparent.as_ref(), request_id).to_owned(),
            cause_id: request_id.to_owned(),
            traceparent: traceparent.map(String::from),
            expected_version: None,
        })
    }

    /// The id of the request or invocation.
    pub(crate) fn cause_id(&self) -> &str {
        &self.cause_id
    }

    /// The id of an order that names none. It is the same for the same key, so a retry finds its
    /// order.
    pub(crate) fn order_id(&self, environment: &str) -> OrderId {
        translate::order::id_of(environment, &self.actor, &self.key)
    }

    /// Erases the personal data of `owner`, and returns the answer or problem for the sender.
    pub(crate) async fn erase(self, commands: &Commands, owner: &Owner) -> Result<Json, Problem> {
        let cause = Cause {
            command_id: self.command_id,
            digest: Digest::of(&Json::Null),
            actor: self.actor,
            source: self.source.to_owned(),
            correlation_id: self.correlation_id,
            causation_id: self.cause_id,
            traceparent: self.traceparent,
        };
        let erased = erase(&commands.store, commands.clock.as_ref(), owner, cause).await;
        erased.map(|erased| erased.to_json()).map_err(problem)
    }

    /// Executes the command, and returns the answer or problem for the sender.
    pub(crate) async fn execute<A: EventSourced>(
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

/// Parses the header `If-Match`, `"7"` or `7`: the version that the sender expects.
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

/// The correlation id: the id of the trace, or of the request where there is no trace.
fn correlation<'a>(trace: Option<&'a TraceParent>, request_id: &'a str) -> &'a str {
    trace.map_or(request_id, TraceParent::trace_id)
}
