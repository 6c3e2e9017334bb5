//! A dead letter of the queue: an event, an order or a file that a function has given up.

use aws_sdk_sqs::types::{Message as SqsMessage, MessageSystemAttributeName};
use domain::{Digest, Json};

use super::function::retry_payload;
use crate::limits::REASON_CHARACTERS;

/// As much of a reason as is told.
pub(crate) fn truncated(text: String) -> String {
    text.chars().take(REASON_CHARACTERS).collect()
}

/// A message that was taken.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// By which it is removed or given back.
    pub(crate) receipt: String,
    /// As it was given up.
    pub(crate) body: String,
    /// When it came into the queue, in milliseconds since 1970.
    pub(crate) sent_ms: i64,
    /// Why a handler has put it there itself, where it has: a code,
    pub(crate) reason: Option<String>,
    /// the field at fault,
    pub(crate) field: Option<String>,
    /// and what is wrong. Letters of earlier versions have the code alone.
    pub(crate) message: Option<String>,
    /// Why Lambda or EventBridge has given it up, where they have.
    pub(crate) error: Option<String>,
    /// The command id of an order that names none.
    pub(crate) key: String,
}

impl Message {
    /// `None` of one without an id, a receipt or a body, which SQS does not hand out.
    pub(crate) fn of(message: SqsMessage) -> Option<Self> {
        let sent = message.attributes.as_ref();
        let sent = sent.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let own = message.message_attributes.as_ref();
        let told = |name: &str| own.and_then(|all| all.get(name)?.string_value.clone());
        let id = message.message_id?;
        // Lambda names the invocation that it has given up.
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

    /// What it is told among others with: the code of its refusal, or else what Lambda or EventBridge
    /// says.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason
            .clone()
            .or_else(|| self.error.clone())
            .map(truncated)
    }

    /// Why it lies there, in a line; `None` where nobody has said so.
    pub(crate) fn why(&self) -> Option<String> {
        let Some(code) = &self.reason else {
            return self.error.clone();
        };
        let at = self.field.as_ref().map(|field| format!(" at {field}"));
        let message = self.message.as_ref().map(|message| format!(": {message}"));
        let (at, message) = (at.unwrap_or_default(), message.unwrap_or_default());
        Some(format!("{code}{at}{message}"))
    }

    /// What the function is given once more.
    pub(crate) fn retry_payload(&self) -> String {
        retry_payload(self.body.clone(), &self.key)
    }

    /// What it is known by: a queue keeps an event as often as it is sent there, which is more than
    /// once where a delivery was repeated. White space and the order of members do not count.
    pub(crate) fn content_digest(&self) -> Digest {
        let body = self.retry_payload();
        let content = Json::parse(&body);
        Digest::of(&content.unwrap_or_else(|_| body.as_str().into()))
    }
}
