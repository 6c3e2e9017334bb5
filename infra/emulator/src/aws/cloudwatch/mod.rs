//! CloudWatch: `GetMetricData` and `DescribeAlarms`.
//!
//! Two of its three protocols are supported, the ones that present clients use: AWS JSON (boto3,
//! the `aws` command) and Smithy's RPC v2 in CBOR (the SDK for Rust). The older protocol in XML is
//! not supported.

mod alarms;
mod cbor;
mod data;

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Services, SharedServices, json_answer, json_error, request_id};
use crate::alarms::now_ms;
use crate::measuring;
use crate::state::StateError;

/// The prefix of the header `x-amz-target`, in front of the operation.
pub(super) const TARGET: &str = "GraniteServiceVersion20100801";

/// The path of the protocol in CBOR.
pub(super) const CBOR_PATH: &str = "/service/GraniteServiceVersion20100801/operation/{operation}";

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("The operation {0:?} is not offered here.")]
    Operation(String),
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("{0}")]
    CborError(#[from] cbor::CborError),
    #[error("{0}")]
    Value(String),
    #[error("The token is not one of this list.")]
    Token,
    #[error("the measurements cannot be read")]
    State(#[from] StateError),
}

impl Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Operation(_) => "UnknownOperationException",
            Self::Unreadable(_) | Self::CborError(_) => "SerializationException",
            Self::Value(_) => "InvalidParameterValue",
            Self::Token => "InvalidNextToken",
            Self::State(_) => "InternalServiceFault",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::State(error) => {
                tracing::error!(%error, "a request to CloudWatch failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Handles one request in JSON.
pub(super) async fn handle_json(services: &Services, operation: &str, body: &[u8]) -> Response {
    let request = serde_json::from_slice(body).map_err(Refused::from);
    match answered(services, operation, request).await {
        Ok(answer) => json_answer(StatusCode::OK, &answer),
        Err(refused) => json_error(refused.status(), refused.code(), &refused.to_string()),
    }
}

/// Handles one request in CBOR.
pub(super) async fn handle_cbor(
    Shared(services): Shared<SharedServices>,
    Path(operation): Path<String>,
    body: Bytes,
) -> Response {
    let request = cbor::read(&body).map_err(Refused::from);
    let (status, answer) = match answered(&services, &operation, request).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(refused) => {
            let error = json!({ "__type": refused.code(), "message": refused.to_string() });
            (refused.status(), error)
        }
    };
    let headers = [
        (CONTENT_TYPE, "application/cbor".to_owned()),
        (
            HeaderName::from_static("smithy-protocol"),
            "rpc-v2-cbor".to_owned(),
        ),
        (HeaderName::from_static("x-amzn-requestid"), request_id()),
    ];
    (status, headers, cbor::encode(&answer)).into_response()
}

/// Handles one request. Requests and answers are JSON here in both protocols; times are seconds
/// since 1970.
async fn answered(
    services: &Services,
    operation: &str,
    request: Result<Value, Refused>,
) -> Result<Value, Refused> {
    let request = request?;
    let measured = services.printed.measured();
    match operation {
        "GetMetricData" => data::get(measured, serde_json::from_value(request)?),
        "DescribeAlarms" => {
            let request = serde_json::from_value(request)?;
            // The queue is measured first, so that a message that has just arrived counts at once.
            let queue = &services.definition.dead_letter_queue.name;
            measuring::depth(queue, &services.state, measured).await?;
            alarms::describe(services.alarms.evaluate(measured, now_ms()), request)
        }
        other => Err(Refused::Operation(other.to_owned())),
    }
}
