//! What the tests of more than one crate have in common.
//!
//! - [`embedded`]: a DynamoDB of a test's own
//! - [`envelopes`]: commands on their way
//! - [`faulty`]: a table that misbehaves on purpose
//! - [`rows`], [`outbox`]: read models, bus and topic in memory; [`stream`]: batches as they arrive
//! - [`operator`]: dead letters and alerts in memory; [`files`]: a bucket in memory

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod embedded;
pub mod envelopes;
pub mod faulty;
pub mod files;
pub mod operator;
pub mod outbox;
pub mod rows;
pub mod stream;

/// Metrics that nobody looks at.
pub fn unheard() -> lambda::metrics::Metrics {
    let latest = lambda::metrics::LatestLines::new(1);
    lambda::metrics::Metrics::new("test", std::sync::Arc::new(latest))
}
