//! The bucket and the queue that contain the dead letters, and the functions that are invoked with
//! them again.

use std::time::Duration;

use aws_sdk_lambda::{config::StalledStreamProtectionConfig, primitives::Blob};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use aws_smithy_types::timeout::TimeoutConfig;
use domain::Timestamp;
use event_store::failure::describe;
use futures::future::join_all;

use crate::{
    bucket::{call_error, content},
    environment::Environment,
    error::OperatorError,
    limits::{
        COUNTED_PAGES, GIVEN_BACK_AT_ONCE, INVOCATION_TIMEOUT, MESSAGE_WAIT_SECONDS,
        MESSAGES_AT_ONCE, OBJECTS_PAGE,
    },
};

/// The prefix of the keys under which Lambda's failure destination writes its objects.
const PREFIX: &str = "aws/lambda/";

/// Access to the dead letters of an environment.
pub(crate) struct DeadLetterStore {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    functions: aws_sdk_lambda::Client,
    bucket: String,
    queue_url: String,
}

/// The approximate number of messages in the queue; SQS counts them up to a minute late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QueueDepth {
    pub(crate) visible: u64,
    /// Messages that a reader has received and neither deleted nor returned.
    pub(crate) hidden: u64,
}

/// The number of objects in the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ObjectCount {
    pub(crate) number: u64,
    /// Whether there may be more objects than were counted.
    pub(crate) more: bool,
}

/// A page of the bucket's list of objects.
pub(crate) struct ObjectPage {
    pub(crate) objects: Vec<Object>,
    pub(crate) more: bool,
}

/// An object as the bucket lists it.
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    /// The time at which it was written.
    pub(crate) at: Option<Timestamp>,
}

/// The result of an invocation.
pub(crate) enum Invoked {
    /// The function has returned this payload.
    Answered(String),
    /// The function has ended in an error, and this payload describes it.
    Failed(String),
}

impl DeadLetterStore {
    /// The store of an environment. The name of its bucket follows from the name of the bucket for
    /// order files, which contains the account. Fails with `Environment` where that name has
    /// another form.
    pub(crate) fn of(environment: &Environment) -> Result<Self, OperatorError> {
        let (names, config) = (&environment.names, &environment.config);
        let bucket = &environment.settings.bucket;
        let account = bucket.strip_prefix(&names.orders_bucket(""));
        let account = account.ok_or_else(|| {
            let like = names.orders_bucket("<account>");
            OperatorError::Environment(format!(
                "the name of the bucket {bucket} does not match {like}"
            ))
        })?;
        Ok(Self {
            s3: environment.s3(),
            sqs: aws_sdk_sqs::Client::new(config),
            functions: environment.functions.clone(),
            bucket: names.dead_letters_bucket(account),
            queue_url: environment.settings.dead_letters_url.clone(),
        })
    }

    // The bucket

    /// Counts the objects, on at most [`COUNTED_PAGES`] pages.
    pub(crate) async fn count_objects(&self) -> Result<ObjectCount, OperatorError> {
        let (mut number, mut after) = (0, None);
        for _ in 0..COUNTED_PAGES {
            let page = self.objects(after.as_deref(), OBJECTS_PAGE).await?;
            number += page.objects.len() as u64;
            if !page.more {
                return Ok(ObjectCount {
                    number,
                    more: false,
                });
            }
            after = page.objects.into_iter().next_back().map(|last| last.key);
        }
        Ok(ObjectCount { number, more: true })
    }

