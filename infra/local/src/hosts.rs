//! Whose requests are answered: those of this machine's own user.
//!
//! Nobody is asked for credentials here, so that a web page open in a browser of this machine must
//! not reach the system: neither by a name that its owner lets point to 127.0.0.1 (DNS rebinding,
//! told by a foreign `Host`), nor by a request to another site (told by a foreign `Origin`).

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use hosts::Foreign;
use lambda::http::Problem;

use crate::settings::Settings;

/// The names and origins that one port answers to.
#[derive(Debug, Clone)]
pub struct Allowed(hosts::Allowed);

impl Allowed {
    /// What every port answers to: this machine's names, and those that `settings` add. No page of
    /// another origin, so that this is all of the port with AWS's protocols.
    pub fn of(settings: &Settings) -> Self {
        Self(hosts::Allowed::new(named(settings), []))
    }

    /// The same, and pages of the origins that `settings` name: the port of the HTTP API.
    pub fn with_origins_of(settings: &Settings) -> Self {
        let origins = settings.cors_origin.iter().cloned();
        Self(hosts::Allowed::new(named(settings), origins))
    }

    /// Refuses what is foreign before any route of `router` sees it.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, only_allowed))
    }
}

/// How this machine is called beside its own names: the address it listens on, and what was allowed.
fn named(settings: &Settings) -> impl Iterator<Item = String> {
    let bound = (!settings.bind.is_unspecified()).then(|| settings.bind.to_string());
    settings.allow_host.iter().cloned().chain(bound)
}

fn problem(foreign: Foreign) -> Problem {
    let (code, message) = match foreign {
        Foreign::Host => (
            "foreign_host",
            "this system answers to the names of its own machine only; another one is allowed \
             by --allow-host",
        ),
        Foreign::Origin => (
            "foreign_origin",
            "pages of other origins are not answered; --cors-origin allows one for the HTTP API",
        ),
    };
    Problem::new(403, code, message)
}

async fn only_allowed(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority();
    match allowed.0.refusal(request.headers(), authority).map(problem) {
        None => next.run(request).await,
        Some(problem) => {
            tracing::warn!(code = problem.code, "a foreign request was refused");
            let headers = [(CONTENT_TYPE, "application/problem+json")];
            (
                StatusCode::FORBIDDEN,
                headers,
                problem.to_json().to_string(),
            )
                .into_response()
        }
    }
}
