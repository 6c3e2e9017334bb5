//! Requests of an HTTP API (payload format 2.0), answers and problems.

use aws_lambda_events::{
    apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest},
    query_map::QueryMap,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Json, Refusal, json::Object};
use http::HeaderMap;
use serde_json::{Value, json, value::RawValue};

/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A request, as a handler needs it.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// The path behind the stage, a segment each.
    pub path: Vec<String>,
    query: QueryMap,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not yet read.
    pub body: Vec<u8>,
    /// Who sends it: a JWT's `sub`, an IAM role without its session, or `anonymous`.
    pub caller: String,
    /// The gateway's id of the request.
    pub request_id: String,
}

impl Request {
    /// From what the gateway sends, or the problem with it.
    pub fn new(event: ApiGatewayV2httpRequest) -> Result<Self, Problem> {
        let context = event.request_context;
        let body = event.body.unwrap_or_default();
        let body = match event.is_base64_encoded {
            true => BASE64_STANDARD
                .decode(body)
                .map_err(|_| Problem::invalid("not_json", "", "the body is not JSON"))?,
            false => body.into_bytes(),
        };
        Ok(Self {
            method: context.http.method.to_string(),
            path: segments(
                event.raw_path.as_deref().unwrap_or_default(),
                context.stage.as_deref().unwrap_or_default(),
            ),
            query: event.query_string_parameters,
            headers: event.headers,
            body,
            caller: caller(context.authorizer.as_ref())?,
            request_id: context.request_id.unwrap_or_default(),
        })
    }

    /// A parameter of the query string as the gateway sends it, several of one name joined by
    /// commas: the reader of its events takes every value apart that has a comma in it.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let values = self.query.all(name)?;
        (!values.is_empty()).then(|| values.join(","))
    }

    /// A header's text, `None` where it is missing; a problem where it is no text.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(value) = self.headers.get(name) else {
            return Ok(None);
        };
        let text = value.to_str().ok().map(str::trim);
        let readable = text.filter(|text| text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        match readable {
            Some(text) => Ok(Some(text)),
            None => Err(Problem::invalid(
                "invalid_header",
                name,
                "not printable ASCII",
            )),
        }
    }

    /// The body as JSON; an empty one is an empty object.
    pub fn json(&self) -> Result<Object, Problem> {
        if self.body.len() > BODY_BYTES_MAX {
            let message = format!("a body has at most {BODY_BYTES_MAX} bytes");
            return Err(Problem::new(413, "body_too_large", message));
        }
        let Ok(text) = std::str::from_utf8(&self.body) else {
            return Err(Problem::invalid("not_json", "", "the body is not UTF-8"));
        };
        // Some clients begin a text with a byte order mark, which is none of its content.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(Object::new());
        }
        let json = Json::parse(text).map_err(Refusal::from)?;
        let kind = json.kind();
        json.into_object().ok_or_else(|| {
            Problem::invalid(
                "not_an_object",
                "",
                format!("an object was expected, not {kind}"),
            )
        })
    }
}

/// The path's segments behind the stage: with a named stage, the path begins with it. The gateway
/// has decoded it.
fn segments(path: &str, stage: &str) -> Vec<String> {
    let path = path.trim_start_matches('/');
    let path = match path.split_once('/') {
        Some((first, rest)) if first == stage => rest,
        _ => path,
    };
    path.split('/').map(str::to_owned).collect()
}

/// Who the authoriser says it is; nothing in the request itself says so.
///
/// A token of an application of its own (client credentials) may have no `sub`: then it is the
/// application, by `client_id` or `azp` (RFC 9068, OpenID Connect) and issuer. Callers that nothing
/// tells apart would share their keys, so a token without any of them is refused. Without an
/// authoriser nobody is asked, as on the local system; one that names nobody is refused.
fn caller(authorizer: Option<&ApiGatewayRequestAuthorizer>) -> Result<String, Problem> {
    let Some(authorizer) = authorizer else {
        return Ok("anonymous".to_owned());
    };
    if let Some(token) = &authorizer.jwt {
        let claim = |name: &str| token.claims.get(name).filter(|text| !text.is_empty());
        let application = || {
            let id = claim("client_id").or_else(|| claim("azp"))?;
            Some(format!("client/{id}@{}", claim("iss")?))
        };
        let subject = claim("sub").map(|sub| of_subject(sub));
        return subject.or_else(application).ok_or_else(|| {
            let message = "the token names nobody: neither sub, nor client_id or azp with iss";
            Problem::new(401, "nobody", message)
        });
    }
    let arn = authorizer
        .iam
        .as_ref()
        .and_then(|iam| iam.user_arn.as_deref());
    let arn = arn.filter(|arn| !arn.is_empty()).map(role_of);
    arn.ok_or_else(|| Problem::new(401, "nobody", "the authoriser names nobody"))
}

/// A token's subject as a caller. Where users choose it themselves, it must not read like a caller of
/// another kind: those get `sub/` in front.
fn of_subject(sub: &str) -> String {
    let ours = ["waybill", "invoke", "anonymous"].contains(&sub);
    let kinds = ["arn:", "carriers/", "client/", "events/", "files/", "sub/"];
    match ours || kinds.iter().any(|kind| sub.starts_with(kind)) {
        true => format!("sub/{sub}"),
        false => sub.to_owned(),
    }
}

