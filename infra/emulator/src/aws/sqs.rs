//! SQS: the queue of dead letters. A handler sends an event there that can never succeed; Lambda
//! sends an event there that a function has not accepted after all attempts. An operator receives
//! them from there.
//!
//! There is one queue, a standard queue. Delays, batches and other queues are not supported.

use axum::http::StatusCode;
use axum::response::Response;
use s3s::crypto::{Checksum as _, Md5};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Services, json_answer, json_error, request_id};
use crate::definition::Queue;
use crate::limits::{
    ASYNC_INVOCATION_BYTES, QUEUE_POLL, RECEIVE_WAIT_SECONDS_MAX, RECEIVED_MESSAGES,
    VISIBILITY_SECONDS, VISIBILITY_SECONDS_MAX,
};
use crate::state::{GivenUp, QueueMessage, ReceiveOptions, StateError, StoredAs};
use crate::{arn, clock};

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("The operation {0:?} is not offered here.")]
    Operation(String),
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("The specified queue does not exist: the only queue here is {0}.")]
    Queue(String),
    #[error("{0}")]
    Value(String),
    #[error("Unknown Attribute {0}.")]
    Attribute(String),
    #[error("The input receipt handle is invalid.")]
    Receipt,
    #[error("the queue cannot be read or written")]
    State(#[from] StateError),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    message_body: String,
    #[serde(default)]
    message_attributes: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The former name of `message_system_attribute_names`.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueUrl {
    queue_name: String,
}

/// Handles one operation.
pub(super) async fn handle(services: &Services, operation: &str, body: &[u8]) -> Response {
    let answered = match operation {
        "SendMessage" => send(services, body).await,
        "ReceiveMessage" => receive(services, body).await,
        "DeleteMessage" => delete(services, body).await,
        "ChangeMessageVisibility" => change_visibility(services, body).await,
        "GetQueueAttributes" => attributes(services, body).await,
        "GetQueueUrl" => url(services, body),
        other => Err(Refused::Operation(other.to_owned())),
    };
    match answered {
        Ok(answer) => json_answer(StatusCode::OK, &answer),
        Err(refused) => error(&refused),
    }
}

fn error(refused: &Refused) -> Response {
    let code = match refused {
        Refused::Operation(_) => "com.amazonaws.sqs#UnsupportedOperation",
        Refused::Unreadable(_) => "SerializationException",
        Refused::Queue(_) => "com.amazonaws.sqs#QueueDoesNotExist",
        Refused::Value(_) => "com.amazonaws.sqs#InvalidParameterValue",
        Refused::Attribute(_) => "com.amazonaws.sqs#InvalidAttributeName",
        Refused::Receipt => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
        Refused::State(error) => {
            tracing::error!(%error, "a request to SQS failed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return json_error(status, "InternalFailure", &refused.to_string());
        }
    };
    json_error(StatusCode::BAD_REQUEST, code, &refused.to_string())
}

/// Parses a request. Fails with `QueueDoesNotExist` where it names another queue than the only one.
fn read<T: DeserializeOwned>(
    services: &Services,
    body: &[u8],
    queue: impl Fn(&T) -> &str,
) -> Result<T, Refused> {
    let request: T = serde_json::from_slice(body)?;
    let own = &services.definition.dead_letter_queue.name;
    if arn::last_part(queue(&request)) == own.as_str() {
        Ok(request)
    } else {
        Err(Refused::Queue(own.clone()))
    }
}

async fn send(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    let request: SendMessage = read(services, body, |request: &SendMessage| &request.queue_url)?;
    if request.message_body.is_empty() || request.message_body.len() > ASYNC_INVOCATION_BYTES {
        let text = "One or more parameters are invalid. Reason: the message's length";
        return Err(Refused::Value(text.to_owned()));
    }
    let id = request_id();
    let answer = json!({ "MessageId": id, "MD5OfMessageBody": md5(&request.message_body) });
    let stored_as = StoredAs::Message {
        id,
        attributes: Value::Object(request.message_attributes.clone()).to_string(),
        sent_ms: clock::now().timestamp_millis(),
    };
    let letter = dead_letter(request);
    let sender = sender_of(&services.definition.dead_letter_queue, &letter);
    services.state.give_up(sender, letter, stored_as).await?;
    Ok(answer)
}

async fn receive(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    let request: ReceiveMessage = read(services, body, |request: &ReceiveMessage| {
        &request.queue_url
    })?;
    let within = |name, asked: Option<i64>, unless, least, most: u32| {
        let asked = asked.map_or(Ok(unless), u32::try_from).ok();
        let asked = asked.filter(|asked| (least..=most).contains(asked));
        let text = format!(
            "Value for parameter {name} is invalid. Reason: Must be between {least} and {most}, \
             if provided."
        );
        asked.ok_or(Refused::Value(text))
    };
    let most = request.max_number_of_messages;
    let most = within("MaxNumberOfMessages", most, 1, 1, RECEIVED_MESSAGES)?;
    let hidden = request.visibility_timeout;
    let (unless, longest) = (VISIBILITY_SECONDS, VISIBILITY_SECONDS_MAX);
    let hidden = within("VisibilityTimeout", hidden, unless, 0, longest)?;
    let wait = request.wait_time_seconds;
    let wait = within("WaitTimeSeconds", wait, 0, 0, RECEIVE_WAIT_SECONDS_MAX)?;

    let until = Instant::now() + std::time::Duration::from_secs(wait.into());
    while !services.state.message_is_due(now_ms()).await? {
        if Instant::now() >= until {
            return Ok(json!({}));
        }
        tokio::time::sleep(QUEUE_POLL).await;
    }
    let options = ReceiveOptions {
        limit: most,
        hidden_ms: i64::from(hidden) * 1_000,
        now_ms: now_ms(),
    };
    let taken = services.state.take_messages(options).await?;
    let messages = taken.into_iter().map(|message| shown(message, &request));
    match messages.collect::<Result<Vec<_>, _>>()? {
        // Another caller has taken the message meanwhile.
        messages if messages.is_empty() => Ok(json!({})),
        messages => Ok(json!({ "Messages": messages })),
    }
}

async fn delete(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    let request: DeleteMessage =
        read(services, body, |request: &DeleteMessage| &request.queue_url)?;
    let receipt = receipt(&request.receipt_handle)?;
    services.state.delete_message(receipt).await?;
    Ok(json!({}))
}

async fn change_visibility(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    type Request = ChangeMessageVisibility;
    let request: Request = read(services, body, |request: &Request| &request.queue_url)?;
    let receipt = receipt(&request.receipt_handle)?;
    let seconds = request.visibility_timeout;
    if seconds > VISIBILITY_SECONDS_MAX {
        let text = "Value for parameter VisibilityTimeout is invalid.";
        return Err(Refused::Value(text.to_owned()));
    }
    let until = now_ms() + i64::from(seconds) * 1_000;
    services.state.hide_message(receipt, until).await?;
    Ok(json!({}))
}

fn receipt(handle: &str) -> Result<String, Refused> {
    let receipt = uuid::Uuid::parse_str(handle);
    Ok(receipt.map_err(|_| Refused::Receipt)?.to_string())
}

async fn attributes(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    let request: GetQueueAttributes = read(services, body, |request: &GetQueueAttributes| {
        &request.queue_url
    })?;
    let depth = services.state.queue_depth(now_ms()).await?;
    let known = [
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            depth.hidden.to_string(),
        ),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
        (
            "QueueArn",
            arn::queue(&services.definition.dead_letter_queue.name),
        ),
        ("VisibilityTimeout", VISIBILITY_SECONDS.to_string()),
        ("MaximumMessageSize", ASYNC_INVOCATION_BYTES.to_string()),
    ];
    let wanted = &request.attribute_names;
    let names = known.iter().map(|(name, _)| *name);
    if let Some(unknown) = unknown(wanted, names) {
        return Err(Refused::Attribute(unknown));
    }
    let found = known.into_iter().filter(|(name, _)| asked(wanted, name));
    let found: Map<String, Value> = found
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Ok(json!({ "Attributes": found }))
}

fn url(services: &Services, body: &[u8]) -> Result<Value, Refused> {
    read(services, body, |request: &GetQueueUrl| &request.queue_name)?;
    Ok(json!({ "QueueUrl": services.queue_url }))
}

/// Returns a message in the form of `ReceiveMessage`. The checksum of the attributes is left out:
/// the message has crossed no network.
fn shown(message: QueueMessage, request: &ReceiveMessage) -> Result<Value, serde_json::Error> {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": md5(&message.body),
    });
    let system = [
        ("SenderId", arn::ACCOUNT.to_owned()),
        ("SentTimestamp", message.sent_ms.to_string()),
        ("ApproximateReceiveCount", message.receives.to_string()),
        (
            "ApproximateFirstReceiveTimestamp",
            message.first_received_ms.to_string(),
        ),
    ];
    let wanted = [
        &request.message_system_attribute_names[..],
        &request.attribute_names,
    ];
    let wanted = wanted.concat();
    let system = system.into_iter().filter(|(name, _)| asked(&wanted, name));
    let system: Map<String, Value> = system
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let mut own: Map<String, Value> = serde_json::from_str(&message.attributes)?;
    own.retain(|name, _| asked(&request.message_attribute_names, name));
    for (field, values) in [("Attributes", system), ("MessageAttributes", own)] {
        if !values.is_empty() {
            shown[field] = values.into();
        }
    }
    shown["Body"] = message.body.into();
    Ok(shown)
}

