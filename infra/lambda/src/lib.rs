//! What the executables `commands` and `projectors` share of their surroundings on AWS Lambda.
//!
//! - [`http`]: requests of an HTTP API, answers and problems
//! - [`invocation`]: what Lambda says of one run of a function
//! - [`names`]: what tables, functions, bus, topic and bucket of an environment are called
//! - [`read_models`]: which read models an environment has
//! - [`sdk`]: the AWS SDK's configuration, time-outs and retries
//! - [`settings`]: what a function is told of its environment
//! - [`shards`]: over how many partitions an index is spread
//! - [`stalled_after`]: for how long nothing may be heard of a shipment
//! - [`logs`]: structured logs; [`metrics`]: metrics in them; [`trace`]: one id for the whole way
//!
//! A handler takes a [`Payload`] exactly as Lambda delivers it and answers with JSON, so the same
//! handler runs under the Lambda runtime, under the local system and in a test.

pub mod http;
pub mod invocation;
pub mod logs;
pub mod metrics;
pub mod names;
pub mod read_models;
pub mod sdk;
pub mod settings;
pub mod shards;
pub mod stalled_after;
pub mod trace;

pub use invocation::Invocation;
pub use names::Names;
pub use read_models::{ReadModel, ReadModels};
pub use settings::Settings;
pub use shards::Shards;
pub use stalled_after::StalledAfter;

/// What triggers a function: JSON as it came, numbers still as they were written.
pub type Payload = Box<serde_json::value::RawValue>;

/// What a function answers.
pub type Answer = Result<serde_json::Value, Failed>;

/// A function error: Lambda reports it to the caller, and retries where the trigger retries.
///
/// The text is safe to show; the cause is in the logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);
