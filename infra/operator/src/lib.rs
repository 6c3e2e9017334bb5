//! What an operator does, on the local system or in any environment on AWS: check whether it is
//! right, find out why it is as it is and what is stuck, and make that work again.
//!
//! Every function returns a value and prints nothing. A long operation reports its progress to a
//! [`Progress`]. So the command line and the console show the same.
//!
//! - [`target`], [`environment`]: which environment an operator works on, and the connection to it
//! - [`status`], [`parked`], [`dead_letters`], [`history`]: the present state
//! - [`activity`], [`mod@alarms`], [`recent`]: the last hour's activity, the states of the alarms,
//!   and the latest shipments and files that need attention
//! - [`refused`]: where an order or shipment was refused that therefore does not exist
//! - [`read_models`]: the tables of rows; [`carriers`]: the providers whose webhooks are accepted
//! - [`rows`]: every row compared with its history; what differs is named ([`Kind::Verify`]) or
//!   corrected ([`Kind::Rebuild`])
//! - [`erase`]: the erasure of a person's personal data, and what still contains copies of them
//! - [`retry`]: parked aggregates are resumed, and dead letters retried
//! - [`mod@discard`]: a dead letter that cannot succeed is removed
//! - [`mod@announce`]: messages that are sent again; [`messages`]: the messages of an event
//! - [`cost`]: the cost of reading, shown before it begins; [`folder`]: the state of a run that can
//!   be stopped and resumed; [`lock`]: the process that works on it
//! - [`words`]: numbers with their nouns, for whoever prints them
//!
//! Everything is done by the projectors' own code, with the settings of the environment's own
//! functions.

pub mod activity;
pub mod alarms;
pub mod announce;
mod bucket;
pub mod carriers;
mod clock;
pub mod cost;
pub mod dead_letters;
pub mod discard;
pub mod environment;
pub mod erase;
mod error;
pub mod folder;
pub mod history;
pub mod limits;
pub mod lock;
pub mod messages;
mod metrics;
pub mod parked;
pub mod progress;
pub mod read_models;
pub mod recent;
pub mod refused;
pub mod retried;
pub mod retry;
pub mod rows;
pub mod status;
pub mod target;
pub mod words;

pub use discard::discard;
pub use environment::{CapacityLimits, Environment};
pub use error::OperatorError;
pub use event_store::failure::denial;
pub use progress::{Progress, Stage};
pub use rows::Kind;
pub use target::Target;
