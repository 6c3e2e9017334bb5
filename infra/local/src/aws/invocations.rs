//! Lambda: `Invoke`.

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use lambda::{Names, Payload};
use serde_json::json;

use super::{Services, SharedServices, request_id};
use crate::functions::Role;
use crate::limits::{ASYNC_INVOCATION_BYTES, INVOCATION_BYTES};
use crate::state::{Acceptance, NewDelivery, StateError};
use crate::{arn, clock};

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers `POST /2015-03-31/functions/{name}/invocations`.
pub(super) async fn invoke(
    Shared(services): Shared<SharedServices>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(role) = role(&services.names, &name) else {
        return not_found(&name);
    };
    let kind = headers
        .get(INVOCATION_TYPE)
        .and_then(|value| value.to_str().ok());
    let (asynchronous, most) = match kind.unwrap_or("RequestResponse") {
        "RequestResponse" => (false, INVOCATION_BYTES),
        "Event" => (true, ASYNC_INVOCATION_BYTES),
        "DryRun" => return StatusCode::NO_CONTENT.into_response(),
        other => {
            let message = format!("Unknown invocation type {other:?}");
            let code = "InvalidParameterValueException";
            return error(StatusCode::BAD_REQUEST, code, &message);
        }
    };
    if body.len() > most {
        let message = format!("{} byte payload is too large: at most {most}", body.len());
        return error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            &message,
        );
    }
    match payload(&body) {
        Ok(payload) if asynchronous => invoke_later(&services, role, &payload).await,
        Ok(payload) => invoke_now(&services, role, payload).await,
        Err(cause) => {
            let message = format!("Could not parse request body into json: {cause}");
            error(
                StatusCode::BAD_REQUEST,
                "InvalidRequestContentException",
                &message,
            )
        }
    }
}

/// The function by name or ARN, with or without the qualifier `$LATEST`.
pub(super) fn role(names: &Names, name: &str) -> Option<Role> {
    let name = name.strip_suffix(":$LATEST").unwrap_or(name);
    let name = arn::last_part(name);
    Role::ALL
        .into_iter()
        .find(|role| names.of(role.name()) == name)
}

/// There is no function of this name or ARN.
pub(super) fn not_found(name: &str) -> Response {
    let arn = arn::function(arn::last_part(name));
    let message = format!("Function not found: {arn}");
    error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message)
}

/// An empty payload reaches a function as `{}`.
fn payload(body: &[u8]) -> Result<Payload, serde_json::Error> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body })
}

async fn invoke_now(services: &Services, role: Role, payload: Payload) -> Response {
    let request_id = request_id();
    let answer = services.invoker.invoke(role, payload, &request_id).await;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (REQUEST_ID, request_id.as_str()),
        (HeaderName::from_static("x-amz-executed-version"), "$LATEST"),
    ];
    match answer {
        Ok(value) => (headers, value.to_string()).into_response(),
        Err(failed) => {
            let body = json!({ "errorMessage": failed.0, "errorType": "Failed" });
            (headers, [(FUNCTION_ERROR, "Unhandled")], body.to_string()).into_response()
        }
    }
}

async fn invoke_later(services: &Services, role: Role, payload: &Payload) -> Response {
    let request_id = request_id();
    let payload = payload.get().to_owned();
    let delivery = NewDelivery {
        role,
        request_id: request_id.clone(),
        payload,
    };
    let acceptance = Acceptance {
        messages: Vec::new(),
        deliveries: vec![delivery],
    };
    let now = clock::now();
    match services
        .state
        .accept(clock::text(now), now.timestamp_millis(), acceptance)
        .await
    {
        Ok(()) => {
            services.delivery_accepted.send_replace(());
            (StatusCode::ACCEPTED, [(REQUEST_ID, request_id)]).into_response()
        }
        Err(StateError::Full) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            error(status, "TooManyRequestsException", "Rate Exceeded.")
        }
        Err(cause) => {
            tracing::error!(%cause, "asynchronous invocation");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            error(status, "ServiceException", "the invocation was not stored")
        }
    }
}

fn error(status: StatusCode, code: &'static str, message: &str) -> Response {
    let kind = if status.is_client_error() {
        "User"
    } else {
        "Service"
    };
    let body = json!({ "Type": kind, "Message": message, "message": message });
    let headers = [(CONTENT_TYPE, "application/json"), (ERROR_TYPE, code)];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_name_and_by_arn() {
        let names = Names::new("dev").unwrap();
        for name in [
            "waybill-dev-api",
            "000000000000:function:waybill-dev-api",
            "arn:aws:lambda:us-east-1:000000000000:function:waybill-dev-api",
            "arn:aws:lambda:us-east-1:000000000000:function:waybill-dev-api:$LATEST",
        ] {
            assert_eq!(role(&names, name), Some(Role::Api), "{name}");
        }
        for name in ["waybill-prod-api", "waybill-dev-nobody", "api", ""] {
            assert_eq!(role(&names, name), None, "{name}");
        }
    }

    #[test]
    fn a_payload_keeps_its_text() {
        assert_eq!(payload(b"").unwrap().get(), "{}");
        assert_eq!(payload(b"{\"n\": 1.10}").unwrap().get(), "{\"n\": 1.10}");
        assert!(payload(b"{").is_err());
    }
}
