//! SQS: `SendMessage` to the queue of dead letters, where a handler puts an event that can never
//! succeed.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Services, json_answer, json_error, request_id};
use crate::functions::Role;
use crate::limits::ASYNC_INVOCATION_BYTES;
use crate::state::GivenUp;
use crate::{arn, clock};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    message_body: String,
    #[serde(default)]
    message_attributes: Value,
}

/// Answers `SendMessage`. The checksums that SQS adds are left out: whoever sends from here has
/// crossed no network.
pub(super) async fn send_message(services: &Services, body: &[u8]) -> Response {
    let request: SendMessage = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            let message = error.to_string();
            return json_error(StatusCode::BAD_REQUEST, "SerializationException", &message);
        }
    };
    let queue = services.names.of(arn::DEAD_LETTERS);
    if arn::last_part(&request.queue_url) != queue {
        let code = "com.amazonaws.sqs#QueueDoesNotExist";
        let message = format!("the only queue here is {queue}");
        return json_error(StatusCode::BAD_REQUEST, code, &message);
    }
    if request.message_body.is_empty() || request.message_body.len() > ASYNC_INVOCATION_BYTES {
        let code = "com.amazonaws.sqs#InvalidParameterValue";
        let message = "One or more parameters are invalid. Reason: the message's length";
        return json_error(StatusCode::BAD_REQUEST, code, message);
    }
    let letter = dead_letter(request);
    match services.state.give_up(whose(&letter), letter).await {
        Ok(()) => json_answer(StatusCode::OK, &json!({ "MessageId": request_id() })),
        Err(error) => {
            tracing::error!(%error, "SQS");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            json_error(status, "InternalFailure", "the message was not stored")
        }
    }
}

/// The function that gave an event up: S3's events reach another one than all others.
fn whose(letter: &GivenUp) -> &'static str {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        source: std::borrow::Cow<'a, str>,
    }
    let event = serde_json::from_str::<Event<'_>>(&letter.record);
    let role = match event {
        Ok(event) if event.source == "aws.s3" => Role::Import,
        _ => Role::Bus,
    };
    role.name()
}

fn dead_letter(request: SendMessage) -> GivenUp {
    let reason = request
        .message_attributes
        .pointer("/reason/StringValue")
        .and_then(Value::as_str);
    let reason = reason.unwrap_or("none given").to_owned();
    let is_json = serde_json::from_str::<&RawValue>(&request.message_body).is_ok();
    let record = if is_json {
        request.message_body
    } else {
        Value::String(request.message_body).to_string()
    };
    GivenUp {
        at: clock::text(clock::now()),
        reason,
        attempts: 1,
        record,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(body: &str) -> GivenUp {
        let request = json!({
            "QueueUrl": "http://localhost/000000000000/waybill-dev-dead-letters",
            "MessageBody": body,
            "MessageAttributes": { "reason": { "DataType": "String", "StringValue": "invalid" } },
        });
        dead_letter(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn a_message_is_kept_as_it_was_sent() {
        let letter = read("{\"n\": 1.10}");
        assert_eq!(
            (letter.reason.as_str(), letter.record.as_str()),
            ("invalid", "{\"n\": 1.10}")
        );
        assert_eq!(read("no JSON").record, "\"no JSON\"");
    }

    #[test]
    fn a_message_belongs_to_the_function_that_its_event_reached() {
        assert_eq!(whose(&read("{\"source\": \"aws.s3\"}")), "import");
        assert_eq!(whose(&read("{\"source\": \"orders.commands\"}")), "bus");
        assert_eq!(whose(&read("no JSON")), "bus");
    }
}
