//! Refuses requests with a foreign `Host` or `Origin` at the ports of the emulator, by the rules of
//! the crate `hosts`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use hosts::Foreign;

use crate::definition::{Access, Refusal};

/// The hosts and origins that one port accepts, and its answers to all others.
#[derive(Debug, Clone)]
pub struct Allowed {
    allowed: hosts::Allowed,
    access: Arc<Access>,
}

impl Allowed {
    /// Accepts the names of this machine and those in `access`, and no pages of other origins: for
    /// the port of the AWS protocols. `reached_at` is the IP address at which the port is reached.
    pub fn of(access: &Access, reached_at: IpAddr) -> Self {
        Self::new(access, reached_at, &[])
    }

    /// Accepts the same hosts, and pages of the origins in `access`: for the port of the HTTP API.
    pub fn with_origins_of(access: &Access, reached_at: IpAddr) -> Self {
        Self::new(access, reached_at, &access.origins)
    }

    fn new(access: &Access, reached_at: IpAddr, origins: &[String]) -> Self {
        let named = access.hosts.iter().cloned();
        let named = named.chain([reached_at.to_string()]);
        Self {
            allowed: hosts::Allowed::new(named, origins.iter().cloned()),
            access: Arc::new(access.clone()),
        }
    }

    /// Adds the check in front of all routes of `router`.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, only_allowed))
    }

    fn answer(&self, foreign: Foreign) -> &Refusal {
        match foreign {
            Foreign::Host => &self.access.foreign_host,
            Foreign::Origin => &self.access.foreign_origin,
        }
    }
}

async fn only_allowed(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority();
    match allowed.allowed.refusal(request.headers(), authority) {
        None => next.run(request).await,
        Some(foreign) => {
            tracing::warn!(?foreign, "a foreign request was refused");
            let Refusal { content_type, body } = allowed.answer(foreign).clone();
            (StatusCode::FORBIDDEN, [(CONTENT_TYPE, content_type)], body).into_response()
        }
    }
}
