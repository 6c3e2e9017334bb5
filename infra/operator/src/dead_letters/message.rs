//! A dead letter of the queue: an event, an order or a file that a function has failed to handle.

use aws_sdk_sqs::types::{Message as SqsMessage, MessageSystemAttributeName};
use domain::{Digest, Json};

use super::function::retry_payload;
use crate::limits::REASON_CHARACTERS;

/// The first [`REASON_CHARACTERS`] characters of a text.
pub(crate) fn truncated(text: String) -> String {
    text.chars().take(REASON_CHARACTERS).collect()
}

/// A message that was received from the queue.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// The receipt handle, with which SQS deletes or returns the message.
    pub(crate) receipt: String,
    /// The body as it was sent to the queue.
    pub(crate) body: String,
    /// The time at which it was sent to the queue, in milliseconds since 1970.
    pub(crate) sent_ms: i64,
    /// The code of the refusal, such as `invalid_field`, where the handler itself has sent it to
    /// the queue.
    pub(crate) reason: Option<String>,
    /// The field at fault, such as `items[3].price`.
    pub(crate) field: Option<String>,
    /// What is wrong, in words. Dead letters of earlier versions have the code alone.
    pub(crate) message: Option<String>,
    /// The error that Lambda or EventBridge has added, where one of them has sent it to the queue.
    pub(crate) error: Option<String>,
    /// The command id that an order without one gets: it follows from the id of the failed
    /// invocation, or else from the message's id.
    pub(crate) key: String,
}

impl Message {
    /// The message as SQS has returned it; `None` where it has no id, receipt or body, which does
    /// not happen.
    pub(crate) fn of(message: SqsMessage) -> Option<Self> {
        let sent = message.attributes.as_ref();
        let sent = sent.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let own = message.message_attributes.as_ref();
        let told = |name: &str| own.and_then(|all| all.get(name)?.string_value.clone());
        let id = message.message_id?;
        // Lambda adds the id of the failed invocation.
        let key = told("RequestID").map(|request| format!("request/{request}"));
        Some(Self {
            sent_ms: sent.and_then(|text| text.parse().ok()).unwrap_or_default(),
            body: message.body?,
            receipt: message.receipt_handle?,
            reason: told("reason"),
            field: told("field"),
            message: told("message"),
            error: told("ErrorMessage").or_else(|| told("ERROR_MESSAGE")),
            key: key.unwrap_or_else(|| format!("letter/{id}")),
            id,
        })
    }

    /// The reason in short: the code of the refusal, or else the error of Lambda or EventBridge.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason
            .clone()
            .or_else(|| self.error.clone())
            .map(truncated)
    }

    /// Why the message is in the queue, in one line with the field and the text; `None` where
    /// nothing says it.
    pub(crate) fn why(&self) -> Option<String> {
        let Some(code) = &self.reason else {
            return self.error.clone();
        };
        let at = self.field.as_ref().map(|field| format!(" at {field}"));
        let message = self.message.as_ref().map(|message| format!(": {message}"));
        let (at, message) = (at.unwrap_or_default(), message.unwrap_or_default());
        Some(format!("{code}{at}{message}"))
    }

    /// The payload with which the function is invoked again.
    pub(crate) fn retry_payload(&self) -> String {
        retry_payload(self.body.clone(), &self.key)
    }

    /// The digest of the payload, by which copies are recognised: the queue contains an event as
    /// many times as it was sent there, which is more than once where a delivery was repeated.
    /// White space and the order of members have no influence.
    pub(crate) fn content_digest(&self) -> Digest {
        let body = self.retry_payload();
        let content = Json::parse(&body);
        Digest::of(&content.unwrap_or_else(|_| body.as_str().into()))
    }
}
