//! The bus on EventBridge, the topic on SNS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::{primitives::DateTime, types::PutEventsRequestEntry};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use event_store::failure::told;
use lambda::trace::TraceParent;

use crate::ports::{Alert, Announcement, Bus, Sent, Topic};

/// The bus on EventBridge.
#[derive(Debug)]
pub struct EventBridge {
    client: aws_sdk_eventbridge::Client,
    bus: String,
}

impl EventBridge {
    /// The bus called `bus`.
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

/// What an entry or a lone message is refused for: it is itself at fault, and always will be. Any
/// other error is one of the service or of the set-up, which may be mended.
/// (EventBridge API reference, `PutEventsResultEntry`; SNS API reference, common errors.)
const AT_FAULT: [&str; 6] = [
    "InvalidArgument",
    "InvalidParameter",
    "InvalidParameterValue",
    "MalformedDetail",
    "SerializationException",
    "ValidationException",
];

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
            // 200 says nothing about the entries: each has its own answer.
            Ok(answer) => answer
                .entries
                .unwrap_or_default()
                .into_iter()
                .map(|entry| match entry.error_code {
                    None => Sent::Accepted,
                    Some(code) if AT_FAULT.contains(&code.as_str()) => Sent::Refused(code),
                    Some(code) => Sent::Failed(code),
                })
                .collect(),
            Err(error) => of_call(error, announcements.len()),
        }
    }
}

/// The topic on SNS.
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

/// An alert as an entry of a call, called by its place in it. It fails only where a part is
/// missing, and none is.
fn entry(
    (place, alert): (usize, &Alert),
) -> Result<PublishBatchRequestEntry, aws_sdk_sns::error::BuildError> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(place.to_string())
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
            Ok(answer) => {
                // What neither list names was not accepted.
                let mut sent = vec![Sent::Failed("not answered for".to_owned()); alerts.len()];
                let mut set = |id: Option<&str>, answer: Sent| {
                    let place = id.and_then(|id| id.parse::<usize>().ok());
                    if let Some(slot) = place.and_then(|place| sent.get_mut(place)) {
                        *slot = answer;
                    }
                };
                for done in answer.successful.unwrap_or_default() {
                    set(done.id.as_deref(), Sent::Accepted);
                }
                for failed in answer.failed.unwrap_or_default() {
                    let code = failed.code;
                    let answer = match failed.sender_fault {
                        true => Sent::Refused(code),
                        false => Sent::Failed(code),
                    };
                    set(Some(&failed.id), answer);
                }
                sent
            }
            Err(error) => of_call(error, alerts.len()),
        }
    }
}

/// A call that failed as a whole has accepted nothing. Which of several messages is at fault it
/// does not say, so only a lone one is refused.
fn of_call<E, R>(error: SdkError<E, R>, messages: usize) -> Vec<Sent>
where
    E: ProvideErrorMetadata,
{
    let at_fault = error.code().is_some_and(|code| AT_FAULT.contains(&code));
    let answer = match at_fault && messages == 1 {
        true => Sent::Refused(told(&error)),
        false => Sent::Failed(told(&error)),
    };
    vec![answer; messages]
}
