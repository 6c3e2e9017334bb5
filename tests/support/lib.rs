//! What the tests of more than one crate have in common.
//!
//! - [`clock`]: a clock on which time passes only while everybody waits
//! - [`embedded`]: a DynamoDB of a test's own
//! - [`envelopes`]: commands on their way
//! - [`faulty`]: a table that misbehaves on purpose
//! - [`hooked`]: rows around whose calls a test does something
//! - [`rows`], [`outbox`]: read models, bus and topic in memory; [`stream`]: batches as they arrive
//! - [`operator`]: dead letters and alerts in memory; [`files`]: a bucket in memory;
//!   [`metrics`]: metrics that nobody looks at

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod clock;
pub mod embedded;
pub mod envelopes;
pub mod faulty;
pub mod files;
pub mod hooked;
pub mod ledger;
pub mod metrics;
pub mod operator;
pub mod outbox;
pub mod rows;
pub mod stream;

pub use metrics::unheard;