    /// Lists at most `limit` objects after the key `after`.
    pub(crate) async fn objects(
        &self,
        after: Option<&str>,
        limit: i32,
    ) -> Result<ObjectPage, OperatorError> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket);
        let list = list.prefix(PREFIX).max_keys(limit);
        let page = list.set_start_after(after.map(str::to_owned)).send().await;
        let page =
            page.map_err(|error| call_error(&format!("the bucket {}", self.bucket), &error))?;
        let objects = page.contents.unwrap_or_default().into_iter();
        Ok(ObjectPage {
            objects: objects.filter_map(listed).collect(),
            more: page.is_truncated.unwrap_or_default(),
        })
    }

    /// Finds an object in the bucket's list; `None` where it does not exist. Of all keys that begin
    /// with `key`, the list contains `key` itself first.
    pub(crate) async fn find_object(&self, key: &str) -> Result<Option<Object>, OperatorError> {
        if !key.starts_with(PREFIX) {
            return Ok(None);
        }
        let list = self.s3.list_objects_v2().bucket(&self.bucket);
        let page = list.prefix(key).max_keys(1).send().await;
        let page =
            page.map_err(|error| call_error(&format!("the bucket {}", self.bucket), &error))?;
        let first = page.contents.unwrap_or_default().into_iter().next();
        Ok(first.and_then(listed).filter(|object| object.key == key))
    }

    /// Reads an object's content; `None` where it was removed meanwhile.
    pub(crate) async fn object(&self, key: &str) -> Result<Option<Vec<u8>>, OperatorError> {
        content(&self.s3, &self.bucket, key).await
    }

    /// Deletes an object.
    pub(crate) async fn delete_object(&self, key: &str) -> Result<(), OperatorError> {
        let delete = self.s3.delete_object().bucket(&self.bucket).key(key);
        let deleted = delete.send().await;
        deleted
            .map(drop)
            .map_err(|error| call_error(&format!("s3://{}/{key}", self.bucket), &error))
    }

    // The queue

    /// Reads how many messages there are, visible and hidden.
    pub(crate) async fn depth(&self) -> Result<QueueDepth, OperatorError> {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.queue_url);
        let asked = asked
            .attribute_names(visible.clone())
            .attribute_names(hidden.clone());
        let answer = asked
            .send()
            .await
            .map_err(|error| call_error(QUEUE, &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name| {
            let number = attributes.get(&name).and_then(|text| text.parse().ok());
            number.ok_or_else(|| {
                OperatorError::Environment(format!("{QUEUE}: it does not say its {name}"))
            })
        };
        Ok(QueueDepth {
            visible: number(visible)?,
            hidden: number(hidden)?,
        })
    }

    /// Receives up to [`MESSAGES_AT_ONCE`] messages, which are hidden from other readers for the
    /// time `hidden`.
    pub(crate) async fn take(&self, hidden: Duration) -> Result<Vec<Message>, OperatorError> {
        let hidden = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        let receive = self.sqs.receive_message().queue_url(&self.queue_url);
        let receive = receive
            .max_number_of_messages(MESSAGES_AT_ONCE)
            .wait_time_seconds(MESSAGE_WAIT_SECONDS)
            .visibility_timeout(hidden)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All");
        let received = receive
            .send()
            .await
            .map_err(|error| call_error(QUEUE, &error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Deletes a message that was received.
    pub(crate) async fn delete_message(&self, receipt: &str) -> Result<(), OperatorError> {
        let delete = self.sqs.delete_message().queue_url(&self.queue_url);
        let deleted = delete.receipt_handle(receipt).send().await;
        deleted.map(drop).map_err(|error| call_error(QUEUE, &error))
    }

    /// Returns received messages to the queue, so that other readers see them at once.
    pub(crate) async fn give_all_back(&self, receipts: &[String]) {
        for receipts in receipts.chunks(GIVEN_BACK_AT_ONCE) {
            join_all(receipts.iter().map(|receipt| self.give_back(receipt))).await;
        }
    }

    /// Returns one received message. Where that fails, SQS shows it again when its time is over.
    async fn give_back(&self, receipt: &str) {
        let change = self.sqs.change_message_visibility();
        let change = change.queue_url(&self.queue_url).receipt_handle(receipt);
        if let Err(error) = change.visibility_timeout(0).send().await {
            tracing::debug!(error = describe(&error), "a message comes back later");
        }
    }

    /// Invokes a function with this payload and waits until it has ended.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        payload: &str,
    ) -> Result<Invoked, OperatorError> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(INVOCATION_TIMEOUT)
            .operation_timeout(INVOCATION_TIMEOUT)
            .build();
        // A function may work for minutes: that is not a stalled answer.
        let patient = aws_sdk_lambda::Config::builder()
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let invoke = self.functions.invoke().function_name(function);
        let answer = invoke
            .payload(Blob::new(payload))
            .customize()
            .config_override(patient)
            .send()
            .await
            .map_err(|error| call_error(function, &error))?;
        let text = answer.payload.unwrap_or_else(|| Blob::new(""));
        let text = String::from_utf8_lossy(text.as_ref()).into_owned();
        Ok(match answer.function_error {
            None => Invoked::Answered(text),
            Some(_) => Invoked::Failed(text),
        })
    }
}

fn listed(object: aws_sdk_s3::types::Object) -> Option<Object> {
    let millis = object.last_modified.and_then(|at| at.to_millis().ok());
    Some(Object {
        key: object.key?,
        bytes: object.size.and_then(|size| u64::try_from(size).ok())?,
        at: millis.and_then(Timestamp::from_millis),
    })
}

/// The queue's name in the texts of errors.
const QUEUE: &str = "the queue of dead letters";
