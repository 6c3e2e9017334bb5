//! Requests of an HTTP API (payload format 2.0), answers and problems.

use aws_lambda_events::{
    apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest},
    query_map::QueryMap,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Json, Refusal, json::Object};
use http::HeaderMap;
use serde_json::{Value, json, value::RawValue};

/// The most bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A request of an HTTP API, as a handler needs it.
#[derive(Debug)]
pub struct Request {
    /// The HTTP method, such as `GET`.
    pub method: String,
    /// The segments of the path after the stage.
    pub path: Vec<String>,
    query: QueryMap,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded from Base64 but not yet parsed.
    pub body: Vec<u8>,
    /// The authenticated caller: a JWT's `sub`, an IAM role without its session, or `anonymous`.
    pub caller: String,
    /// The gateway's id of the request.
    pub request_id: String,
}

impl Request {
    /// Reads the gateway's event. Fails with a [`Problem`] where the body is not valid Base64, or
    /// the authoriser names no caller.
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

    /// A parameter of the query string. Several of one name are joined by commas, as the gateway
    /// sends them, since the library splits every value at its commas.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let values = self.query.all(name)?;
        (!values.is_empty()).then(|| values.join(","))
    }

    /// A header's text without white space at its ends; `None` where it is missing. A value that is
    /// not printable ASCII is a problem.
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

    /// Parses the body as a JSON object; an empty body is an empty object.
    pub fn json(&self) -> Result<Object, Problem> {
        if self.body.len() > BODY_BYTES_MAX {
            let message = format!("a body has at most {BODY_BYTES_MAX} bytes");
            return Err(Problem::new(413, "body_too_large", message));
        }
        let Ok(text) = std::str::from_utf8(&self.body) else {
            return Err(Problem::invalid("not_json", "", "the body is not UTF-8"));
        };
        // Some clients begin a text with a byte order mark, which does not belong to its content.
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

/// The path's segments after the stage. With a named stage, the path begins with its name. The
/// gateway has already decoded the path.
fn segments(path: &str, stage: &str) -> Vec<String> {
    let path = path.trim_start_matches('/');
    let path = match path.split_once('/') {
        Some((first, rest)) if first == stage => rest,
        _ => path,
    };
    path.split('/').map(str::to_owned).collect()
}

/// The caller that the authoriser names; nothing in the request itself is trusted for it.
///
/// The token of an application (client credentials) may have no `sub`. Then the caller is the
/// application, by `client_id` or `azp` (RFC 9068, OpenID Connect) and issuer. Callers without any
/// name would share their idempotency keys, so a token without all of these is refused, and so is
/// an authoriser that names nobody. Without an authoriser, as on the local system, the caller is
/// `anonymous`.
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

/// The caller of a token's subject. Where users choose their subject, it must not look like a
/// caller of another kind: such subjects get the prefix `sub/`.
fn of_subject(sub: &str) -> String {
    let ours = ["waybill", "invoke", "anonymous"].contains(&sub);
    let kinds = ["arn:", "carriers/", "client/", "events/", "files/", "sub/"];
    match ours || kinds.iter().any(|kind| sub.starts_with(kind)) {
        true => format!("sub/{sub}"),
        false => sub.to_owned(),
    }
}

/// `arn:aws:sts::1:assumed-role/Name/session` without its session, since a retry may come from
/// another session.
fn role_of(arn: &str) -> String {
    match (arn.contains(":assumed-role/"), arn.rsplit_once('/')) {
        (true, Some((role, _session))) => role.to_owned(),
        _ => arn.to_owned(),
    }
}

/// A successful answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON of the body.
    pub body: Json,
}

impl Response {
    /// The answer `200` with a body.
    pub fn ok(body: Json) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }

    /// The same answer with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer in the gateway's payload format 2.0.
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

/// An error answer for the sender of a request (RFC 9457). Internal causes stay in the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, stable for machines, such as `not_found`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// The field at fault, such as `items[3].price`; `None` where it is none in particular.
    pub field: Option<String>,
    /// The present state of the order or shipment, on a conflict.
    pub present_state: Option<PresentState>,
}

/// The present version, status and allowed actions of an order or shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentState {
    /// The version: the sequence of the last event.
    pub version: u64,
    /// The status, where there is one.
    pub status: Option<String>,
    /// The actions that are allowed next, by their names in the HTTP API.
    pub allowed_actions: &'static [&'static str],
}

/// The header `retry-after` of a `503`, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

impl Problem {
    /// A problem without a field at fault.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            present_state: None,
        }
    }

    /// `400`: the field is at fault, or the whole request where `field` is empty.
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

    /// `403`: the caller is not allowed to do this.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// `404`: the resource does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// `503`: the request is valid and can be sent again.
    pub fn unavailable() -> Self {
        Self::new(
            503,
            "unavailable",
            "temporarily unavailable, please send it again",
        )
    }

    /// `500`: an internal error, which the sender cannot resolve.
    pub fn internal() -> Self {
        Self::new(
            500,
            "internal",
            "this cannot be answered, and has been reported",
        )
    }

    /// The same problem with the present state of the order or shipment.
    pub fn present_state(mut self, present_state: PresentState) -> Self {
        self.present_state = Some(present_state);
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
        if let Some(present_state) = &self.present_state {
            members.insert("version".to_owned(), present_state.version.into());
            if let Some(status) = &present_state.status {
                members.insert("orderStatus".to_owned(), status.clone().into());
            }
            let actions = present_state
                .allowed_actions
                .iter()
                .map(|action| (*action).into());
            members.insert("allowedActions".to_owned(), Json::Array(actions.collect()));
        }
        Json::Object(members)
    }

    /// The problem in the gateway's payload format 2.0.
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

/// Whether `payload` is a request of an HTTP API, and not a direct invocation.
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