/// `arn:aws:sts::1:assumed-role/Name/session` without its session: a retry may run in another one.
fn role_of(arn: &str) -> String {
    match (arn.contains(":assumed-role/"), arn.rsplit_once('/')) {
        (true, Some((role, _session))) => role.to_owned(),
        _ => arn.to_owned(),
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Json,
}

impl Response {
    /// `200` with a body.
    pub fn ok(body: Json) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }

    /// With a header more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As the gateway wants it.
    pub fn to_payload(&self) -> Value {
        self.payload("application/json")
    }

    fn payload(&self, content_type: &str) -> Value {
        let mut headers = serde_json::Map::new();
        headers.insert("content-type".to_owned(), content_type.into());
        for (name, value) in &self.headers {
            headers.insert((*name).to_owned(), value.clone().into());
        }
        json!({
            "statusCode": self.status,
            "headers": headers,
            "body": self.body.to_string(),
            "isBase64Encoded": false,
        })
    }
}

/// What went wrong, for whoever sent the request (RFC 9457). Internal causes stay in the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem, stable for machines.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// The field at fault.
    pub field: Option<String>,
    /// On a conflict, how things stand.
    pub standing: Option<Standing>,
}

/// How an order or shipment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The sequence of its last event.
    pub version: u64,
    /// Its status, where it has one.
    pub status: Option<String>,
    /// What may be done next.
    pub allowed_actions: &'static [&'static str],
}

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: &str = "1";

impl Problem {
    /// A problem with no field at fault.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            standing: None,
        }
    }

    /// `400`: a field at fault, or the whole request where `field` is empty.
    pub fn invalid(
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let field = Some(field.into()).filter(|field| !field.is_empty());
        Self {
            field,
            ..Self::new(400, code, message)
        }
    }

    /// `403`: it may not be asked by whoever asks.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// `404`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// `503`: nothing is wrong with the request, it may simply be sent again.
    pub fn unavailable() -> Self {
        Self::new(
            503,
            "unavailable",
            "temporarily unavailable, please send it again",
        )
    }

    /// `500`: nothing that the sender can do about.
    pub fn internal() -> Self {
        Self::new(
            500,
            "internal",
            "this cannot be answered, and has been reported",
        )
    }

    /// With how things stand.
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = Some(standing);
        self
    }

    /// The members of the problem's JSON object.
    pub fn to_json(&self) -> Json {
        let title = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error");
        let mut members = Object::from([
            (
                "type".to_owned(),
                format!("urn:waybill:problem:{}", self.code).into(),
            ),
            ("title".to_owned(), title.into()),
            ("status".to_owned(), u64::from(self.status).into()),
            ("detail".to_owned(), self.message.clone().into()),
            ("code".to_owned(), self.code.into()),
            ("message".to_owned(), self.message.clone().into()),
        ]);
        if let Some(field) = &self.field {
            members.insert("field".to_owned(), field.clone().into());
        }
        if let Some(standing) = &self.standing {
            members.insert("version".to_owned(), standing.version.into());
            if let Some(status) = &standing.status {
                members.insert("orderStatus".to_owned(), status.clone().into());
            }
            let actions = standing
                .allowed_actions
                .iter()
                .map(|action| (*action).into());
            members.insert("allowedActions".to_owned(), Json::Array(actions.collect()));
        }
        Json::Object(members)
    }

    /// As the gateway wants it.
    pub fn to_payload(&self) -> Value {
        let mut response = Response {
            status: self.status,
            headers: Vec::new(),
            body: self.to_json(),
        };
        if self.status == 503 {
            response = response.with("retry-after", RETRY_AFTER_SECONDS);
        }
        response.payload("application/problem+json")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid {
                code,
                field,
                message,
            } => Self::invalid(code, field, message),
            Refusal::NotFound { message } => Self::not_found(message),
            Refusal::Conflict { code, message } => Self::new(409, code, message),
        }
    }
}

/// The request in `payload`, where it is one of an HTTP API and not a direct invocation.
pub fn is_request(payload: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Shape {
        version: String,
        #[serde(rename = "rawPath")]
        raw_path: String,
        #[serde(rename = "requestContext")]
        _context: serde::de::IgnoredAny,
    }
    let shape: Result<Shape, _> = serde_json::from_str(payload.get());
    shape.is_ok_and(|shape| shape.version == "2.0" && shape.raw_path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_stage_is_no_part_of_the_path() {
        assert_eq!(segments("/orders/1", "$default"), ["orders", "1"]);
        assert_eq!(segments("/dev/orders/1", "dev"), ["orders", "1"]);
        assert_eq!(segments("/orders/a%2Fb", "dev"), ["orders", "a%2Fb"]);
    }

    #[test]
    fn the_caller_is_the_role_whatever_its_session() {
        assert_eq!(
            role_of("arn:aws:sts::1:assumed-role/Shop/session-7"),
            "arn:aws:sts::1:assumed-role/Shop"
        );
        assert_eq!(
            role_of("arn:aws:iam::1:user/ann"),
            "arn:aws:iam::1:user/ann"
        );
    }

    #[test]
    fn a_problem_says_where_and_hides_why() {
        let problem = Problem::invalid("invalid_field", "items[0].price", "must be zero or more");
        assert_eq!(
            problem.to_json().to_string(),
            r#"{"code":"invalid_field","detail":"must be zero or more","field":"items[0].price","message":"must be zero or more","status":400,"title":"Bad Request","type":"urn:waybill:problem:invalid_field"}"#
        );
    }
}
