//! Order files: the real handler over a bucket, a table and an operator in memory, delivered to as
//! S3, EventBridge and Lambda do: at least once, in any order, and cut off anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dirty;
mod events;
mod faults;
mod files_contract;
mod formats;
mod packed;
mod retries;
mod splitter;
mod world;
