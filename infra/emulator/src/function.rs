//! A Lambda function: its input and its answer.

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;

/// The input of a function: JSON with its text unchanged, so that numbers keep their digits.
pub type Payload = Box<RawValue>;

/// The result of an invocation.
pub type Answer = Result<Value, FunctionError>;

/// An invocation failed. The caller receives this text; Lambda repeats the invocation where the
/// kind of trigger does that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FunctionError(pub String);

/// The context that Lambda passes to an invocation besides the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The id of the invocation. A retry of an asynchronous invocation has the same id.
    pub request_id: String,
    /// The ARN by which the function was invoked, with the alias at its end where there was one.
    pub invoked_function_arn: String,
    /// The time at which the invocation is ended if it is still running, in milliseconds since
    /// 1970.
    pub deadline_ms: u64,
}

/// The code of a function.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Runs one invocation. The future is dropped when the time-out of the function has passed. A
    /// panic fails this invocation only.
    async fn invoke(&self, payload: Payload, context: &Context) -> Answer;
}
