//! An emulator of AWS services on one machine, for any system that is defined for it.
//!
//! A system is a [`Definition`]: plain data with its functions, tables, rules, routes, topics,
//! buckets and schedules, and a [`Handler`] with the code of each function. The emulator knows
//! nothing else of the system. A handler receives the payloads that AWS would send. Its AWS clients
//! use this process as their endpoint and see no difference.
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
//!               └─ inspection ◀──── state, printed
//! ```
//!
//! - [`definition`] is the definition of a system, [`function`] the interface to its functions
//! - [`emulator`] starts the parts in order and stops them in the reverse order
//! - [`gateway`] is API Gateway, [`aws`] the AWS protocols, [`rules`] EventBridge's patterns,
//!   [`schedule`] its schedules; [`hosts`] refuses requests from other hosts and origins
//! - [`dynamodb`] embeds DynamoDB, [`stream`] is its event source mappings
//! - [`invoker`] invokes functions as Lambda does, [`deliveries`] is Lambda's asynchronous queue
//! - [`printed`] receives the lines that functions print, [`measured`] keeps the values of metrics,
//!   [`measuring`] adds those of the emulator itself, and [`alarms`] evaluates alarms on them
//! - [`faults`] are switched on on purpose: a consumer held, answers lost, events delivered twice
//! - [`kms`] encrypts data keys with keys in files
//! - [`state`] is durable: messages, deliveries, checkpoints, dead letters, objects
//! - [`limits`] has every limit; [`arn`] and [`clock`] write names and times in AWS's forms
//!
//! There is no authorisation and no throttling.

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
