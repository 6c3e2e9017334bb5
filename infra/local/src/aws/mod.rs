//! The AWS protocols on one port: what the handlers' SDK clients, the `aws` command line and boto3
//! speak. The operation is told apart as AWS's own front doors do it: by the header `x-amz-target`
//! (JSON protocols), by a form body (SNS), by the path (Lambda).

mod dynamodb;
mod events;
mod invocations;
mod looking_in;
mod sns;
mod sqs;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use lambda::Names;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::dynamodb::StreamView;
use crate::functions::Invoker;
use crate::limits::SERVICE_BODY_BYTES;
use crate::rules::Rules;
use crate::state::State;

/// What the services share.
pub struct Services {
    /// Names of this environment.
    pub names: Names,
    /// The embedded DynamoDB, `http://<address>/`.
    pub dynamodb_url: String,
    /// The client that forwards to it.
    pub client: reqwest::Client,
    /// The stream, for looking in.
    pub stream: StreamView,
    /// What must not be forgotten.
    pub state: State,
    /// Runs functions.
    pub invoker: Invoker,
    /// Event patterns.
    pub rules: Rules,
    /// Wakes the queue of deliveries.
    pub delivery_accepted: Arc<Notify>,
    /// Counts writes to the event store, to wake the consumers of its stream.
    pub events_written: watch::Sender<u64>,
}

type SharedServices = Arc<Services>;

/// What is served here, said to whoever asks for something else.
const OFFERED: &str = "the local system offers DynamoDB, DynamoDB Streams, EventBridge PutEvents, \
                       SNS Publish and PublishBatch, SQS SendMessage, and Lambda Invoke";

/// All services of one environment.
pub fn router(services: Services) -> Router {
    Router::new()
        .route("/", post(dispatch))
        // Some clients of SQS post to the queue's own address.
        .route("/{account}/{queue}", post(dispatch))
        .route("/health", get(health))
        .route(
            "/2015-03-31/functions/{name}/invocations",
            post(invocations::invoke),
        )
        .route("/_local/messages", get(looking_in::messages))
        .route("/_local/dead-letters", get(looking_in::dead_letters))
        .route("/_local/status", get(looking_in::status))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(SERVICE_BODY_BYTES))
        .with_state(Arc::new(services))
}

async fn health() -> impl IntoResponse {
    axum::Json(json!({ "status": "ok" }))
}

async fn unknown() -> Response {
    json_error(StatusCode::NOT_FOUND, "UnknownOperationException", OFFERED)
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
        Some(("AmazonSQS", "SendMessage")) => sqs::send_message(&services, &body).await,
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
