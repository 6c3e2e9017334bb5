//! Orders and shipments: the whole business of Waybill.
//!
//! Nothing here does IO, reads a clock, draws a random number or knows AWS: time, ids and
//! randomness arrive with the command. What crosses the border:
//!
//! ```text
//! history ──fold──▶ aggregate ──decide(command)──▶ events, or a Refusal
//! ```
//!
//! - [`order`], [`shipment`]: an aggregate a file, in the order state, command, event, decide, evolve
//! - [`aggregate`]: what an aggregate owes the event store, beside cqrs-es's own trait
//! - [`event`]: how an event is written down, and how an old one is read
//! - [`number`], [`json`], [`time`], [`ids`], [`money`]: exact values that cannot be invalid
//! - [`refusal`]: the business says no
//! - [`limits`]: every limit on what is accepted

pub mod aggregate;
pub mod digest;
pub mod event;
pub mod ids;
pub mod json;
pub mod limits;
pub mod money;
pub mod number;
pub mod order;
pub mod refusal;
pub mod shipment;
pub mod time;

pub use aggregate::EventSourced;
pub use digest::Digest;
pub use ids::{AggregateId, OrderId, ShipmentId};
pub use json::Json;
pub use number::Number;
pub use order::Order;
pub use refusal::Refusal;
pub use shipment::Shipment;
pub use time::Timestamp;
