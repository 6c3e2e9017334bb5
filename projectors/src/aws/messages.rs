//! The event bus on EventBridge, and the topic for alerts on SNS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::{primitives::DateTime, types::PutEventsRequestEntry};
use aws_sdk_sns::{
    operation::publish_batch::PublishBatchOutput,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use event_store::failure::describe;
use lambda::trace::TraceParent;

use crate::ports::{Alert, Announcement, Bus, Sent, Topic};

/// An event bus on EventBridge.
#[derive(Debug)]
pub struct EventBridge {
    client: aws_sdk_eventbridge::Client,
    bus: String,
}

impl EventBridge {
    /// The bus with the name `bus`.
    pub fn new(config: &SdkConfig, bus: String) -> Self {
        Self {
            client: aws_sdk_eventbridge::Client::new(config),
            bus,
        }
    }

    fn entry(&self, announcement: &Announcement) -> PutEventsRequestEntry {
        let trace = announcement.trace.as_ref().map(TraceParent::to_xray);
        PutEventsRequestEntry::builder()
            .set_trace_header(trace)
            .event_bus_name(&self.bus)
            .source(announcement.source)
            .detail_type(announcement.detail_type)
            .detail(announcement.detail.to_string())
            .time(DateTime::from_millis(announcement.at.millis()))
            .build()
    }
}

/// The error codes that say that an entry or a single message is itself at fault, so that it will
/// never be accepted. Any other error is one of the service or of its configuration, which may be
/// repaired. (EventBridge API reference, `PutEventsResultEntry`; SNS API reference, `PublishBatch`
/// and common errors.)
const AT_FAULT: [&str; 7] = [
    "InvalidArgument",
    "InvalidParameter",
    "InvalidParameterValue",
    "MalformedDetail",
    "ParameterValueInvalid",
    "SerializationException",
    "ValidationException",
];

/// The meaning of an entry's error for its message. The flag of SNS that says whose fault it is is
/// not used: SNS blames the sender for a disabled key or a missing permission, both of which may be
/// repaired.
fn of_entry(code: String) -> Sent {
    match AT_FAULT.contains(&code.as_str()) {
        true => Sent::Refused(code),
        false => Sent::Failed(code),
    }
}

#[async_trait]
impl Bus for EventBridge {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        let entries = announcements
            .iter()
            .map(|announcement| self.entry(announcement))
            .collect();
        match self
            .client
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
        {
            // Status 200 says nothing about the entries: each has its own result.
            Ok(answer) => answer
                .entries
                .unwrap_or_default()
                .into_iter()
                .map(|entry| match entry.error_code {
                    None => Sent::Accepted,
                    Some(code) => of_entry(code),
                })
                .collect(),
            Err(error) => of_call(error, announcements.len()),
        }
    }
}

/// A topic on SNS.
#[derive(Debug)]
pub struct Sns {
    client: aws_sdk_sns::Client,
    topic_arn: String,
}

impl Sns {
    /// The topic with this ARN.
    pub fn new(config: &SdkConfig, topic_arn: String) -> Self {
        Self {
            client: aws_sdk_sns::Client::new(config),
            topic_arn,
        }
    }
}

/// An alert as an entry of a call, with its index as its id. It fails only where a required part is
/// missing, which never happens.
fn entry(
    (index, alert): (usize, &Alert),
) -> Result<PublishBatchRequestEntry, aws_sdk_sns::error::BuildError> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(index.to_string())
        .subject(&alert.subject)
        .message(&alert.body);
    for (name, value) in &alert.attributes {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()?;
        entry = entry.message_attributes(*name, value);
    }
    entry.build()
}

#[async_trait]
impl Topic for Sns {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent> {
        let entries: Result<Vec<_>, _> = alerts.iter().enumerate().map(entry).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return vec![Sent::Refused(error.to_string()); alerts.len()],
        };
        let call = self.client.publish_batch().topic_arn(&self.topic_arn);
        match call
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await
        {
            Ok(answer) => of_batch(answer, alerts.len()),
            Err(error) => of_call(error, alerts.len()),
        }
    }
}

/// The results of a call with this number of alerts, whose ids are their indexes.
fn of_batch(answer: PublishBatchOutput, alerts: usize) -> Vec<Sent> {
    // An entry in neither list was not accepted.
    let mut sent = vec![Sent::Failed("the answer has no entry for it".to_owned()); alerts];
    let mut set = |id: Option<&str>, answer: Sent| {
        let index = id.and_then(|id| id.parse::<usize>().ok());
        if let Some(slot) = index.and_then(|index| sent.get_mut(index)) {
            *slot = answer;
        }
    };
    for done in answer.successful.unwrap_or_default() {
        set(done.id.as_deref(), Sent::Accepted);
    }
    for failed in answer.failed.unwrap_or_default() {
        set(Some(&failed.id), of_entry(failed.code));
    }
    sent
}

/// The results of a call that failed as a whole, and so accepted no message. It does not say which
/// of several messages is at fault, so only a single one is refused.
fn of_call<E, R>(error: SdkError<E, R>, messages: usize) -> Vec<Sent>
where
    E: ProvideErrorMetadata,
{
    let at_fault = error.code().is_some_and(|code| AT_FAULT.contains(&code));
    let answer = match at_fault && messages == 1 {
        true => Sent::Refused(describe(&error)),
        false => Sent::Failed(describe(&error)),
    };
    vec![answer; messages]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_refused_for_what_it_is_and_not_for_the_set_up() {
        let codes = [
            "KMSDisabled",
            "KMSAccessDenied",
            "AuthorizationError",
            "InternalError",
            "InvalidParameter",
            "ParameterValueInvalid",
        ];
        let failed = codes.iter().enumerate().map(|(index, code)| {
            // As SNS says of all of them, but of its own errors.
            let sender_fault = *code != "InternalError";
            let entry = aws_sdk_sns::types::BatchResultErrorEntry::builder()
                .id(index.to_string())
                .code(*code)
                .sender_fault(sender_fault);
            entry.build().unwrap()
        });
        let answer = PublishBatchOutput::builder().set_failed(Some(failed.collect()));
        let sent = of_batch(answer.build(), codes.len() + 1);
        let refused: Vec<bool> = sent
            .iter()
            .map(|sent| matches!(sent, Sent::Refused(_)))
            .collect();
        assert_eq!(refused, [false, false, false, false, true, true, false]);
        assert!(!sent.contains(&Sent::Accepted));
    }
}