/// Whether a list of names selects this one: by its name, by a prefix with `.*`, or by `All`.
fn asked(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|wanted| match wanted.strip_suffix(".*") {
        _ if wanted == "All" => true,
        Some(start) => name.starts_with(start),
        None => wanted == name,
    })
}

/// Returns the first name in the list that is not known, if any.
fn unknown<'a>(wanted: &[String], known: impl Iterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.collect();
    let mut wanted = wanted.iter().filter(|wanted| *wanted != "All");
    wanted
        .find(|wanted| !known.contains(&wanted.as_str()))
        .cloned()
}

fn now_ms() -> i64 {
    clock::now().timestamp_millis()
}

fn md5(text: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(text.as_bytes());
    let digits = md5.finalize();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the id of the function that gave an event up. The source of the event selects it.
fn sender_of(queue: &Queue, letter: &GivenUp) -> String {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        source: std::borrow::Cow<'a, str>,
    }
    let event = serde_json::from_str::<Event<'_>>(&letter.record).ok();
    let sender = event.and_then(|event| queue.senders.get(event.source.as_ref()));
    sender.unwrap_or(&queue.other_sender).clone()
}

fn dead_letter(request: SendMessage) -> GivenUp {
    let reason = request.message_attributes.get("reason");
    let reason = reason.and_then(|reason| reason["StringValue"].as_str());
    GivenUp {
        at: clock::text(clock::now()),
        reason: reason.unwrap_or("none given").to_owned(),
        attempts: 1,
        record: request.message_body,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::toy;

    fn sent(body: &str) -> GivenUp {
        let request = json!({
            "QueueUrl": "http://localhost/000000000000/toy-dead-letters",
            "MessageBody": body,
            "MessageAttributes": { "reason": { "DataType": "String", "StringValue": "invalid" } },
        });
        dead_letter(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn a_message_is_kept_as_it_was_sent() {
        let letter = sent("{\"n\": 1.10}");
        assert_eq!(
            (letter.reason.as_str(), letter.record.as_str()),
            ("invalid", "{\"n\": 1.10}")
        );
        assert_eq!(sent("no JSON").record, "no JSON");
    }

    #[test]
    fn a_message_belongs_to_the_function_that_its_event_reached() {
        let queue = toy::library().dead_letter_queue;
        let sender_of = |body| sender_of(&queue, &sent(body));
        assert_eq!(sender_of("{\"source\": \"aws.s3\"}"), "scan");
        assert_eq!(sender_of("{\"source\": \"library.loans\"}"), "lend");
        assert_eq!(sender_of("no JSON"), "lend");
    }

    fn receives(asked: &Value) -> Value {
        let message = QueueMessage {
            id: "m".to_owned(),
            body: "{\"n\": 1.10}".to_owned(),
            attributes: r#"{"RequestID":{"DataType":"String","StringValue":"r"}}"#.to_owned(),
            sent_ms: 5,
            receives: 2,
            first_received_ms: 6,
            receipt: "h".to_owned(),
        };
        let mut request = json!({ "QueueUrl": "q" });
        for (name, value) in asked.as_object().unwrap() {
            request[name] = value.clone();
        }
        shown(message, &serde_json::from_value(request).unwrap()).unwrap()
    }

    #[test]
    fn a_message_shows_the_attributes_that_were_asked_for() {
        let bare = json!({
            "MessageId": "m", "ReceiptHandle": "h", "Body": "{\"n\": 1.10}",
            "MD5OfBody": "5dad2d120e1a7712b23328275e4995b2",
        });
        assert_eq!(receives(&json!({})), bare);
        let all = receives(&json!({
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["Request.*"],
        }));
        assert_eq!(all["Attributes"]["SentTimestamp"], "5");
        assert_eq!(all["Attributes"]["ApproximateFirstReceiveTimestamp"], "6");
        assert_eq!(all["MessageAttributes"]["RequestID"]["StringValue"], "r");
        let one = receives(&json!({
            "AttributeNames": ["ApproximateReceiveCount"], "MessageAttributeNames": ["Other"],
        }));
        let count = json!({ "ApproximateReceiveCount": "2" });
        assert_eq!(
            (&one["Attributes"], one.get("MessageAttributes")),
            (&count, None)
        );
    }
}
