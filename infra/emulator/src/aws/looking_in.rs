//! What AWS has no call for: looking at emitted messages, at dead letters, and at how far
//! everything has come.

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

/// How far everything has come.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    environment: String,
    consumers: BTreeMap<String, Consumer>,
    /// Where the stream that was written to last ends, microseconds since 1970 or a little above.
    stream_end: Option<i64>,
    pending_deliveries: u64,
    dead_letters: u64,
    messages: u64,
    /// Requests to DynamoDB since the start, by operation and table.
    dynamodb_requests: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Consumer {
    /// Sequence number of the last record it has behind it.
    checkpoint: Option<String>,
    /// How many records come after that.
    behind: u64,
}

// Written out as types, not by `json!`, which would turn the numbers in them into floats.
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
enum LookingError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the stream: {0}")]
    Stream(#[from] rusqlite::Error),
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    /// A member that the lines have; all lines without it.
    member: Option<String>,
}

/// `GET /_local/metrics`: what functions would have written to their logs for CloudWatch.
pub(super) async fn metrics(
    Shared(services): Shared<SharedServices>,
    Query(which): Query<Which>,
) -> impl IntoResponse {
    Json(Metrics {
        metrics: services.printed.metrics(which.member.as_deref()),
    })
}

/// `GET /_local/messages`.
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

/// `GET /_local/dead-letters`.
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

/// `GET /_local/status`.
pub(super) async fn status(Shared(services): Shared<SharedServices>) -> Response {
    answer(read_status(&services).await)
}

async fn read_status(services: &Services) -> Result<Status, LookingError> {
    let definition = &services.definition;
    let mut consumers = BTreeMap::new();
    for consumer in &definition.stream_consumers {
        let checkpoint = services.state.checkpoint(&consumer.function).await?;
        let is_read = |stream: &&StreamView| stream.table() == consumer.table;
        let behind = match services.streams.iter().find(is_read) {
            Some(stream) => stream.behind(checkpoint.clone()).await?,
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

fn answer<T: Serialize>(result: Result<T, LookingError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            tracing::error!(%error, "looking in");
            let body = Json(json!({ "message": error.to_string() }));
            (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
        }
    }
}
