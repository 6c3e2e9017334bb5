//! The import of order files: the real handler over a bucket, a table and an operator in memory.
//! Events are delivered as S3, EventBridge and Lambda do: at least once and in any order, and an
//! invocation may be interrupted at any call.

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
