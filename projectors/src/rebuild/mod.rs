//! Rows made again from the events: in place while commands flow and `project` goes on, written
//! only where they differ, and nobody is notified.
//!
//! ```text
//! events ─┐           ┌ bucket 0 ┐
//! rows  ──┴─ gather ─▶│    …     │─ settle ─▶ the aggregates whose digests differ
//!                     └ bucket n ┘            are examined and mended, one by one
//! ```
//!
//! Events and rows lie in their tables in different orders, and to look every row up would cost
//! several times what a scan does. So both are scanned once, and of each aggregate there stays a
//! digest ([`rows_digest`]) of its rows as they should be, and one of its rows as they are, in a
//! bucket of the [`ledger`] by the aggregate's name. Where all is gathered, a bucket is small enough
//! to be compared in memory. Digests that differ prove nothing, rows move on meanwhile: they say
//! which aggregates are worth the exact comparison of [`aggregate`](mod@aggregate).
//!
//! - [`aggregate`](mod@aggregate): one aggregate's rows, examined and mended
//! - [`gather`], [`settle`]: all of them, in steps that can be stopped and gone on with anywhere
//! - [`sweep`]: a small part of the store, row by row, in passing
//! - [`task`]: each of these as an invocation of the role `rebuild`, whose answer is the next one
//! - [`pace`]: how much capacity all of it may use

pub mod aggregate;
pub mod expected;
pub mod finding;
pub mod gather;
pub mod ledger;
pub mod pace;
mod rebuilds;
pub mod rows_digest;
pub mod settle;
pub mod sweep;
pub mod task;

pub use aggregate::{RebuildError, Rebuilt, aggregate};
pub use rebuilds::Rebuilds;
