//! The AWS protocols on one port, for the SDK clients of the handlers, the `aws` command and boto3.
//!
//! A request is routed by the header `x-amz-target` (protocols in JSON), by a form as its body
//! (SNS) or by its path (Lambda, and CloudWatch in CBOR). Any other request is for S3, whose paths
//! begin with a bucket's name, unless its signature names another service.

mod cloudwatch;
mod configurations;
mod dynamodb;
mod events;
mod faults;
mod inspection;
mod invocations;
mod kms;
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
use crate::dynamodb::{StreamView, TableDescriptions};
use crate::faults::Faults;
use crate::invoker::Invoker;
use crate::kms::Kms;
use crate::limits::SERVICE_BODY_BYTES;
use crate::printed::Printed;
use crate::requests::Requests;
use crate::rules::Rules;
use crate::state::State;

/// Everything that the services share.
pub struct Services {
    /// The definition of the system.
    pub definition: Arc<Definition>,
    /// The URL of the queue of dead letters.
    pub queue_url: String,
    /// The URL of the embedded DynamoDB, `http://<address>/`.
    pub dynamodb_url: String,
    /// The descriptions of the tables.
    pub descriptions: TableDescriptions,
    /// Counts the requests to DynamoDB.
    pub requests: Requests,
    /// The HTTP client that forwards requests to the embedded DynamoDB.
    pub client: reqwest::Client,
    /// The streams that have consumers, to look at their progress.
    pub streams: Vec<StreamView>,
    /// The durable state.
    pub state: State,
    /// Invokes functions.
    pub invoker: Invoker,
    /// The lines that functions have printed.
    pub printed: Printed,
    /// The alarms.
    pub alarms: Alarms,
    /// The faults that are switched on.
    pub faults: Faults,
    /// The rules of EventBridge.
    pub rules: Arc<Rules>,
    /// The KMS keys.
    pub kms: Arc<Kms>,
    /// Wakes the senders of asynchronous invocations when one was accepted.
    pub delivery_accepted: watch::Sender<()>,
    /// The number of writes to tables with a stream. A change wakes the consumers.
    pub streams_written: watch::Sender<u64>,
}

type SharedServices = Arc<Services>;

/// The list of supported operations, as the answer to an unsupported one.
const OFFERED: &str = "the local system offers DynamoDB, DynamoDB Streams, EventBridge PutEvents, \
                       SNS Publish and PublishBatch, one queue of SQS, Lambda Invoke and \
                       GetFunctionConfiguration, CloudWatch GetMetricData and DescribeAlarms, \
                       KMS GenerateDataKey, Decrypt, DescribeKey and ListAliases, \
                       and objects in the buckets of S3";

/// Returns the router of all services of one system.
pub fn router(services: Services, buckets: s3::Buckets) -> Router {
    let s3 = s3::service(buckets);
    Router::new()
        .route("/", post(dispatch).get(serve_s3))
        // Some clients of SQS post to the URL of the queue.
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
        .route(cloudwatch::CBOR_PATH, post(cloudwatch::handle_cbor))
        .route("/_local/messages", get(inspection::messages))
        .route("/_local/dead-letters", get(inspection::dead_letters))
        .route("/_local/metrics", get(inspection::metrics))
        .route("/_local/status", get(inspection::status))
        .route(
            "/_local/faults",
            get(faults::get).put(faults::put).post(faults::put),
        )
        .route("/_local/{*what}", any(unknown))
        .fallback(serve_s3)
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

/// Handles every request that no other route takes: it can only be for S3.
async fn serve_s3(Extension(s3): Extension<S3Service>, request: Request) -> Response {
    if s3::is_for_s3(request.headers()) {
        s3::serve(&s3, request).await
    } else {
        unknown().await
    }
}

/// Handles the requests that AWS receives at `/`.
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
            cloudwatch::handle_json(&services, operation, &body).await
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

/// Returns an answer in the protocol AWS JSON 1.1.
fn json_answer(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/x-amz-json-1.1".to_owned()),
        (HeaderName::from_static("x-amzn-requestid"), request_id()),
    ];
    (status, headers, body.to_string()).into_response()
}

/// Returns an error in the protocol AWS JSON 1.1.
fn json_error(status: StatusCode, code: &str, message: &str) -> Response {
    json_answer(status, &json!({ "__type": code, "message": message }))
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
