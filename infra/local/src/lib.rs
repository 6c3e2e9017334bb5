//! The whole system in one process on one machine.
//!
//! The handlers of the deployed functions run here unchanged: they are given the payloads that AWS
//! sends and ordinary AWS clients, pointed at this process, and cannot tell the difference.
//!
//! ```text
//! :8080  gateway ─────────────▶ functions (api, query, carriers)
//! :4566  aws ── dynamodb ─────▶ embedded DynamoDB ─▶ stream ─▶ functions (project, notify)
//!            │                                           └─────▶ s3 (dead letters)
//!            ├─ events, rules ▶ deliveries ─▶ functions (bus)
//!            ├─ s3            ▶ files, state ─▶ deliveries ─▶ functions (import)
//!            ├─ sns           ▶ state (messages)
//!            ├─ sqs           ▶ state (dead letters) ◀─ deliveries
//!            ├─ invocations   ▶ functions, deliveries
//!            └─ looking_in    ◀ state
//! ```
//!
//! - [`system`] puts the pieces together; [`settings`] and [`place`] say where it listens and keeps
//!   its data
//! - [`gateway`] is API Gateway, [`aws`] the AWS protocols, [`rules`] EventBridge's patterns
//! - [`dynamodb`] embeds DynamoDB, [`stream`] is its event source mappings
//! - [`deliveries`] is Lambda's asynchronous queue, [`functions`] runs what is invoked
//! - [`state`] is what must survive: messages, deliveries, checkpoints, dead letters, objects
//! - [`limits`] has every bound; [`demo`] sends work and counts what came of it; [`carriers`] tries webhooks
//!
//! What it is not: there is no authorisation and no throttling.

pub mod arn;
pub mod aws;
pub mod banner;
pub mod carriers;
pub mod clock;
pub mod deliveries;
pub mod demo;
pub mod dynamodb;
pub mod functions;
pub mod gateway;
pub mod hosts;
pub mod limits;
pub mod logs;
pub mod place;
pub mod rules;
pub mod schedule;
pub mod settings;
pub mod state;
pub mod stop;
pub mod stream;
pub mod system;

pub use settings::Settings;
pub use system::{StartError, System};
