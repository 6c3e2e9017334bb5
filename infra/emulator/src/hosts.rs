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

use crate::definition::{Access, Refusal};

/// The names and origins that one port answers to.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Arc<[String]>,
    origins: Arc<[String]>,
    access: Arc<Access>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    Host,
    Origin,
}

impl Allowed {
    /// What every port answers to: this machine's names, and those that `access` adds. No page of
    /// another origin, so that this is all of the port with AWS's protocols. `reached_at` is the
    /// address at which the port is reached.
    pub fn of(access: &Access, reached_at: IpAddr) -> Self {
        let named = access.hosts.iter().map(|host| bare(host));
        Self {
            hosts: named.chain([reached_at.to_string()]).collect(),
            origins: Arc::new([]),
            access: Arc::new(access.clone()),
        }
    }

    /// The same, and pages of the origins that `access` names: the port of the HTTP API.
    pub fn with_origins_of(access: &Access, reached_at: IpAddr) -> Self {
        Self {
            origins: access.origins.iter().cloned().collect(),
            ..Self::of(access, reached_at)
        }
    }

    /// Refuses what is foreign before any route of `router` sees it.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, only_allowed))
    }

    /// Why a request is refused; `None` where it is not.
    fn refusal(&self, headers: &HeaderMap, authority: Option<&Authority>) -> Option<Foreign> {
        let sent = headers.get_all(HOST).iter();
        let mut hosts: Vec<String> = sent
            .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned())
            .chain(authority.map(Authority::to_string))
            .collect();
        if !hosts.iter().all(|host| self.is_own(host)) {
            return Some(Foreign::Host);
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
        (!origins.all(is_known)).then_some(Foreign::Origin)
    }

    fn told(&self, foreign: Foreign) -> &Refusal {
        match foreign {
            Foreign::Host => &self.access.foreign_host,
            Foreign::Origin => &self.access.foreign_origin,
        }
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

async fn only_allowed(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority();
    match allowed.refusal(request.headers(), authority) {
        None => next.run(request).await,
        Some(foreign) => {
            tracing::warn!(?foreign, "a foreign request was refused");
            let Refusal { content_type, body } = allowed.told(foreign).clone();
            (StatusCode::FORBIDDEN, [(CONTENT_TYPE, content_type)], body).into_response()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str]) -> Allowed {
        let access = Access {
            hosts: vec!["Box.lan".to_owned()],
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            ..Access::default()
        };
        Allowed::with_origins_of(&access, IpAddr::from([127, 0, 0, 1]))
    }

    fn refused(allowed: &Allowed, headers: &[(&'static str, &'static str)]) -> Option<Foreign> {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(*name, value.parse().unwrap());
        }
        allowed.refusal(&sent, None)
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
            assert_eq!(refused(&allowed(&[]), &[("host", own)]), None, "{own}");
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
            let refused = refused(&allowed(&[]), &[("host", foreign)]);
            assert_eq!(refused, Some(Foreign::Host), "{foreign}");
        }
        let both = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(refused(&allowed(&[]), &both), Some(Foreign::Host));
        // HTTP/1.0 has none, and no browser speaks it.
        assert_eq!(refused(&allowed(&[]), &[]), None);
    }

    #[test]
    fn what_a_request_names_beside_its_headers_counts_too() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost:8080".parse().unwrap());
        let authority = Authority::from_static("evil.example");
        let refused = allowed(&[]).refusal(&headers, Some(&authority));
        assert_eq!(refused, Some(Foreign::Host));
    }

    #[test]
    fn an_origin_is_the_systems_own_or_one_that_was_asked_for() {
        let shop = allowed(&["http://localhost:3000"]);
        let from = |origin| [("host", "localhost:8080"), ("origin", origin)];
        for own in ["http://localhost:8080", "http://localhost:3000"] {
            assert_eq!(refused(&shop, &from(own)), None, "{own}");
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
                refused(&shop, &from(foreign)),
                Some(Foreign::Origin),
                "{foreign}"
            );
        }
        assert_eq!(
            refused(&allowed(&[]), &from("http://localhost:3000")),
            Some(Foreign::Origin)
        );
    }
}
