//! The AWS protocols on one port: what the handlers' SDK clients, the `aws` command line and boto3
//! speak. The operation is told apart as AWS's own front doors do it: by the header `x-amz-target`
//! (JSON protocols), by a form body (SNS), by the path (Lambda, and CloudWatch in CBOR). What is none
//! of these is S3's, whose paths begin with the bucket's name, unless its signature names another
//! service.

mod cloudwatch;
mod configurations;
mod dynamodb;
mod events;
mod faults;
mod invocations;
mod kms;
mod looking_in;
pub mod s3;
mod sns;
mod sqs;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use s3s::service::S3Service;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::alarms::Alarms;
use crate::arn::ACCOUNT;
use crate::definition::Definition;
use crate::dynamodb::{Descriptions, StreamView};
use crate::faults::Faults;
use crate::invoker::Invoker;
use crate::kms::Kms;
use crate::limits::SERVICE_BODY_BYTES;
use crate::printed::Printed;
use crate::requests::Requests;
use crate::rules::Rules;
use crate::state::State;

/// What the services share.
pub struct Services {
    /// What there is.
    pub definition: Arc<Definition>,
    /// The URL of the queue.
    pub queue_url: String,
    /// The embedded DynamoDB, `http://<address>/`.
    pub dynamodb_url: String,
    /// What its tables are.
    pub descriptions: Descriptions,
    /// What was asked of it.
    pub requests: Requests,
    /// The client that forwards to it.
    pub client: reqwest::Client,
    /// The streams that are read, for looking in.
    pub streams: Vec<StreamView>,
    /// What must not be forgotten.
    pub state: State,
    /// Runs functions.
    pub invoker: Invoker,
    /// What they have printed.
    pub printed: Printed,
    /// Alarms.
    pub alarms: Alarms,
    /// What is switched on on purpose.
    pub faults: Faults,
    /// Event patterns.
    pub rules: Arc<Rules>,
    /// KMS keys.
    pub kms: Arc<Kms>,
    /// Wakes the queues of deliveries.
    pub delivery_accepted: watch::Sender<()>,
    /// Counts writes to tables whose streams are read, to wake the consumers.
    pub streams_written: watch::Sender<u64>,
}

type SharedServices = Arc<Services>;

/// What is served here, said to whoever asks for something else.
const OFFERED: &str = "the local system offers DynamoDB, DynamoDB Streams, EventBridge PutEvents, \
                       SNS Publish and PublishBatch, one queue of SQS, Lambda Invoke and \
                       GetFunctionConfiguration, CloudWatch GetMetricData and DescribeAlarms, \
                       KMS GenerateDataKey, Decrypt, DescribeKey and ListAliases, \
                       and objects in the buckets of S3";

/// All services of one system.
pub fn router(services: Services, buckets: s3::Buckets) -> Router {
    let s3 = s3::service(buckets);
    Router::new()
        .route("/", post(dispatch).get(objects))
        // Some clients of SQS post to the queue's own address.
        .route(&format!("/{ACCOUNT}/{{queue}}"), post(dispatch))
        .route("/health", get(health))
        .route(
            "/2015-03-31/functions/{name}/invocations",
            post(invocations::invoke),
        )
        .route(
            "/2015-03-31/functions/{name}/configuration",
            get(configurations::get),
        )
        .route(cloudwatch::CBOR_PATH, post(cloudwatch::in_cbor))
        .route("/_local/messages", get(looking_in::messages))
        .route("/_local/dead-letters", get(looking_in::dead_letters))
        .route("/_local/metrics", get(looking_in::metrics))
        .route("/_local/status", get(looking_in::status))
        .route(
            "/_local/faults",
            get(faults::get).put(faults::put).post(faults::put),
        )
        .route("/_local/{*what}", any(unknown))
        .fallback(objects)
        .method_not_allowed_fallback(unknown)
        .layer(Extension(s3))
        .layer(DefaultBodyLimit::max(SERVICE_BODY_BYTES))
        .with_state(Arc::new(services))
}

async fn health() -> impl IntoResponse {
    axum::Json(json!({ "status": "ok" }))
}

async fn unknown() -> Response {
    json_error(StatusCode::NOT_FOUND, "UnknownOperationException", OFFERED)
}

/// What only S3 can be meant by.
async fn objects(Extension(s3): Extension<S3Service>, request: Request) -> Response {
    if s3::is_meant(request.headers()) {
        s3::serve(&s3, request).await
    } else {
        unknown().await
    }
}

/// Everything that AWS receives at `/`.
async fn dispatch(
    Shared(services): Shared<SharedServices>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let target = text(HeaderName::from_static("x-amz-target")).unwrap_or_default();
    let form = text(CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    match target.split_once('.') {
        Some(("DynamoDB_20120810" | "DynamoDBStreams_20120810", operation)) => {
            dynamodb::forward(&services, operation, &headers, body).await
        }
        Some(("AWSEvents", "PutEvents")) => events::put_events(&services, &body).await,
        Some((cloudwatch::TARGET, operation)) => {
            cloudwatch::in_json(&services, operation, &body).await
        }
        Some((kms::TARGET, operation)) => kms::handle(&services.kms, operation, &body),
        Some(("AmazonSQS", operation)) => sqs::handle(&services, operation, &body).await,
        None if target.is_empty() && form => sns::handle(&services, &body).await,
        _ => {
            let message = format!("{target:?} is not known here; {OFFERED}");
            json_error(
                StatusCode::BAD_REQUEST,
                "UnknownOperationException",
                &message,
            )
        }
    }
}

/// An answer of the protocol AWS JSON 1.1.
fn json_answer(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/x-amz-json-1.1".to_owned()),
        (HeaderName::from_static("x-amzn-requestid"), request_id()),
    ];
    (status, headers, body.to_string()).into_response()
}

/// An error of the protocol AWS JSON 1.1.
fn json_error(status: StatusCode, code: &str, message: &str) -> Response {
    json_answer(status, &json!({ "__type": code, "message": message }))
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
