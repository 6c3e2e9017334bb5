//! An endpoint to switch faults on and off. AWS has no such call.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::SharedServices;
use crate::faults::FaultSettings;

/// `GET /_local/faults`: returns the faults that are on.
pub(super) async fn get(Shared(services): Shared<SharedServices>) -> Json<FaultSettings> {
    Json(services.faults.now())
}

/// `PUT /_local/faults`: switches on the faults that the JSON names and all others off, and returns
/// the faults that are on then. Answers 400 where a value is not allowed, and changes nothing.
pub(super) async fn put(Shared(services): Shared<SharedServices>, body: Bytes) -> Response {
    let wanted: Result<FaultSettings, _> = serde_json::from_slice(&body);
    let switched = match wanted {
        Ok(wanted) => services
            .faults
            .switch(wanted)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match switched {
        Ok(()) => {
            let on = services.faults.now();
            tracing::warn!(?on, "faults were switched");
            Json(on).into_response()
        }
        Err(message) => {
            let body = Json(json!({ "message": message }));
            (StatusCode::BAD_REQUEST, body).into_response()
        }
    }
}
