//! What the executables `commands` and `projectors` share on AWS Lambda.
//!
//! - [`http`]: requests of an HTTP API, answers and problems
//! - [`invocation`]: the context of one invocation of a function
//! - [`names`]: the names of an environment's tables, functions, bus, topic and buckets
//! - [`read_models`]: the read models of an environment
//! - [`sdk`]: the AWS SDK's configuration, time-outs and retries
//! - [`settings`]: the settings of a function, from its environment variables
//! - [`shards`]: the partitions that an index is spread over
//! - [`stalled_after`]: the time without an update after which a shipment is stalled
//! - [`logs`]: structured logs; [`metrics`]: metrics in them; [`trace`]: W3C trace context
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

/// The JSON that a function is invoked with, as it came: numbers keep their text.
pub type Payload = Box<serde_json::value::RawValue>;

/// The JSON that a function answers with, or a function error.
pub type Answer = Result<serde_json::Value, Failed>;

/// A function error. Lambda reports it to the caller, and retries where the trigger retries.
///
/// The text is safe to show; the cause is in the logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);
