//! AWS's services on one machine, for whichever system is described to them.
//!
//! A system is a [`Definition`]: plain data that name its functions, tables, rules, routes, topics,
//! buckets and schedules, and for each function a [`Handler`] that runs it. The emulator knows nothing
//! else of the system. Handlers are given the payloads that AWS sends; their AWS clients are pointed at
//! this process and cannot tell the difference.
//!
//! ```text
//! HTTP API   gateway ─────────────▶ invoker ─▶ handlers
//! AWS port   aws ── dynamodb ─────▶ embedded DynamoDB ─▶ stream ─▶ invoker
//!               │                                          └─────▶ s3 (dead letters)
//!               ├─ events, rules ─▶ deliveries ─▶ invoker
//!               ├─ s3 ────────────▶ files, state ─▶ deliveries
//!               ├─ sns ───────────▶ state (messages)
//!               ├─ sqs ───────────▶ state (dead letters) ◀─ deliveries
//!               ├─ invocations ───▶ invoker, deliveries
//!               ├─ kms ───────────▶ kms (files of keys)
//!               ├─ cloudwatch ◀──── measured ◀─ printed, measuring, stream
//!               └─ looking_in ◀──── state, printed
//! ```
//!
//! - [`definition`] is what a system says of itself, [`function`] what runs it
//! - [`emulator`] starts the pieces in order and stops them in the opposite one
//! - [`gateway`] is API Gateway, [`aws`] the AWS protocols, [`rules`] EventBridge's patterns,
//!   [`schedule`] its schedules; [`hosts`] refuses what comes from elsewhere
//! - [`dynamodb`] embeds DynamoDB, [`stream`] is its event source mappings
//! - [`invoker`] runs functions as Lambda does, [`deliveries`] is its asynchronous queue, [`printed`]
//!   what functions print, [`measured`] what they and the emulator ([`measuring`]) measure, on which
//!   [`alarms`] look
//! - [`faults`] are switched on on purpose: a consumer held back, answers lost, deliveries doubled
//! - [`kms`] wraps data keys with keys in files
//! - [`state`] is what must survive: messages, deliveries, checkpoints, dead letters, objects
//! - [`limits`] has every bound; [`arn`] and [`clock`] write names and times as AWS does
//!
//! What it is not: there is no authorisation and no throttling.

pub mod alarms;
pub mod arn;
pub mod aws;
pub mod clock;
pub mod definition;
pub mod deliveries;
pub mod dynamodb;
pub mod emulator;
pub mod faults;
pub mod function;
pub mod gateway;
pub mod hosts;
pub mod invoker;
pub mod kms;
pub mod limits;
pub mod measured;
pub mod measuring;
pub mod printed;
pub mod requests;
pub mod rules;
pub mod schedule;
pub mod state;
pub mod stop;
pub mod stream;

pub use definition::Definition;
pub use emulator::{Emulator, Files, Listeners, StartError};
pub use function::{Answer, Context, FunctionError, Handler, Payload};
pub use printed::Printed;
