//! The ways in that use AWS's protocols: an event on a bus, a file in a bucket, a direct
//! invocation.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::Region;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use lambda::Names;
use serde_json::json;

use crate::{
    backend::{Answer, NoAnswer},
    limits::CALL_TIMEOUT,
};

use super::ways::ACCOUNT;

/// A request to the local system by AWS's protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsRequest {
    /// An event on the environment's bus.
    Event {
        /// The source of the event.
        source: &'static str,
        /// The detail-type of the event.
        detail_type: &'static str,
        /// The detail of the event, as the user wrote it.
        detail: String,
    },
    /// An object in the bucket of order files.
    File {
        /// The key of the object.
        key: String,
        /// The content of the object.
        text: String,
    },
    /// A payload for the function `invoke`.
    Invocation(String),
}

/// The port to AWS's protocols. A refusal is returned as an answer, too.
#[async_trait]
pub trait AwsPort: Send + Sync {
    /// Sends one request and waits a limited time for the answer.
    async fn put(&self, request: AwsRequest) -> Result<Answer, NoAnswer>;
}

/// The clients of the AWS SDK.
pub struct Sdk {
    events: aws_sdk_eventbridge::Client,
    functions: aws_sdk_lambda::Client,
    objects: aws_sdk_s3::Client,
    names: Names,
}

/// The answer of an AWS service as a text for a person, or the error of the SDK.
type SdkResult<E> = Result<String, SdkError<E, HttpResponse>>;

impl Sdk {
    /// Creates clients of the local system at this address.
    pub async fn new(names: &Names, url: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        let config = lambda::sdk::loader()
            .endpoint_url(url)
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .load()
            .await;
        let objects = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        Self {
            events: aws_sdk_eventbridge::Client::new(&config),
            functions: aws_sdk_lambda::Client::new(&config),
            objects: aws_sdk_s3::Client::from_conf(objects),
            names: names.clone(),
        }
    }

    async fn event(
        &self,
        source: &str,
        kind: &str,
        detail: String,
    ) -> SdkResult<aws_sdk_eventbridge::operation::put_events::PutEventsError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.names.bus())
            .source(source)
            .detail_type(kind)
            .detail(detail)
            .build();
        let answer = self.events.put_events().entries(entry).send().await?;
        let entries = answer.entries().iter().map(|entry| match entry.event_id() {
            Some(id) => json!({ "EventId": id }),
            None => {
                json!({ "ErrorCode": entry.error_code(), "ErrorMessage": entry.error_message() })
            }
        });
        let entries: Vec<_> = entries.collect();
        let failed = answer.failed_entry_count();
        Ok(json!({ "FailedEntryCount": failed, "Entries": entries }).to_string())
    }

    async fn file(
        &self,
        key: String,
        text: String,
    ) -> SdkResult<aws_sdk_s3::operation::put_object::PutObjectError> {
        let put = self.objects.put_object().key(key);
        let put = put.bucket(self.names.orders_bucket(ACCOUNT));
        let answer = put.body(ByteStream::from(text.into_bytes())).send().await?;
        Ok(json!({ "ETag": answer.e_tag(), "VersionId": answer.version_id() }).to_string())
    }

    async fn invocation(
        &self,
        text: String,
    ) -> SdkResult<aws_sdk_lambda::operation::invoke::InvokeError> {
        let function = self.names.of("invoke");
        let invoke = self.functions.invoke().function_name(function);
        let answer = invoke.payload(Blob::new(text)).send().await?;
        let payload = answer.payload.unwrap_or_else(|| Blob::new(Vec::new()));
        Ok(String::from_utf8_lossy(payload.as_ref()).into_owned())
    }
}

#[async_trait]
impl AwsPort for Sdk {
    async fn put(&self, request: AwsRequest) -> Result<Answer, NoAnswer> {
        let sent = async {
            match request {
                AwsRequest::Event {
                    source,
                    detail_type,
                    detail,
                } => answered(self.event(source, detail_type, detail).await),
                AwsRequest::File { key, text } => answered(self.file(key, text).await),
                AwsRequest::Invocation(text) => answered(self.invocation(text).await),
            }
        };
        let limited: Duration = CALL_TIMEOUT;
        let sent = tokio::time::timeout(limited, sent).await;
        sent.unwrap_or(Err(NoAnswer::TimedOut(limited)))
    }
}

fn answered<E>(sent: SdkResult<E>) -> Result<Answer, NoAnswer>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let error = match sent {
        Ok(body) => return Ok(Answer { status: 200, body }),
        Err(error) => error,
    };
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let said = (
        error.code().map(str::to_owned),
        error.message().map(str::to_owned),
    );
    match (status, said) {
        (Some(status), (code, message)) => {
            let body = json!({ "code": code, "message": message }).to_string();
            Ok(Answer { status, body })
        }
        (None, _) => Err(NoAnswer::Lost(DisplayErrorContext(&error).to_string())),
    }
}
