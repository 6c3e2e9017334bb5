//! DynamoDB and DynamoDB Streams: requests are forwarded to the embedded server.

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Services, json_answer, json_error};
use crate::limits::SCANS_AT_ONCE;

/// Headers that belong to one connection and must not be forwarded.
const CONNECTION_HEADERS: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Limits the scans that run at the same time. There is one limit for the whole process; only tests
/// run several systems in one process.
static SCANS: Semaphore = Semaphore::const_new(SCANS_AT_ONCE);

/// Forwards one operation. Wakes the consumers of the streams where the operation may have written
/// to a table with a stream.
pub(super) async fn forward(
    services: &Services,
    operation: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    // If a table could be created again, it would continue the stream of the old table, and its
    // consumer would continue at its old checkpoint.
    if matches!(operation, "CreateTable" | "UpdateTable" | "DeleteTable") {
        let message = "the local system's tables are fixed; remove its data folder to start anew";
        return json_error(StatusCode::BAD_REQUEST, "AccessDeniedException", message);
    }
    services.requests.count(operation, &body);
    if operation == "DescribeTable"
        && let Some(answer) = described(services, &body).await
    {
        return answer;
    }
    // The semaphore is never closed, so `acquire` does not fail.
    let _scan = match operation {
        "Scan" => SCANS.acquire().await.ok(),
        _ => None,
    };
    let mut streamed = services.streams.iter();
    let wakes = writes(operation) && streamed.any(|stream| mentions(&body, stream.table()));
    let sent = services
        .client
        .post(&services.dynamodb_url)
        .headers(without_connection_headers(headers))
        .body(body)
        .send()
        .await;
    let answer = match sent {
        Ok(answer) => pass_on(answer).await,
        Err(error) => Err(error),
    };
    if wakes {
        services
            .streams_written
            .send_modify(|count| *count = count.wrapping_add(1));
    }
    answer.unwrap_or_else(|error| {
        tracing::error!(%error, operation, "the embedded DynamoDB did not answer");
        json_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "no answer",
        )
    })
}

/// Returns the description of a table of the definition. `None`: another table, or the description
/// could not be read; the embedded server answers then.
async fn described(services: &Services, body: &[u8]) -> Option<Response> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        table_name: String,
    }
    let named: Named = serde_json::from_slice(body).ok()?;
    let description = services.descriptions.of(&named.table_name).await;
    let description = description.inspect_err(|error| {
        let table = named.table_name.as_str();
        tracing::warn!(%error, table, "a table could not be counted: the server describes it");
    });
    let mut answer = json_answer(StatusCode::OK, &description.ok()??);
    let version = HeaderValue::from_static("application/x-amz-json-1.0");
    answer.headers_mut().insert(CONTENT_TYPE, version);
    Some(answer)
}

fn writes(operation: &str) -> bool {
    matches!(
        operation,
        "PutItem"
            | "UpdateItem"
            | "DeleteItem"
            | "BatchWriteItem"
            | "TransactWriteItems"
            | "ExecuteStatement"
            | "ExecuteTransaction"
            | "BatchExecuteStatement"
    )
}

fn mentions(body: &[u8], table: &str) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.contains(table))
}

fn without_connection_headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in CONNECTION_HEADERS {
        kept.remove(name);
    }
    kept
}

async fn pass_on(answer: reqwest::Response) -> Result<Response, reqwest::Error> {
    let status = answer.status();
    let headers = without_connection_headers(answer.headers());
    let body = Body::from(answer.bytes().await?);
    Ok((status, headers, body).into_response())
}
