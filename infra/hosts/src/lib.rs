//! The check of `Host` and `Origin`: a server on this machine answers only its own user.
//!
//! The servers ask for no credentials. So a web page in a browser on this machine must not reach
//! them: neither under a name that the page's owner lets point to 127.0.0.1 (DNS rebinding,
//! recognised by a foreign `Host`), nor by a request to another site (recognised by a foreign
//! `Origin`).

use std::{net::IpAddr, sync::Arc};

use http::{
    HeaderMap,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// The hosts and origins that one port accepts.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Arc<[String]>,
    origins: Arc<[String]>,
}

/// The reason why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A `Host` header, or the authority of the URI, does not name this machine.
    Host,
    /// The request comes from a page of another origin.
    Origin,
}

impl Allowed {
    /// Accepts the names and addresses of this machine, the given `hosts` and `origins` (such as
    /// `http://localhost:3000`), and the origin of the request's own host.
    pub fn new(
        hosts: impl IntoIterator<Item = String>,
        origins: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| normalized(&host)).collect(),
            origins: origins.into_iter().collect(),
        }
    }

    /// Returns why a request with these headers, and this authority in its URI, is refused; `None`
    /// where it is accepted.
    pub fn refusal(&self, headers: &HeaderMap, authority: Option<&Authority>) -> Option<Foreign> {
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

    /// Whether this `Host`, with or without a port, names this machine.
    fn is_own(&self, host: &str) -> bool {
        let name = normalized(host);
        let loopback = name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
        loopback || name == "localhost" || self.hosts.contains(&name)
    }
}

/// Returns the name of a host in lower case, without port, brackets and the final dot.
fn normalized(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets where a port follows.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && may_have_port(name) => {
            name
        }
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a port may follow this name: it has no colons, or is in brackets.
fn may_have_port(name: &str) -> bool {
    !name.contains(':') || name.ends_with(']')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str]) -> Allowed {
        let origins = origins.iter().map(|&origin| origin.to_owned());
        Allowed::new(["Box.lan".to_owned()], origins)
    }

    fn code(allowed: &Allowed, headers: &[(&'static str, &'static str)]) -> Option<Foreign> {
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
            assert_eq!(code, Some(Foreign::Host), "{foreign}");
        }
        let both = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(code(&allowed(&[]), &both), Some(Foreign::Host));
        // HTTP/1.0 has no `Host`; no browser uses it.
        assert_eq!(code(&allowed(&[]), &[]), None);
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
                Some(Foreign::Origin),
                "{foreign}"
            );
        }
        assert_eq!(
            code(&allowed(&[]), &from("http://localhost:3000")),
            Some(Foreign::Origin)
        );
    }
}
