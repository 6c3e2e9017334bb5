//! Lambda's `Invoke`.

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Services, SharedServices, request_id};
use crate::definition::{Definition, Function};
use crate::function::Payload;
use crate::limits::{ASYNC_INVOCATION_BYTES, INVOCATION_BYTES};
use crate::state::{Acceptance, NewDelivery, StateError};
use crate::{arn, clock};

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Handles `POST /2015-03-31/functions/{name}/invocations`.
pub(super) async fn invoke(
    Shared(services): Shared<SharedServices>,
    Path(name): Path<String>,
    Query(query): Query<QueryParameters>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reference = FunctionReference::new(&name, query.qualifier);
    let function = match reference.find(&services.definition) {
        Ok(function) => function.id.as_str(),
        Err(refused) => return refused.answer(&reference),
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
        Ok(payload) if asynchronous => invoke_later(&services, function, &payload).await,
        Ok(payload) => invoke_now(&services, function, payload).await,
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

/// The parameters in the query of a call.
#[derive(Debug, Deserialize)]
pub(super) struct QueryParameters {
    #[serde(rename = "Qualifier")]
    pub(super) qualifier: Option<String>,
}

/// A function as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionReference {
    name: String,
    /// The alias or version, where the caller names one.
    qualifier: Option<String>,
}

/// The reason why a call reaches no function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no function of this name, or no such alias or version of it.
    NotFound,
    /// The function exists, but only the HTTP API may invoke it by this alias.
    Denied,
}

impl FunctionReference {
    /// Reads a name, a partial ARN or a full ARN. The qualifier is `parameter`, or else the part
    /// behind the name.
    pub(super) fn new(name_or_arn: &str, parameter: Option<String>) -> Self {
        let parts: Vec<&str> = name_or_arn.split(':').collect();
        let begins = parts.iter().position(|part| *part == "function");
        let mut parts = parts.into_iter().skip(begins.map_or(0, |at| at + 1));
        let name = parts.next().unwrap_or_default().to_owned();
        let behind = parts.next().map(str::to_owned);
        Self {
            name,
            qualifier: parameter.or(behind),
        }
    }

    /// Returns the function in this definition. Fails where there is none, or the caller may not
    /// invoke it.
    pub(super) fn find<'a>(&self, definition: &'a Definition) -> Result<&'a Function, Refused> {
        let function = definition.function_named(&self.name);
        let function = function.ok_or(Refused::NotFound)?;
        let api = &definition.http_api;
        match self.qualifier.as_deref() {
            None | Some("$LATEST") => Ok(function),
            by if by == api.alias.as_deref() && api.is_in_front_of(&function.id) => {
                Err(Refused::Denied)
            }
            Some(_) => Err(Refused::NotFound),
        }
    }

    fn arn(&self) -> String {
        let arn = arn::function(&self.name);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}

impl Refused {
    /// Returns the error in the form of Lambda's API.
    pub(super) fn answer(self, reference: &FunctionReference) -> Response {
        let arn = reference.arn();
        let (status, code, message) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {arn}"),
            ),
            Self::Denied => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                format!("not authorized to perform: lambda:InvokeFunction on resource: {arn}"),
            ),
        };
        error(status, code, &message)
    }
}

/// Reads the payload of a call. A function receives an empty payload as `{}`.
fn payload(body: &[u8]) -> Result<Payload, serde_json::Error> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body })
}

async fn invoke_now(services: &Services, function: &str, payload: Payload) -> Response {
    let request_id = request_id();
    let answer = services
        .invoker
        .invoke(function, payload, &request_id)
        .await;
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

async fn invoke_later(services: &Services, function: &str, payload: &Payload) -> Response {
    let request_id = request_id();
    let payload = payload.get().to_owned();
    let delivery = NewDelivery {
        function: function.to_owned(),
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
            tracing::error!(%cause, "an asynchronous invocation was not stored");
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
    use crate::definition::{Route, toy};

    #[test]
    fn a_function_is_known_by_name_and_by_arn() {
        let library = toy::library();
        let found = |name: &str| {
            let found = FunctionReference::new(name, None).find(&library);
            found.map(|function| function.id.as_str())
        };
        for name in [
            "toy-desk",
            "000000000000:function:toy-desk",
            "arn:aws:lambda:us-east-1:000000000000:function:toy-desk",
            "arn:aws:lambda:us-east-1:000000000000:function:toy-desk:$LATEST",
        ] {
            assert_eq!(found(name), Ok("desk"), "{name}");
        }
        for name in [
            "other-desk",
            "toy-nobody",
            "toy-desk:7",
            "toy-scan:gateway",
            "desk",
            "",
        ] {
            assert_eq!(found(name), Err(Refused::NotFound), "{name}");
        }
    }

    #[test]
    fn the_gateways_alias_is_the_gateways_alone() {
        let mut library = toy::library();
        let lend = library.http_api.routes[0].clone();
        library.http_api.routes.push(Route {
            path: "/loans".to_owned(),
            function: "lend".to_owned(),
            ..lend
        });
        for reference in [
            FunctionReference::new("toy-desk", Some("gateway".to_owned())),
            FunctionReference::new("toy-desk:gateway", None),
            FunctionReference::new("toy-lend", Some("gateway".to_owned())),
        ] {
            let refused = reference.find(&library).err();
            assert_eq!(refused, Some(Refused::Denied), "{reference:?}");
        }
    }

    #[test]
    fn a_payload_keeps_its_text() {
        assert_eq!(payload(b"").unwrap().get(), "{}");
        assert_eq!(payload(b"{\"n\": 1.10}").unwrap().get(), "{\"n\": 1.10}");
        assert!(payload(b"{").is_err());
    }
}
