//! SNS: `Publish` and `PublishBatch` in its query protocol, with a form as the request and XML as
//! the answer.
//!
//! A published message is kept to be looked at; topics have no subscribers.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{OFFERED, Services, request_id};
use crate::limits::{PUBLISH_BATCH_ENTRIES, PUBLISH_BYTES, SUBJECT_CHARACTERS};
use crate::state::{Acceptance, Message};
use crate::{arn, clock};

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The fields of a request by name. Of a repeated field the last value counts.
type Form = BTreeMap<String, String>;

/// An error in the form of SNS's answers.
#[derive(Debug, PartialEq, Eq)]
struct SnsError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl SnsError {
    fn sender(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    fn parameter(reason: &str) -> Self {
        Self::sender("InvalidParameter", format!("Invalid parameter: {reason}"))
    }
}

/// The result of a request: the messages to keep, and the answer.
struct Published {
    messages: Vec<Message>,
    action: &'static str,
    result: String,
}

/// Handles one request.
pub(super) async fn handle(services: &Services, body: &[u8]) -> Response {
    let form: Form = form_urlencoded::parse(body).into_owned().collect();
    let published = match form.get("Action").map(String::as_str) {
        Some("Publish") => publish(&services.definition.topics, &form),
        Some("PublishBatch") => publish_batch(&services.definition.topics, &form),
        action => {
            let action = action.unwrap_or_default();
            Err(SnsError::sender(
                "InvalidAction",
                format!("{action:?} is not known here; {OFFERED}"),
            ))
        }
    };
    match published {
        Ok(published) => store(services, published).await,
        Err(error) => failure(&error),
    }
}

async fn store(services: &Services, published: Published) -> Response {
    let Published {
        messages,
        action,
        result,
    } = published;
    let now = clock::now();
    let acceptance = Acceptance {
        messages,
        deliveries: Vec::new(),
    };
    let stored = services
        .state
        .accept(clock::text(now), now.timestamp_millis(), acceptance)
        .await;
    if let Err(error) = stored {
        tracing::error!(%error, action, "a request to SNS failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let message = "the message was not stored".to_owned();
        return failure(&SnsError {
            status,
            code: "InternalError",
            message,
        });
    }
    let request_id = request_id();
    xml(
        StatusCode::OK,
        format!(
            "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
             </{action}Response>"
        ),
    )
}

fn failure(error: &SnsError) -> Response {
    let SnsError {
        status,
        code,
        message,
    } = error;
    let kind = if status.is_client_error() {
        "Sender"
    } else {
        "Receiver"
    };
    let (message, request_id) = (escaped(message), request_id());
    xml(
        *status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "text/xml")], body).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn publish(topics: &[String], form: &Form) -> Result<Published, SnsError> {
    let topic = form.get("TopicArn").or_else(|| form.get("TargetArn"));
    let topic = known_topic(topics, topic)?;
    let (message, bytes) = message(form, "", &topic)?;
    if bytes > PUBLISH_BYTES {
        return Err(SnsError::parameter("Message too long"));
    }
    let result = format!("<MessageId>{}</MessageId>", request_id());
    Ok(Published {
        messages: vec![message],
        action: "Publish",
        result,
    })
}

fn publish_batch(topics: &[String], form: &Form) -> Result<Published, SnsError> {
    let topic = known_topic(topics, form.get("TopicArn"))?;
    let entries = batch_entries(form)?;
    let (mut messages, mut total) = (Vec::new(), 0);
    let (mut successful, mut failed) = (String::new(), String::new());
    for (id, prefix) in &entries {
        match message(form, prefix, &topic) {
            Ok((message, bytes)) => {
                messages.push(message);
                total += bytes;
                let message_id = request_id();
                successful.push_str(&format!(
                    "<member><Id>{id}</Id><MessageId>{message_id}</MessageId></member>"
                ));
            }
            Err(SnsError { code, message, .. }) => {
                let message = escaped(&message);
                failed.push_str(&format!(
                    "<member><Id>{id}</Id><Code>{code}</Code><Message>{message}</Message>\
                     <SenderFault>true</SenderFault></member>"
                ));
            }
        }
    }
    if total > PUBLISH_BYTES {
        let message = "The length of all the messages put together is more than the limit.";
        return Err(SnsError::sender("BatchRequestTooLong", message));
    }
    let result = format!("<Successful>{successful}</Successful><Failed>{failed}</Failed>");
    Ok(Published {
        messages,
        action: "PublishBatch",
        result,
    })
}

/// Returns the name of the topic with this ARN. Fails with `NotFound` where the topic does not
/// exist.
fn known_topic(topics: &[String], arn: Option<&String>) -> Result<String, SnsError> {
    let arn = arn.ok_or_else(|| SnsError::parameter("TopicArn or TargetArn Reason: no value"))?;
    let name = arn::last_part(arn);
    if arn.starts_with("arn:") && topics.iter().any(|topic| topic == name) {
        return Ok(name.to_owned());
    }
    let message = "Topic does not exist".to_owned();
    Err(SnsError {
        status: StatusCode::NOT_FOUND,
        code: "NotFound",
        message,
    })
}

/// Returns the id of each entry and the prefix of its fields. Fails where SNS refuses the batch as
/// a whole.
fn batch_entries(form: &Form) -> Result<Vec<(String, String)>, SnsError> {
    let mut entries = Vec::new();
    for position in 1.. {
        let prefix = format!("PublishBatchRequestEntries.member.{position}.");
        let Some(id) = form.get(&format!("{prefix}Id")) else {
            break;
        };
        entries.push((id.clone(), prefix));
    }
    if entries.is_empty() {
        let message = "The batch request doesn't contain any entries.";
        return Err(SnsError::sender("EmptyBatchRequest", message));
    }
    if entries.len() > PUBLISH_BATCH_ENTRIES {
        let message = "The batch request contains more entries than permissible.";
        return Err(SnsError::sender("TooManyEntriesInBatchRequest", message));
    }
    let valid = |id: &str| {
        (1..=80).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if entries.iter().any(|(id, _)| !valid(id)) {
        let message =
            "The Id of a batch entry in a batch request doesn't abide by the specification.";
        return Err(SnsError::sender("InvalidBatchEntryId", message));
    }
    let distinct: BTreeSet<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
    if distinct.len() < entries.len() {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(SnsError::sender("BatchEntryIdsNotDistinct", message));
    }
    Ok(entries)
}

/// Returns the message whose fields start with `prefix`, and its size in bytes.
fn message(form: &Form, prefix: &str, topic: &str) -> Result<(Message, usize), SnsError> {
    let field = |name: &str| form.get(&format!("{prefix}{name}"));
    let text = field("Message").filter(|text| !text.is_empty());
    let text = text
        .ok_or_else(|| SnsError::parameter("Empty message"))?
        .clone();
    let subject = field("Subject").cloned();
    if subject
        .as_deref()
        .is_some_and(|subject| !valid_subject(subject))
    {
        return Err(SnsError::parameter("Subject"));
    }
    let (attributes, attribute_bytes) = attributes(form, prefix)?;
    let bytes = text.len() + attribute_bytes;
    let topic = topic.to_owned();
    Ok((
        Message::Sns {
            topic,
            subject,
            message: text,
            attributes,
        },
        bytes,
    ))
}

/// Whether a subject is valid for SNS: 1 to 100 characters of ASCII, without control characters,
/// not starting with a space.
fn valid_subject(subject: &str) -> bool {
    (1..=SUBJECT_CHARACTERS).contains(&subject.len())
        && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !subject.starts_with(' ')
}

/// Returns the message attributes by name, and the bytes of their names, types and values.
fn attributes(form: &Form, prefix: &str) -> Result<(BTreeMap<String, String>, usize), SnsError> {
    let mut attributes = BTreeMap::new();
    let mut bytes = 0;
    for position in 1.. {
        let entry = format!("{prefix}MessageAttributes.entry.{position}.");
        let field = |name: &str| form.get(&format!("{entry}{name}"));
        let Some(name) = field("Name") else { break };
        let kind = field("Value.DataType").map_or("", String::as_str);
        let value = field("Value.StringValue").or_else(|| field("Value.BinaryValue"));
        let Some(value) = value.filter(|value| !value.is_empty() && !kind.is_empty()) else {
            let reason = format!("The message attribute '{name}' must contain a type and a value.");
            return Err(SnsError::sender("ParameterValueInvalid", reason));
        };
        bytes += name.len() + kind.len() + value.len();
        attributes.insert(name.clone(), value.clone());
    }
    Ok((attributes, bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:toy-notices";

    fn form(fields: &[(&str, &str)]) -> Form {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn topics() -> Vec<String> {
        vec!["toy-others".to_owned(), "toy-notices".to_owned()]
    }

    /// Builds a batch with these ids, all with the same text.
    fn batch(ids: &[&str], text: &str) -> Form {
        let mut form = form(&[("TopicArn", TOPIC)]);
        for (index, id) in ids.iter().enumerate() {
            let prefix = format!("PublishBatchRequestEntries.member.{}.", index + 1);
            form.insert(format!("{prefix}Id"), (*id).to_owned());
            form.insert(format!("{prefix}Message"), text.to_owned());
        }
        form
    }

    fn code(result: Result<Published, SnsError>) -> &'static str {
        result.err().unwrap().code
    }

    #[test]
    fn a_message_is_read_with_its_attributes() {
        let body = format!(
            "Action=Publish&TopicArn={}&Message=a%26b+c&Subject=Late+Book\
             &MessageAttributes.entry.1.Name=status&MessageAttributes.entry.1.Value.DataType=String\
             &MessageAttributes.entry.1.Value.StringValue=LOST\
             &MessageAttributes.entry.2.Name=key&MessageAttributes.entry.2.Value.DataType=Binary\
             &MessageAttributes.entry.2.Value.BinaryValue=AAE%3D",
            TOPIC.replace(':', "%3A")
        );
        let form: Form = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let published = publish(&topics(), &form).unwrap();
        assert_eq!(
            serde_json::to_value(&published.messages[0]).unwrap(),
            serde_json::json!({
                "via": "SNS", "topic": "toy-notices", "subject": "Late Book",
                "message": "a&b c", "attributes": { "status": "LOST", "key": "AAE=" },
            })
        );
    }

    #[test]
    fn an_unknown_topic_is_not_found() {
        let unknown = "arn:aws:sns:us-east-1:000000000000:toy-unknown";
        let form = form(&[("TopicArn", unknown), ("Message", "m")]);
        assert_eq!(code(publish(&topics(), &form)), "NotFound");
    }

    #[test]
    fn a_message_needs_a_text_and_a_subject_in_bounds() {
        let with = |name: &str, value: &str| {
            let mut fields = form(&[("TopicArn", TOPIC), ("Message", "m")]);
            fields.insert(name.to_owned(), value.to_owned());
            publish(&topics(), &fields)
        };
        assert!(with("Subject", &"s".repeat(100)).is_ok());
        assert_eq!(code(with("Subject", &"s".repeat(101))), "InvalidParameter");
        assert_eq!(code(with("Subject", "two\nlines")), "InvalidParameter");
        assert_eq!(code(with("Subject", "")), "InvalidParameter");
        assert_eq!(code(with("Message", "")), "InvalidParameter");
        assert!(with("Message", &"m".repeat(PUBLISH_BYTES)).is_ok());
        assert_eq!(
            code(with("Message", &"m".repeat(PUBLISH_BYTES + 1))),
            "InvalidParameter"
        );
        assert_eq!(
            code(with("MessageAttributes.entry.1.Name", "n")),
            "ParameterValueInvalid"
        );
    }

    #[test]
    fn a_batch_is_refused_as_a_whole_for_its_form() {
        let topics = topics();
        let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
        assert!(publish_batch(&topics, &batch(&eleven[..10], "m")).is_ok());
        let refused = |form: &Form| code(publish_batch(&topics, form));
        assert_eq!(
            refused(&batch(&eleven, "m")),
            "TooManyEntriesInBatchRequest"
        );
        assert_eq!(refused(&batch(&[], "m")), "EmptyBatchRequest");
        assert_eq!(
            refused(&batch(&["a", "a"], "m")),
            "BatchEntryIdsNotDistinct"
        );
        assert_eq!(refused(&batch(&["a b"], "m")), "InvalidBatchEntryId");
        let half = "m".repeat(PUBLISH_BYTES / 2 + 1);
        assert_eq!(refused(&batch(&["a", "b"], &half)), "BatchRequestTooLong");
    }

    #[test]
    fn one_bad_entry_does_not_stop_the_others() {
        let mut form = batch(&["a", "b"], "m");
        form.insert(
            "PublishBatchRequestEntries.member.1.Subject".to_owned(),
            "é".to_owned(),
        );
        let published = publish_batch(&topics(), &form).unwrap();
        assert_eq!(published.messages.len(), 1);
        assert!(
            published
                .result
                .contains("<Failed><member><Id>a</Id><Code>InvalidParameter<")
        );
        assert!(
            published
                .result
                .contains("<Successful><member><Id>b</Id><MessageId>")
        );
    }
}
