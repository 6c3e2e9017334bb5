//! The HTTP responses: made from a function's answer, and the gateway's own.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::function::Answer;

/// The answer of a function in the payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpResponse {
    status_code: u16,
    headers: Option<BTreeMap<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Returns a response that is never received: its body fails before the first byte, which closes
/// the connection.
pub(super) fn lost() -> Response {
    let gone = std::io::Error::other("the answer is lost on purpose");
    let nothing = futures::stream::once(async { Err::<Vec<u8>, _>(gone) });
    Body::from_stream(nothing).into_response()
}

/// Returns the response for the answer of a function, or for its failure.
pub(super) fn from_function(answer: Answer, request_id: &str) -> Response {
    let mut response = match answer {
        Ok(value) if value.get("statusCode").is_some() => {
            formatted(value).unwrap_or_else(internal_error)
        }
        // For an answer without a status, API Gateway sends the answer as the body.
        Ok(value) => Json(value).into_response(),
        Err(_) => internal_error(),
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("apigw-requestid"), id);
    }
    response
}

fn formatted(answer: Value) -> Option<Response> {
    let answer: HttpResponse = serde_json::from_value(answer).ok()?;
    let status = StatusCode::from_u16(answer.status_code).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain;charset=UTF-8"),
    );
    for (name, value) in answer.headers.unwrap_or_default() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(
            HeaderName::try_from(name.to_lowercase()).ok()?,
            HeaderValue::try_from(value).ok()?,
        );
    }
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        STANDARD.decode(body).ok()?
    } else {
        body.into()
    };
    Some((status, headers, Body::from(body)).into_response())
}

/// Returns a response with the body `{"message": ...}`, the form of API Gateway's own answers.
pub(super) fn message(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "message": text }))).into_response()
}

/// Returns the response to a caller whose function has failed.
pub(super) fn internal_error() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// Handles `GET /health`.
pub(super) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::function::FunctionError;

    async fn seen(answer: Answer) -> (u16, Option<String>, String) {
        let response = from_function(answer, "r-1");
        assert_eq!(response.headers()["apigw-requestid"], "r-1");
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .map(|v| v.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn status_headers_and_body_come_from_the_function() {
        let answer = json!({
            "statusCode": 409, "headers": { "Content-Type": "application/problem+json" },
            "body": "{}", "isBase64Encoded": false,
        });
        let kind = Some("application/problem+json".to_owned());
        assert_eq!(seen(Ok(answer)).await, (409, kind, "{}".to_owned()));
        let encoded = json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true });
        assert_eq!(seen(Ok(encoded)).await.2, "hi");
    }

    #[tokio::test]
    async fn an_answer_without_status_is_the_body() {
        let kind = Some("application/json".to_owned());
        assert_eq!(
            seen(Ok(json!({ "a": 1 }))).await,
            (200, kind, "{\"a\":1}".to_owned())
        );
    }

    #[tokio::test]
    async fn a_failed_function_shows_nothing_of_its_failure() {
        let kind = Some("application/json".to_owned());
        let shown = "{\"message\":\"Internal Server Error\"}".to_owned();
        let failed = seen(Err(FunctionError("secret".to_owned()))).await;
        assert_eq!(failed, (500, kind.clone(), shown.clone()));
        assert_eq!(
            seen(Ok(json!({ "statusCode": "x" }))).await,
            (500, kind, shown)
        );
    }
}
