//! The interface to the operator: alerts on the SNS topic, and events in the dead letter queue.

use std::borrow::Cow;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use event_store::failure::describe;
use lambda::Settings;

use crate::limits::{ALERT_TEXT_MAX, REASON_MAX};

/// Why an event lies among the dead letters: attributes of the message, beside its content. So a
/// list of dead letters says why without opening one. None of it is a text that a sender wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterReason {
    /// The code of its rejection: the attribute `reason`.
    pub code: String,
    /// The field at fault, where there is one, such as `items[3].price`.
    pub field: Option<String>,
    /// What is wrong, for people, in Waybill's own words.
    pub message: Option<String>,
}

/// Receives events that can never succeed, and the alerts about them.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Stores an event in the dead letter queue, with why it was rejected beside it. It holds
    /// customer data, so it goes nowhere else.
    async fn keep_dead_letter(
        &self,
        event: &str,
        reason: &DeadLetterReason,
    ) -> Result<(), Unreachable>;

    /// Sends an alert that a command was rejected. The text holds no customer data; `id` is the
    /// same when the alert is sent again.
    async fn alert(&self, subject: &str, text: &str, id: &str) -> Result<(), Unreachable>;
}

/// The queue or the topic is unavailable. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operator unreachable: {0}")]
pub struct Unreachable(pub String);

/// The operator behind SQS and SNS.
#[derive(Debug)]
pub struct AwsOperator {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    queue_url: String,
    topic_arn: String,
    environment: String,
}

impl AwsOperator {
    /// The operator of the environment in `settings`, with clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            sqs: aws_sdk_sqs::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            queue_url: settings.dead_letters_url.clone(),
            topic_arn: settings.alerts_arn.clone(),
            environment: settings.names.environment().to_owned(),
        }
    }
}

#[async_trait]
impl Operator for AwsOperator {
    async fn keep_dead_letter(
        &self,
        event: &str,
        reason: &DeadLetterReason,
    ) -> Result<(), Unreachable> {
        let send = self.sqs.send_message().queue_url(&self.queue_url);
        let mut send = send.message_body(storable(event));
        for (name, value) in attributes(reason) {
            let value = aws_sdk_sqs::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(unbuilt)?;
            send = send.message_attributes(name, value);
        }
        let sent = send.send().await;
        sent.map(drop)
            .map_err(|error| Unreachable(describe(&error)))
    }

    async fn alert(&self, subject: &str, text: &str, id: &str) -> Result<(), Unreachable> {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(unbuilt)
        };
        // Waybill's texts have line ends; any other control character comes from a sender.
        let printable = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        let text: String = text.chars().map(printable).take(ALERT_TEXT_MAX).collect();
        let id: String = id.chars().map(printable).collect();
        let sent = self
            .sns
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(subject)
            .message(text)
            .message_attributes("id", attribute(&id)?)
            .message_attributes("environment", attribute(&self.environment)?)
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| Unreachable(describe(&error)))
    }
}

/// What stands beside an event in the queue, of at most [`REASON_MAX`] characters each. SQS takes
/// ten attributes, and none that is empty.
fn attributes(reason: &DeadLetterReason) -> Vec<(&'static str, String)> {
    let all = [
        ("reason", Some(&reason.code)),
        ("field", reason.field.as_ref()),
        ("message", reason.message.as_ref()),
    ];
    let given = all.into_iter().filter_map(|(name, text)| {
        let text = text?.chars().filter(|c| !c.is_control());
        let text: String = text.take(REASON_MAX).collect();
        (!text.is_empty()).then_some((name, text))
    });
    given.collect()
}

/// The same JSON in characters that SQS takes: it refuses U+FFFE and U+FFFF (`SendMessage`,
/// *MessageBody*), which are replaced by escapes. Raw control characters do not occur in JSON.
fn storable(json: &str) -> Cow<'_, str> {
    if !json.contains(['\u{fffe}', '\u{ffff}']) {
        return Cow::Borrowed(json);
    }
    let escaped = json.replace('\u{fffe}', "\\ufffe");
    Cow::Owned(escaped.replace('\u{ffff}', "\\uffff"))
}

fn unbuilt(error: impl std::error::Error) -> Unreachable {
    Unreachable(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_beside_its_content_what_it_has_to_say_and_nothing_empty() {
        let reason = |field: &str, message: Option<String>| DeadLetterReason {
            code: "invalid_field".to_owned(),
            field: Some(field.to_owned()),
            message,
        };
        let told = attributes(&reason("items[3].price", Some("x".repeat(REASON_MAX + 1))));
        let names: Vec<_> = told.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["reason", "field", "message"]);
        assert_eq!(told[2].1.len(), REASON_MAX);
        let told = attributes(&reason("", None));
        assert_eq!(told, [("reason", "invalid_field".to_owned())]);
    }

    #[test]
    fn a_letter_says_the_same_in_characters_that_a_queue_takes() {
        for event in [
            r#"{"note":"plain \u0000 \ud83d\ude00 ü 😀"}"#,
            "{\"note\":\"\u{fffe}\\\\\u{ffff}\",\"\u{ffff}\":[\"\u{fffd}\"]}",
        ] {
            let stored = storable(event);
            assert!(!stored.contains(['\u{fffe}', '\u{ffff}']));
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&stored), read(event));
        }
    }
}
