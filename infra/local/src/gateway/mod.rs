//! The HTTP API: routes requests to functions and says what API Gateway says.

mod answer;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, get, on};
use lambda::Names;
use tower_http::cors::CorsLayer;

use self::request::Routed;
use crate::functions::{Invoker, Role};
use crate::limits::{HTTP_API_BODY_BYTES, HTTP_API_TIMEOUT};

/// A route of the HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, as API Gateway writes it.
    pub path: &'static str,
    /// The function behind it.
    pub target: Role,
}

const fn route(method: &'static str, path: &'static str, target: Role) -> Route {
    Route {
        method,
        path,
        target,
    }
}

/// Every route of the HTTP API.
pub const ROUTES: [Route; 11] = [
    route("POST", "/orders", Role::Api),
    route("POST", "/orders/{orderId}/complete", Role::Api),
    route("POST", "/orders/{orderId}/cancel", Role::Api),
    route("POST", "/shipments/{shipmentId}/updates", Role::Api),
    route("POST", "/carriers/{provider}", Role::Carriers),
    route("GET", "/orders", Role::Query),
    route("GET", "/orders/{id}", Role::Query),
    route("GET", "/orders/{id}/history", Role::Query),
    route("GET", "/shipments", Role::Query),
    route("GET", "/shipments/{id}", Role::Query),
    route("GET", "/shipments/{id}/log", Role::Query),
];

/// Is the function one of those behind the HTTP API?
pub fn is_behind(role: Role) -> bool {
    ROUTES.iter().any(|route| route.target == role)
}

/// The stage of a path without prefix.
const DEFAULT_STAGE: &str = "$default";

/// The HTTP API, under `/` and, as a deployed stage is, under `/<env>`.
pub fn router(invoker: &Invoker, names: &Names, origins: &[String]) -> Router {
    let stage = names.environment();
    let mut router = Router::new().route("/health", get(answer::health));
    for route in ROUTES {
        router = router
            .route(route.path, handler(route, DEFAULT_STAGE, invoker))
            .route(
                &format!("/{stage}{}", route.path),
                handler(route, stage, invoker),
            );
    }
    let default = default_handler(names.environment(), invoker);
    router
        .fallback(default.clone())
        .method_not_allowed_fallback(default)
        .layer(cors(origins))
}

/// The route `$default`: whatever no other route takes, so that its answer, too, is one that a
/// function has written.
fn default_handler(stage: &str, invoker: &Invoker) -> MethodRouter {
    let (invoker, named) = (invoker.clone(), stage.to_owned());
    any(move |peer: ConnectInfo<SocketAddr>, request: Request| {
        let staged = request
            .uri()
            .path()
            .trim_start_matches('/')
            .split('/')
            .next()
            == Some(named.as_str());
        let routed = Routed {
            key: "$default".to_owned(),
            stage: if staged {
                named
            } else {
                DEFAULT_STAGE.to_owned()
            },
            parameters: BTreeMap::new(),
            source_ip: peer.ip().to_string(),
        };
        serve(invoker, Role::Query, routed, request)
    })
}

fn handler(route: Route, stage: &str, invoker: &Invoker) -> MethodRouter {
    let (invoker, stage) = (invoker.clone(), stage.to_owned());
    type Params = Result<RawPathParams, RawPathParamsRejection>;
    let serve = move |peer: ConnectInfo<SocketAddr>, params: Params, request: Request| {
        // A path that is no UTF-8 is the function's to refuse.
        let params = params.iter().flatten();
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let routed = Routed {
            key: format!("{} {}", route.method, route.path),
            stage,
            parameters: params.collect(),
            source_ip: peer.ip().to_string(),
        };
        serve(invoker, route.target, routed, request)
    };
    let method = if route.method == "GET" {
        MethodFilter::GET
    } else {
        MethodFilter::POST
    };
    on(method, serve)
}

async fn serve(invoker: Invoker, target: Role, routed: Routed, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, HTTP_API_BODY_BYTES).await else {
        return answer::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let Ok(payload) = request::payload(&parts, &body, routed, &request_id) else {
        return answer::internal_error();
    };
    let invocation = invoker.invoke_by_gateway(target, payload, &request_id);
    match tokio::time::timeout(HTTP_API_TIMEOUT, invocation).await {
        Ok(answer) => answer::from_function(answer, &request_id),
        Err(_) => answer::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

fn cors(origins: &[String]) -> CorsLayer {
    // What is no header's value is no origin that a browser could send.
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|one| one.parse().ok()).collect();
    let headers = [
        AUTHORIZATION,
        CONTENT_TYPE,
        IF_MATCH,
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("x-correlation-id"),
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(headers)
        .expose_headers([ETAG])
}
