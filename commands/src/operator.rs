//! The interface to the operator: alerts on the SNS topic, and events in the dead letter queue.

use std::borrow::Cow;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use event_store::failure::describe;
use lambda::Settings;

use crate::limits::ALERT_TEXT_MAX;

/// Receives events that can never succeed, and the alerts about them.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Stores an event in the dead letter queue. It holds customer data, so it goes nowhere else.
    /// `reason` is the code of its rejection.
    async fn keep_dead_letter(&self, event: &str, reason: &str) -> Result<(), Unreachable>;

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
    async fn keep_dead_letter(&self, event: &str, reason: &str) -> Result<(), Unreachable> {
        let reason = aws_sdk_sqs::types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value(reason)
            .build()
            .map_err(unbuilt)?;
        let sent = self
            .sqs
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(storable(event))
            .message_attributes("reason", reason)
            .send()
            .await;
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
