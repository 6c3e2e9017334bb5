//! Whose requests are answered: those of this machine's own user.
//!
//! Nobody is asked for credentials here, so that a web page open in a browser of this machine must
//! not reach the system: neither by a name that its owner lets point to 127.0.0.1 (DNS rebinding,
//! told by a foreign `Host`), nor by a request to another site (told by a foreign `Origin`).

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode, header::CONTENT_TYPE, header::HOST, header::ORIGIN, uri::Authority,
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use lambda::http::Problem;

use crate::settings::Settings;

/// The names and origins that one port answers to.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Arc<[String]>,
    origins: Arc<[String]>,
}

impl Allowed {
    /// What every port answers to: this machine's names, and those that `settings` add. No page of
    /// another origin, so that this is all of the port with AWS's protocols.
    pub fn of(settings: &Settings) -> Self {
        let bound = (!settings.bind.is_unspecified()).then(|| settings.bind.to_string());
        let named = settings.allow_host.iter().map(|host| bare(host));
        Self {
            hosts: named.chain(bound).collect(),
            origins: Arc::new([]),
        }
    }

    /// The same, and pages of the origins that `settings` name: the port of the HTTP API.
    pub fn with_origins_of(settings: &Settings) -> Self {
        Self {
            origins: settings.cors_origin.iter().cloned().collect(),
            ..Self::of(settings)
        }
    }

    /// Refuses what is foreign before any route of `router` sees it.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, only_allowed))
    }

    /// Why a request is refused; `None` where it is not.
    fn refusal(&self, headers: &HeaderMap, authority: Option<&Authority>) -> Option<Problem> {
        let sent = headers.get_all(HOST).iter();
        let mut hosts: Vec<String> = sent
            .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned())
            .chain(authority.map(Authority::to_string))
            .collect();
        if !hosts.iter().all(|host| self.is_own(host)) {
            return Some(foreign(
                "foreign_host",
                "this system answers to the names of its own machine only; another one is allowed \
                 by --allow-host",
            ));
        }
        let own_origin = hosts.pop().map(|host| format!("http://{host}"));
        let is_known = |origin: &str| {
            let same = own_origin
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(origin));
            same || self.origins.iter().any(|allowed| allowed == origin)
        };
        let origins = headers.get_all(ORIGIN);
        let mut origins = origins
            .iter()
            .map(|origin| origin.to_str().unwrap_or_default());
        (!origins.all(is_known)).then(|| {
            foreign(
                "foreign_origin",
                "pages of other origins are not answered; --cors-origin allows one for the HTTP API",
            )
        })
    }

    /// Does this `Host`, with its port or without, name this machine?
    fn is_own(&self, host: &str) -> bool {
        let name = bare(host);
        let loopback = name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
        loopback || name == "localhost" || self.hosts.contains(&name)
    }
}

/// A host's name in small letters, without port, brackets and the dot of the root.
fn bare(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        // The colons of an IPv6 address stand within brackets, unless it has no port.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && is_whole(name) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A name that a port may follow: without colons, or in brackets.
fn is_whole(name: &str) -> bool {
    !name.contains(':') || name.ends_with(']')
}

fn foreign(code: &'static str, message: &str) -> Problem {
    Problem::new(403, code, message)
}

async fn only_allowed(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority();
    match allowed.refusal(request.headers(), authority) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str]) -> Allowed {
        Allowed {
            hosts: Arc::new(["box.lan".to_owned()]),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        }
    }

    fn code(allowed: &Allowed, headers: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(*name, value.parse().unwrap());
        }
        allowed.refusal(&sent, None).map(|problem| problem.code)
    }

    #[test]
    fn a_host_is_this_machine_by_name_or_number() {
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.:8080",
            "127.0.0.1",
            "127.0.0.1:4566",
            "127.1.2.3",
            "[::1]",
            "[::1]:8080",
            "box.lan:1",
            "BOX.LAN",
        ] {
            assert_eq!(code(&allowed(&[]), &[("host", own)]), None, "{own}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "localhost:80:80",
            "localhost@evil.example",
            "0.0.0.0",
            "[::2]:1",
            "evil.example#localhost",
        ] {
            let code = code(&allowed(&[]), &[("host", foreign)]);
            assert_eq!(code, Some("foreign_host"), "{foreign}");
        }
        let both = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(code(&allowed(&[]), &both), Some("foreign_host"));
        // HTTP/1.0 has none, and no browser speaks it.
        assert_eq!(code(&allowed(&[]), &[]), None);
    }

    #[test]
    fn what_a_request_names_beside_its_headers_counts_too() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost:8080".parse().unwrap());
        let authority = Authority::from_static("evil.example");
        let refused = allowed(&[]).refusal(&headers, Some(&authority));
        assert_eq!(refused.unwrap().code, "foreign_host");
    }

    #[test]
    fn an_origin_is_the_systems_own_or_one_that_was_asked_for() {
        let shop = allowed(&["http://localhost:3000"]);
        let from = |origin| [("host", "localhost:8080"), ("origin", origin)];
        for own in ["http://localhost:8080", "http://localhost:3000"] {
            assert_eq!(code(&shop, &from(own)), None, "{own}");
        }
        for foreign in [
            "http://evil.example",
            "null",
            "",
            "http://localhost",
            "http://localhost:3001",
            "https://localhost:8080",
            "http://localhost:3000.evil.example",
        ] {
            assert_eq!(
                code(&shop, &from(foreign)),
                Some("foreign_origin"),
                "{foreign}"
            );
        }
        assert_eq!(
            code(&allowed(&[]), &from("http://localhost:3000")),
            Some("foreign_origin")
        );
    }
}
