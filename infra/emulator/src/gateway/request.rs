//! Converts an HTTP request to the payload format 2.0 of HTTP APIs.

use std::collections::BTreeMap;

use axum::http::header::{COOKIE, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::arn::ACCOUNT;
use crate::clock;
use crate::function::Payload;

/// The route of a request, and the values that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Routed {
    /// The key of the route, `<method> <path>`.
    pub(super) key: String,
    /// The name of the stage.
    pub(super) stage: String,
    /// The path parameters, decoded.
    pub(super) parameters: BTreeMap<String, String>,
    /// The IP address of the client.
    pub(super) source_ip: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpRequest<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: &'a str,
    domain_prefix: &'static str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: &'a str,
    user_agent: &'a str,
}

/// Returns the payload for the function of a route.
pub(super) fn payload(
    parts: &Parts,
    body: &[u8],
    routed: Routed,
    request_id: &str,
) -> Result<Payload, serde_json::Error> {
    // HTTP APIs pass the decoded path, although the member is called `rawPath`.
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let query = parts.uri.query().unwrap_or_default();
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let now = clock::now();
    let (body, is_base64_encoded) = text_or_base64(body);
    serde_json::value::to_raw_value(&HttpRequest {
        version: "2.0",
        route_key: &routed.key,
        raw_path: &path,
        raw_query_string: query,
        cookies: cookies(&parts.headers),
        headers: headers(&parts.headers),
        query_string_parameters: joined(form_urlencoded::parse(query.as_bytes()).into_owned()),
        request_context: Context {
            account_id: ACCOUNT,
            api_id: "local",
            domain_name: header(HOST).unwrap_or("localhost"),
            domain_prefix: "local",
            http: Http {
                method: parts.method.as_str(),
                path: &path,
                protocol: if parts.version == Version::HTTP_10 {
                    "HTTP/1.0"
                } else {
                    "HTTP/1.1"
                },
                source_ip: &routed.source_ip,
                user_agent: header(USER_AGENT).unwrap_or_default(),
            },
            request_id,
            route_key: &routed.key,
            stage: &routed.stage,
            time: clock::log_text(now),
            time_epoch: now.timestamp_millis(),
        },
        path_parameters: routed.parameters,
        body,
        is_base64_encoded,
    })
}

/// Returns the body as text where it is UTF-8, otherwise in base64; and whether it is in base64.
fn text_or_base64(body: &[u8]) -> (Option<String>, bool) {
    match std::str::from_utf8(body) {
        Ok("") => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(STANDARD.encode(body)), true),
    }
}

/// Returns the headers by lower-case name, the values of a repeated one joined by commas. Cookies
/// are left out, since the payload has a member for them.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let others = headers.iter().filter(|(name, _)| *name != COOKIE);
    joined(others.map(|(name, value)| (name.to_string(), lossy(value.as_bytes()))))
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(HeaderName::from_static("cookie"));
    let texts: Vec<String> = all.iter().map(|value| lossy(value.as_bytes())).collect();
    texts
        .iter()
        .flat_map(|text| text.split("; "))
        .map(str::to_owned)
        .collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the values by name, those of a repeated name joined by commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        joined
            .entry(name)
            .and_modify(|earlier| {
                earlier.push(',');
                earlier.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;
    use serde_json::{Value, json};

    use super::*;

    fn payload_of(request: Request<()>, body: &[u8]) -> Value {
        let routed = Routed {
            key: "GET /books/{isbn}".to_owned(),
            stage: "toy".to_owned(),
            parameters: BTreeMap::from([("isbn".to_owned(), "a b".to_owned())]),
            source_ip: "127.0.0.1".to_owned(),
        };
        let (parts, ()) = request.into_parts();
        let payload = payload(&parts, body, routed, "request-1").unwrap();
        serde_json::from_str(payload.get()).unwrap()
    }

    #[test]
    fn a_request_becomes_a_payload_of_format_2() {
        let request = Request::get("/toy/books/a%20b?genre=POETRY&genre=PROSE&x=1%2B1")
            .header("Host", "localhost:8080")
            .header("User-Agent", "curl/8")
            .header("X-Tag", "one")
            .header("X-Tag", "two")
            .header("Cookie", "a=1; b=2")
            .body(())
            .unwrap();
        let mut payload = payload_of(request, b"{\"n\":1.10}");
        let context = payload["requestContext"].as_object_mut().unwrap();
        assert!(context.remove("timeEpoch").unwrap().is_i64());
        assert!(
            context
                .remove("time")
                .unwrap()
                .as_str()
                .unwrap()
                .ends_with("+0000")
        );
        assert_eq!(
            payload,
            json!({
                "version": "2.0",
                "routeKey": "GET /books/{isbn}",
                "rawPath": "/toy/books/a b",
                "rawQueryString": "genre=POETRY&genre=PROSE&x=1%2B1",
                "cookies": ["a=1", "b=2"],
                "headers": { "host": "localhost:8080", "user-agent": "curl/8", "x-tag": "one,two" },
                "queryStringParameters": { "genre": "POETRY,PROSE", "x": "1+1" },
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "localhost:8080",
                    "domainPrefix": "local",
                    "http": {
                        "method": "GET", "path": "/toy/books/a b", "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1", "userAgent": "curl/8",
                    },
                    "requestId": "request-1",
                    "routeKey": "GET /books/{isbn}",
                    "stage": "toy",
                },
                "pathParameters": { "isbn": "a b" },
                "body": "{\"n\":1.10}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_body_that_is_no_text_travels_in_base64() {
        let request = || Request::post("/books").body(()).unwrap();
        let binary = payload_of(request(), &[0xff, 0x00]);
        assert_eq!(
            (&binary["body"], &binary["isBase64Encoded"]),
            (&json!("/wA="), &json!(true))
        );
        let empty = payload_of(request(), b"");
        assert!(empty.get("body").is_none());
    }
}
