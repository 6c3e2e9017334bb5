//! What an operator does, on the local system or in any environment on AWS: is it right, why is it
//! so, what is stuck, and how is it set going again.
//!
//! Every function returns a value and prints nothing; how far a long piece of work is it tells a
//! [`Progress`]. So the command line and the console show the same.
//!
//! - [`target`], [`environment`]: which environment is meant, and how it is reached
//! - [`status`], [`parked`], [`dead_letters`], [`history`]: what there is
//! - [`activity`], [`mod@alarms`], [`recent`]: what goes on, what rings, and what happened last
//! - [`refused`]: where an order was refused that is none
//! - [`read_models`]: the tables of rows; [`carriers`]: whose webhooks are taken
//! - [`rows`]: every row against its history, named ([`Kind::Verify`]) or mended ([`Kind::Rebuild`])
//! - [`erase`]: a person's personal data erased, and what still holds copies of them
//! - [`retry`]: what is parked and what was given up, taken up again
//! - [`mod@announce`]: messages sent once more; [`messages`]: which messages an event makes
//! - [`cost`]: what reading costs, told before it begins; [`folder`]: where a run is kept that can
//!   be stopped and gone on with; [`lock`]: who has it
//!
//! Everything is done by the projectors' own code, with the settings that the environment's own
//! functions have.

pub mod activity;
pub mod alarms;
pub mod announce;
mod bucket;
pub mod carriers;
mod clock;
pub mod cost;
pub mod dead_letters;
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

pub use environment::{CapacityLimits, Environment};
pub use error::OperatorError;
pub use event_store::failure::denial;
pub use progress::{Progress, Stage};
pub use rows::Kind;
pub use target::Target;
