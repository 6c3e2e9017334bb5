//! What the tests of several crates share.
//!
//! - [`clock`]: a clock whose time passes only while every task sleeps
//! - [`embedded`]: an embedded DynamoDB, one for each test
//! - [`envelopes`]: commands with their envelopes
//! - [`faulty`]: events tables with faults
//! - [`hooked`]: rows around whose calls a test can act
//! - [`rows`], [`outbox`], [`ledger`]: read models, bus, topic and ledger in memory
//! - [`stream`]: batches of the stream as Lambda delivers them
//! - [`operator`]: dead letters and alerts in memory; [`files`]: a bucket in memory;
//!   [`metrics`]: metrics that no test reads

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

pub use metrics::unread_metrics;
