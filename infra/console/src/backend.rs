//! The port to Waybill's HTTP API: what is called, and what comes back or does not.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Json;
use http::Method;
use serde::{Deserialize, de::DeserializeOwned};

/// One request to the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// Path and query, percent-encoded, with a `/` at the beginning.
    pub path: String,
    /// A command's `Idempotency-Key`.
    pub key: Option<String>,
    /// The version that the sender has seen: `If-Match`.
    pub version: Option<u64>,
    /// A command's JSON.
    pub body: Option<String>,
}

/// What the HTTP API has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// JSON, or whatever stands in front of the API has said.
    pub body: String,
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens, the connection broke, or the answer is too large. The text is for a person.
    #[error("{0}")]
    Lost(String),
    /// There was none within this time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// The HTTP API of one environment. A test hands in one that is slow or lost.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Sends one request, and waits for its answer for a limited time.
    async fn call(&self, call: Call) -> Result<Answer, NoAnswer>;
}

/// Why a page cannot show what was asked for, or a change was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such thing.
    NotFound(Problem),
    /// The API says no.
    Refused(Problem),
    /// There is no answer. Whether a command had an effect is not known then.
    NoAnswer(NoAnswer),
    /// There is an answer that nobody can read here: another program, or another version.
    Unreadable(String),
    /// AWS does not let these credentials do what an operator does.
    Denied(Denied),
    /// What an operator does cannot be done.
    Message {
        /// The status code of the page that says so.
        status: u16,
        /// Why, for an operator.
        message: String,
    },
}

/// What AWS has said no to, and who may do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// What was asked, and what the service said.
    pub message: String,
    /// What these credentials may not do, as policies call it, such as `dynamodb:Query`.
    pub action: Option<String>,
    /// The policy that lets them.
    pub policy: Policy,
}

/// A policy for whoever uses the console, as it is called behind the environment's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Whoever looks.
    Console,
    /// Whoever changes something, or opens a dead letter.
    Operator,
}

impl Policy {
    /// The end of its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Operator => "operator",
        }
    }
}

/// What the API says of a request that it refuses (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// The status code.
    pub status: u16,
    /// Which refusal it is, for machines.
    pub code: String,
    /// The same for a person.
    pub detail: String,
    /// The member that is at fault.
    pub field: Option<String>,
    /// The aggregate's version, on a conflict.
    pub version: Option<u64>,
    /// Was a command refused, and no question?
    #[serde(skip)]
    pub of_command: bool,
}

impl Problem {
    /// Did whoever stands in front of the API let these credentials not through? What Waybill itself
    /// refuses has a code.
    pub fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403) && self.code.is_empty()
    }
}

impl Failure {
    /// Has somebody else changed the order or shipment since it was looked at?
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(problem) if matches!(problem.status, 409 | 412))
    }

    /// The same of something that the operator's policy opens, where it was denied.
    pub fn with_operator_policy(self) -> Self {
        match self {
            Self::Denied(denied) => Self::Denied(Denied {
                policy: Policy::Operator,
                ..denied
            }),
            other => other,
        }
    }

    /// Was there no answer, so that a command may have had its effect or not?
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Unreadable(_) => true,
            Self::Refused(problem) => problem.status >= 500,
            Self::NotFound(_) | Self::Denied(_) => false,
            Self::Message { status, .. } => *status >= 500,
        }
    }
}

/// The HTTP API, asked and commanded.
#[derive(Clone)]
pub struct Api(Arc<dyn Backend>);

impl Api {
    /// The API behind this port.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(backend)
    }

    /// Sends one request, and gives the answer as it came.
    pub async fn call(&self, call: Call) -> Result<Answer, NoAnswer> {
        self.0.call(call).await
    }

    /// Asks, and reads the answer as a `T`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let call = Call {
            method: Method::GET,
            path: path.to_owned(),
            key: None,
            version: None,
            body: None,
        };
        self.answered(call).await
    }

    /// As [`Self::get`], and `None` where there is no such thing.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure::NotFound(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a command under a key of its own, so that sending it again has no second effect.
    pub async fn command(
        &self,
        path: &str,
        key: &str,
        version: Option<u64>,
        body: &Json,
    ) -> Result<Reply, Failure> {
        let call = Call {
            method: Method::POST,
            path: path.to_owned(),
            key: Some(key.to_owned()),
            version,
            body: Some(body.to_string()),
        };
        self.answered(call).await
    }

    /// What is answered, whatever that is.
    pub async fn answer(&self, call: Call) -> Result<Answer, Failure> {
        self.0.call(call).await.map_err(Failure::NoAnswer)
    }

    async fn answered<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let what = format!("{} {}", call.method, call.path);
        let of_command = call.method != Method::GET;
        let answer = self.0.call(call).await.map_err(Failure::NoAnswer)?;
        if (200..300).contains(&answer.status) {
            return serde_json::from_str(&answer.body)
                .map_err(|error| Failure::Unreadable(format!("{what}: {error}")));
        }
        // A gateway in front of the API says `{"message": …}` only.
        let mut problem: Problem = serde_json::from_str(&answer.body).unwrap_or_default();
        problem.status = answer.status;
        problem.of_command = of_command;
        if problem.detail.is_empty() {
            problem.detail = format!("{what} was answered {}", answer.status);
        }
        Err(match answer.status {
            404 => Failure::NotFound(problem),
            _ => Failure::Refused(problem),
        })
    }
}

/// What a command is answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reply {
    /// What has happened.
    pub message: String,
    /// The status now.
    pub status: String,
    /// The version now.
    pub version: u64,
}
