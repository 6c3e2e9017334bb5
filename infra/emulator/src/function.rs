//! A function, as Lambda runs it: what it is given, and what it answers.

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a function is invoked with: JSON as it came, numbers still as they were written.
pub type Payload = Box<RawValue>;

/// What a function answers.
pub type Answer = Result<Value, FunctionError>;

/// The function has failed. Its caller sees this text, and Lambda repeats the invocation where its
/// trigger repeats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FunctionError(pub String);

/// What Lambda says of one invocation beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// What the invocation is called; a repeated one keeps it.
    pub request_id: String,
    /// The ARN that the function was invoked by, with the alias behind it where there was one.
    pub invoked_function_arn: String,
    /// When the invocation is ended, done or not, in milliseconds since 1970.
    pub deadline_ms: u64,
}

/// A function's code.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Runs once. It is dropped at its time-out, wherever it waits then; a panic is a failure of this
    /// invocation and of no other.
    async fn invoke(&self, payload: Payload, context: &Context) -> Answer;
}
