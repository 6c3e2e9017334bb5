//! Decides which requests are admitted, and adds security headers to every answer.
//!
//! Every request that changes something must be a `POST` of one of the console's own forms: from
//! the console's origin, urlencoded, with the session's token. This is checked here, before any
//! route, so that no page can forget it.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts as _, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{self, HeaderName},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hosts::Foreign;

use crate::{
    Console,
    limits::FORM_BYTES_MAX,
    tokens::SessionId,
    view::{self, Session},
};

/// The form field that holds the token.
pub const TOKEN: &str = "token";

/// Pages may load files of this console only, nothing inline, and must not be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'self'; object-src 'none'";

/// The reasons to refuse a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Host,
    Origin,
    Method,
    NoForm,
    TooLarge,
    Token,
    ReadOnly,
}

impl Refused {
    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Host | Self::Origin | Self::Token | Self::ReadOnly => StatusCode::FORBIDDEN,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Host => {
                "The console answers to the names of its own machine only. --allow-host allows \
                 another one."
            }
            Self::Origin => "A page of another site has sent this. Nothing was changed.",
            Self::Method => "The console takes GET and POST only.",
            Self::NoForm => {
                "A change is sent by one of the console's own forms. Nothing was changed."
            }
            Self::TooLarge => "The form is too large. Nothing was changed.",
            Self::Token => {
                "The form is older than this start of the console, or not one of its own. Nothing \
                 was changed: go back, load the page again, and send it once more."
            }
            Self::ReadOnly => {
                "This is production, and the console was started without --allow-changes. Nothing \
                 was changed."
            }
        }
    }
}

/// Refuses requests from other hosts and sites, gives the browser a session, and adds the headers
/// of every answer.
pub async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let known = session(headers, &console.0.cookie);
    let session = known.clone().unwrap_or_else(SessionId::random);
    let token = console.0.tokens.of(&session);
    let mut answer = match admitted(&console, request, &session).await {
        Ok(mut request) => {
            request.extensions_mut().insert(Session { token });
            next.run(request).await
        }
        Err((Refused::Host, _)) => refused_bare(Refused::Host),
        Err((refused, mut parts)) => {
            parts.extensions.insert(Session { token });
            match view::View::from_request_parts(&mut parts, &console).await {
                Ok(view) => view.refused(refused.status(), refused.message()),
                Err(_) => refused_bare(refused),
            }
        }
    };
    if known.is_none() {
        let (name, value) = (&console.0.cookie, session.as_str());
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    add_headers(answer.headers_mut());
    answer
}

/// Returns an answer without a page, for requests that must not see one.
fn refused_bare(refused: Refused) -> Response {
    (refused.status(), refused.message()).into_response()
}

/// Returns the request where it is admitted, else the reason of the refusal. The body of a `POST`
/// is read whole to check the token, and passed on unchanged.
async fn admitted(
    console: &Console,
    request: Request,
    session: &SessionId,
) -> Result<Request, (Refused, Parts)> {
    let (parts, body) = request.into_parts();
    if let Some(refused) = refusal(console, &parts) {
        return Err((refused, parts));
    }
    if parts.method != Method::POST {
        return Ok(Request::from_parts(parts, body));
    }
    let Ok(form) = to_bytes(body, FORM_BYTES_MAX).await else {
        return Err((Refused::TooLarge, parts));
    };
    let mut members = form_urlencoded::parse(&form);
    let token = members.find(|(name, _)| name == TOKEN);
    if !token.is_some_and(|(_, token)| console.0.tokens.is_of(session, &token)) {
        return Err((Refused::Token, parts));
    }
    if !console.about().may_change() {
        return Err((Refused::ReadOnly, parts));
    }
    Ok(Request::from_parts(parts, Body::from(form)))
}

/// Returns the reason to refuse a request, as far as its headers show one.
fn refusal(console: &Console, parts: &Parts) -> Option<Refused> {
    let authority = parts.uri.authority();
    match console.0.allowed.refusal(&parts.headers, authority) {
        Some(Foreign::Host) => return Some(Refused::Host),
        Some(Foreign::Origin) => return Some(Refused::Origin),
        None => {}
    }
    match parts.method {
        Method::GET | Method::HEAD => None,
        Method::POST if is_from_elsewhere(&parts.headers) => Some(Refused::Origin),
        Method::POST if !is_a_form(&parts.headers) => Some(Refused::NoForm),
        Method::POST => None,
        _ => Some(Refused::Method),
    }
}

/// Whether the browser says that another site has sent the request. Old browsers and other programs
/// say nothing.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_a_form(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE);
    let sent = sent.and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns the session from the browser's cookie.
fn session(headers: &HeaderMap, name: &str) -> Option<SessionId> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = named.find(|(found, _)| *found == name)?;
    SessionId::parse(value)
}

fn add_headers(headers: &mut HeaderMap) {
    let always: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it, browsers send the console's own forms with `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let id = "0123456789abcdef0123456789abcdef";
        let found = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, line.parse().unwrap());
            session(&headers, "waybill-console-4580").is_some()
        };
        assert!(found(&format!("a=b; waybill-console-4580={id}; c=d")));
        assert!(!found(&format!("waybill-console-45801={id}")));
        assert!(!found(&format!("xwaybill-console-4580={id}")));
        assert!(!found("waybill-console-4580=short"));
    }

    #[test]
    fn a_form_is_known_by_its_type() {
        let is = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, text.parse().unwrap());
            is_a_form(&headers)
        };
        assert!(is("application/x-www-form-urlencoded"));
        assert!(is("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        for other in ["text/plain", "multipart/form-data", "application/json", ""] {
            assert!(!is(other), "{other}");
        }
        assert!(!is_a_form(&HeaderMap::new()));
    }
}
