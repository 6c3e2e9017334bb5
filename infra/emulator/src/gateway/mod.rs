//! The HTTP API: routes requests to functions, in the way of API Gateway.

mod answer;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, get, on};
use tower_http::cors::CorsLayer;

use self::request::Routed;
use crate::definition::{Cors, HttpApi, Route, method_filter};
use crate::faults::Faults;
use crate::invoker::Invoker;
use crate::limits::{HTTP_API_BODY_BYTES, HTTP_API_TIMEOUT};

/// The name of the stage for paths without the prefix of a stage.
const DEFAULT_STAGE: &str = "$default";

/// The target of a route.
#[derive(Clone)]
struct Integration {
    invoker: Invoker,
    faults: Faults,
    /// The id of the function.
    function: String,
    alias: Option<String>,
}

/// Returns the router of the HTTP API, under `/` and under `/<stage>` as for a deployed stage.
/// Pages of `origins` receive CORS headers.
pub fn router(invoker: &Invoker, faults: &Faults, api: &HttpApi, origins: &[String]) -> Router {
    let stage = api.stage.as_str();
    let to = |function: &str| Integration {
        invoker: invoker.clone(),
        faults: faults.clone(),
        function: function.to_owned(),
        alias: api.alias.clone(),
    };
    let mut router = Router::new().route("/health", get(answer::health));
    for route in &api.routes {
        let to = to(&route.function);
        router = router.route(&route.path, handler(route, DEFAULT_STAGE, to.clone()));
        if !stage.is_empty() {
            let staged = format!("/{stage}{}", route.path);
            router = router.route(&staged, handler(route, stage, to));
        }
    }
    let default = match &api.default_function {
        Some(function) => default_handler(stage, to(function)),
        None => any(async || answer::message(StatusCode::NOT_FOUND, "Not Found")),
    };
    router
        .fallback(default.clone())
        .method_not_allowed_fallback(default)
        .layer(cors(&api.cors, origins))
}

/// Returns the route `$default`, which handles all requests that no other route matches, so that a
/// function answers them as well.
fn default_handler(stage: &str, to: Integration) -> MethodRouter {
    let named = stage.to_owned();
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
        serve(to, routed, request)
    })
}

fn handler(route: &Route, stage: &str, to: Integration) -> MethodRouter {
    let (key, stage) = (format!("{} {}", route.method, route.path), stage.to_owned());
    type Params = Result<RawPathParams, RawPathParamsRejection>;
    let serve = move |peer: ConnectInfo<SocketAddr>, params: Params, request: Request| {
        // Where a path is not UTF-8, the function receives no parameters and refuses the request.
        let params = params.iter().flatten();
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let routed = Routed {
            key,
            stage,
            parameters: params.collect(),
            source_ip: peer.ip().to_string(),
        };
        serve(to, routed, request)
    };
    // `Definition::check` has checked that each method is valid.
    on(
        method_filter(&route.method).unwrap_or(MethodFilter::GET),
        serve,
    )
}

async fn serve(to: Integration, routed: Routed, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, HTTP_API_BODY_BYTES).await else {
        return answer::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let Ok(payload) = request::payload(&parts, &body, routed, &request_id) else {
        return answer::internal_error();
    };
    let (alias, function) = (to.alias.as_deref(), to.function.as_str());
    let invocation = to.invoker.invoke_by(alias, function, payload, &request_id);
    let ended = tokio::time::timeout(HTTP_API_TIMEOUT, invocation).await;
    // A client repeats a safe request anyway; only losing the answer to a change tests something.
    if !parts.method.is_safe() && to.faults.take_lost_answer() {
        return answer::lost();
    }
    match ended {
        Ok(answer) => answer::from_function(answer, &request_id),
        Err(_) => answer::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

fn cors(cors: &Cors, origins: &[String]) -> CorsLayer {
    // An origin that is not a valid header value can come from no browser.
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|one| one.parse().ok()).collect();
    let methods = cors.methods.iter();
    let methods: Vec<Method> = methods.filter_map(|one| one.parse().ok()).collect();
    let headers = |names: &[String]| -> Vec<HeaderName> {
        names.iter().filter_map(|one| one.parse().ok()).collect()
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers(headers(&cors.request_headers))
        .expose_headers(headers(&cors.exposed_headers))
}
