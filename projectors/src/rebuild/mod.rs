//! Rebuilds rows from the events: in place, while commands are executed and `project` runs. Only
//! rows that differ are written, and no message is sent.
//!
//! ```text
//! events ─┐           ┌ bucket 0 ┐
//! rows  ──┴─ gather ─▶│    …     │─ settle ─▶ the aggregates whose digests differ
//!                     └ bucket n ┘            are compared and repaired, one by one
//! ```
//!
//! Events and rows are stored in different orders, and to read every row by its key would cost
//! several times as much as a scan. So both are scanned once. For each aggregate, a digest
//! ([`rows_digest`]) of its expected rows and one of its stored rows are written to the [`ledger`],
//! into a bucket by the aggregate's name. After that, each bucket is small enough to be compared in
//! memory. Digests that differ prove nothing, since rows change meanwhile: they select the
//! aggregates for the exact comparison of [`aggregate`](mod@aggregate).
//!
//! - [`aggregate`](mod@aggregate): compares and repairs the rows of one aggregate
//! - [`gather`], [`settle`]: the two halves of a rebuild, in steps that can be stopped and resumed
//! - [`sweep`]: compares a small part of the store regularly, row by row
//! - [`crate::task`]: each of these as an invocation of the role `rebuild`, whose answer is the
//!   next task
//! - [`expected`], [`finding`]: the rows that follow from a history; a row that differs from them
//! - [`erase`]: carries out the erasure of a customer's personal data, and rewrites the rows
//! - [`pace`]: limits the capacity that rebuilds use

pub mod aggregate;
pub mod erase;
mod error;
pub mod expected;
pub mod finding;
pub mod gather;
pub mod ledger;
pub mod pace;
mod rebuilds;
pub mod rows_digest;
pub mod settle;
pub mod sweep;

pub use aggregate::{Rebuilt, aggregate};
pub use error::RebuildError;
pub use rebuilds::Rebuilds;
