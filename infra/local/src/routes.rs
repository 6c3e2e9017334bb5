//! The routes of the HTTP API, and its rules for pages of other origins (CORS).

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderName, Method};
use emulator::definition::{self, Cors, HttpApi};
use lambda::Names;
use lambda::names::GATEWAY_ALIAS;

use crate::functions::Role;

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
pub const ROUTES: [Route; 12] = [
    route("POST", "/orders", Role::Api),
    route("POST", "/orders/{orderId}/complete", Role::Api),
    route("POST", "/orders/{orderId}/cancel", Role::Api),
    route("POST", "/shipments/{shipmentId}/updates", Role::Api),
    route("DELETE", "/customers/{customerId}/personal-data", Role::Api),
    route("POST", "/carriers/{provider}", Role::Carriers),
    route("GET", "/orders", Role::Query),
    route("GET", "/orders/{id}", Role::Query),
    route("GET", "/orders/{id}/history", Role::Query),
    route("GET", "/shipments", Role::Query),
    route("GET", "/shipments/{id}", Role::Query),
    route("GET", "/shipments/{id}/log", Role::Query),
];

/// Returns the HTTP API of an environment.
pub fn of(names: &Names) -> HttpApi {
    let route = |route: Route| definition::Route {
        method: route.method.to_owned(),
        path: route.path.to_owned(),
        function: route.target.name().to_owned(),
    };
    HttpApi {
        stage: names.environment().to_owned(),
        routes: ROUTES.into_iter().map(route).collect(),
        // A request that no route matches is answered by a function, too.
        default_function: Some(Role::Query.name().to_owned()),
        alias: Some(GATEWAY_ALIAS.to_owned()),
        cors: cors(),
    }
}

fn cors() -> Cors {
    let methods = [Method::GET, Method::POST, Method::DELETE];
    let headers = [
        AUTHORIZATION,
        CONTENT_TYPE,
        IF_MATCH,
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("x-correlation-id"),
    ];
    let exposed = [ETAG];
    Cors {
        methods: methods.iter().map(Method::to_string).collect(),
        request_headers: headers.iter().map(HeaderName::to_string).collect(),
        exposed_headers: exposed.iter().map(HeaderName::to_string).collect(),
    }
}
