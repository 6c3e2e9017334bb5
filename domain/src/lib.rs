//! Orders and shipments: the whole business of Waybill.
//!
//! The crate is pure: it does no IO, reads no clock, draws no random number and does not know AWS.
//! Times and ids arrive with the command. Data flow through it like this:
//!
//! ```text
//! history ──fold──▶ aggregate ──decide(command)──▶ events, or a Refusal
//! ```
//!
//! - [`order`], [`shipment`]: the two aggregates of the business: state, commands, events, `decide`
//!   and `apply`
//! - [`erasure`]: the third aggregate: the erasures of a customer's personal data
//! - [`aggregate`]: the trait that an aggregate implements for the event store, beside that of
//!   cqrs-es
//! - [`event`]: how events are encoded, and how those of older versions are decoded
//! - [`number`], [`json`], [`time`], [`ids`], [`money`]: exact value types that are never invalid
//! - [`personal`]: the personal data of an order, sealed and open
//! - [`digest`]: the hash by which the content of a command is compared
//! - [`refusal`]: the errors by which the business rejects a command
//! - [`limits`]: every limit on accepted input

pub mod aggregate;
pub mod digest;
pub mod erasure;
pub mod event;
pub mod ids;
pub mod json;
pub mod limits;
pub mod money;
pub mod number;
pub mod order;
pub mod personal;
pub mod refusal;
pub mod shipment;
pub mod time;

pub use aggregate::EventSourced;
pub use digest::Digest;
pub use erasure::Erasures;
pub use ids::{AggregateId, OrderId, ShipmentId};
pub use json::Json;
pub use number::Number;
pub use order::Order;
pub use refusal::Refusal;
pub use shipment::Shipment;
pub use time::Timestamp;
