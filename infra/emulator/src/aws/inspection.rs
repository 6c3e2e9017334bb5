//! Endpoints for which AWS has no call: the emitted messages, the dead letters, the printed
//! metrics, and the progress of the stream consumers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Services, SharedServices};
use crate::dynamodb::StreamView;
use crate::state::{DeadLetter, Page, StateError};

/// The state of the system: the progress of its consumers, and how much is pending or kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    environment: String,
    consumers: BTreeMap<String, Consumer>,
    /// The stored sequence number of the latest record of all streams: its time in microseconds since
    /// 1970, or slightly above.
    stream_end: Option<i64>,
    pending_deliveries: u64,
    dead_letters: u64,
    messages: u64,
    /// The number of requests to DynamoDB since the start, by operation and table.
    dynamodb_requests: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Consumer {
    /// The sequence number of the last record that the consumer has finished.
    checkpoint: Option<String>,
    /// The number of records after the checkpoint.
    behind: u64,
}

// Types of their own, since `json!` would turn the numbers in the messages into floats.
#[derive(Debug, Serialize)]
struct Messages {
    messages: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
}

#[derive(Debug, Serialize)]
struct Metrics {
    metrics: Vec<Box<RawValue>>,
}

#[derive(Debug, thiserror::Error)]
enum InspectionError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the stream: {0}")]
    Stream(#[from] rusqlite::Error),
}

#[derive(Debug, Deserialize)]
pub(super) struct LineFilter {
    /// Only the lines with a member of this name are returned; all lines without it.
    member: Option<String>,
}

/// `GET /_local/metrics`: the lines with metrics that functions would have written to CloudWatch
/// Logs.
pub(super) async fn metrics(
    Shared(services): Shared<SharedServices>,
    Query(filter): Query<LineFilter>,
) -> impl IntoResponse {
    Json(Metrics {
        metrics: services.printed.metrics(filter.member.as_deref()),
    })
}

/// `GET /_local/messages`: a page of the kept messages, the newest first.
pub(super) async fn messages(
    Shared(services): Shared<SharedServices>,
    Query(page): Query<Page>,
) -> Response {
    let messages = services.state.messages(page).await;
    answer(
        messages
            .map(|messages| Messages { messages })
            .map_err(Into::into),
    )
}

/// `GET /_local/dead-letters`: a page of the dead letters, the newest first.
pub(super) async fn dead_letters(
    Shared(services): Shared<SharedServices>,
    Query(page): Query<Page>,
) -> Response {
    let letters = services.state.dead_letters(page).await;
    answer(
        letters
            .map(|dead_letters| DeadLetters { dead_letters })
            .map_err(Into::into),
    )
}

/// `GET /_local/status`: the progress of the consumers, and how much is pending or kept.
pub(super) async fn status(Shared(services): Shared<SharedServices>) -> Response {
    answer(read_status(&services).await)
}

async fn read_status(services: &Services) -> Result<Status, InspectionError> {
    let definition = &services.definition;
    let mut consumers = BTreeMap::new();
    for consumer in &definition.stream_consumers {
        let checkpoint = services.state.checkpoint(&consumer.function).await?;
        let is_read = |stream: &&StreamView| stream.table() == consumer.table;
        let behind = match services.streams.iter().find(is_read) {
            Some(stream) => stream.records_after(checkpoint.clone()).await?,
            None => 0,
        };
        consumers.insert(consumer.function.clone(), Consumer { checkpoint, behind });
    }
    let mut stream_end = None;
    for stream in &services.streams {
        stream_end = stream_end.max(stream.end().await?);
    }
    Ok(Status {
        environment: definition.environment.clone(),
        consumers,
        stream_end,
        pending_deliveries: services.state.pending(),
        dead_letters: services.state.dead_letter_count().await?,
        messages: services.state.message_count().await?,
        dynamodb_requests: services.requests.all(),
    })
}

fn answer<T: Serialize>(result: Result<T, InspectionError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            tracing::error!(%error, "an endpoint under /_local failed");
            let body = Json(json!({ "message": error.to_string() }));
            (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
        }
    }
}
