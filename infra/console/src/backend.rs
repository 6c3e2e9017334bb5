//! The port to Waybill's HTTP API: requests, answers and failures.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Json;
use http::Method;
use serde::{Deserialize, de::DeserializeOwned};

/// One request to the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method, such as `GET` or `POST`.
    pub method: Method,
    /// The path and query, percent-encoded, beginning with `/`.
    pub path: String,
    /// The command's `Idempotency-Key`.
    pub key: Option<String>,
    /// The version that the sender has seen, sent as `If-Match`.
    pub version: Option<u64>,
    /// The command as JSON.
    pub body: Option<String>,
}

/// An answer of the HTTP API, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body: JSON, or the text of a gateway in front of the API.
    pub body: String,
}

/// The reasons why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing listens at the address, the connection broke, or the answer is too large. The text
    /// is for a person.
    #[error("{0}")]
    Lost(String),
    /// No answer came within this time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// The HTTP API of one environment. Tests pass in one that is slow or cannot be reached.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Sends one request and waits a limited time for the answer.
    async fn call(&self, call: Call) -> Result<Answer, NoAnswer>;
}

/// The reasons why a page cannot show what was asked for, or why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The order, shipment or other object does not exist.
    NotFound(Problem),
    /// The API refused the request.
    Refused(Problem),
    /// No answer came. It is not known whether a command had an effect.
    NoAnswer(NoAnswer),
    /// The answer cannot be read: it comes from another program, or from another version of
    /// Waybill.
    Unreadable(String),
    /// AWS denied these credentials an action of the operator's functions.
    Denied(Denied),
    /// One of the operator's functions failed, or the request to the console is invalid.
    Message {
        /// The HTTP status code of the page that shows the message.
        status: u16,
        /// The reason, for an operator.
        message: String,
    },
}

/// A denial by AWS, and the policy that would allow the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The request and the message of the AWS service.
    pub message: String,
    /// The denied action as IAM policies name it, such as `dynamodb:Query`.
    pub action: Option<String>,
    /// The policy that allows the action.
    pub policy: Policy,
}

/// An IAM policy for users of the console, named `waybill-<env>-<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The policy for reading.
    Console,
    /// The policy for changes, and for opening dead letters.
    Operator,
}

impl Policy {
    /// Returns the last part of the policy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Operator => "operator",
        }
    }
}

/// The problem details of a refused request (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// The HTTP status code.
    pub status: u16,
    /// The code of the refusal, for programs. Empty where the answer is not from Waybill itself.
    pub code: String,
    /// The reason of the refusal, for a person.
    pub detail: String,
    /// The name of the invalid member of the request, where one is invalid.
    pub field: Option<String>,
    /// The current version of the aggregate, on a conflict.
    pub version: Option<u64>,
    /// Whether the refused request was a command, not a query.
    #[serde(skip)]
    pub of_command: bool,
}

impl Problem {
    /// Whether a gateway in front of the API denied these credentials. Refusals by Waybill itself
    /// have a code.
    pub fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403) && self.code.is_empty()
    }
}

impl Failure {
    /// Whether somebody else changed the order or shipment since it was read (`409` or `412`).
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(problem) if matches!(problem.status, 409 | 412))
    }

    /// Returns the same failure; where it is a denial, it names the operator's policy as the one
    /// that is missing.
    pub fn with_operator_policy(self) -> Self {
        match self {
            Self::Denied(denied) => Self::Denied(Denied {
                policy: Policy::Operator,
                ..denied
            }),
            other => other,
        }
    }

    /// Whether it is unknown if a command had an effect, because no usable answer came.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Unreadable(_) => true,
            Self::Refused(problem) => problem.status >= 500,
            Self::NotFound(_) | Self::Denied(_) => false,
            Self::Message { status, .. } => *status >= 500,
        }
    }
}

/// The HTTP API with its queries and commands.
#[derive(Clone)]
pub struct Api(Arc<dyn Backend>);

impl Api {
    /// Creates the API on this port.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(backend)
    }

    /// Sends one request and returns the answer unchanged.
    pub async fn call(&self, call: Call) -> Result<Answer, NoAnswer> {
        self.0.call(call).await
    }

    /// Sends a query and reads the answer as a `T`.
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

    /// Works as [`Self::get`], but returns `None` where the object does not exist.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure::NotFound(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a command with its idempotency key, so that sending it again has no second effect.
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

    /// Sends one request and returns the answer, whatever its status.
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
        // A gateway in front of the API answers with `{"message": …}` only.
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

/// The answer to an accepted command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reply {
    /// What the command did, as a sentence.
    pub message: String,
    /// The status after the command.
    pub status: String,
    /// The version after the command.
    pub version: u64,
}
