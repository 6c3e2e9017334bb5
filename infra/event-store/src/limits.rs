//! Every limit of the event store.

pub use domain::limits::{COMMITS_MAX, ITEM_BYTES_MAX};

/// At the latest every so many commits carry a snapshot: those whose ordinal it divides. A load
/// that meets a commit without one so knows how far it must go back.
pub const SNAPSHOT_EVERY: u32 = 8;

/// Bytes of a write unit: a put is charged by those, begun or whole.
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// By so many bytes at most an item is counted too large here, never too small: the numbers in it.
pub const SIZE_ERROR_BYTES: usize = 8;

/// Bytes of commits that a load holds while it looks for a snapshot. Beyond, it folds the history
/// from its beginning, and holds one page of it.
pub const LOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A snapshot that has all fingerprints, and so is a seal, is worth paying for where one in so many
/// of them came behind the last seal. So seals take 8 bytes * 48 for each commit, 3/8 of a write
/// unit, however many there are, and what a snapshot carries behind the last one is some 1/48 of all.
/// With 48, all but seals ride free in commits of 300 B up to 2,000 of them, of 540 B up to 1,500.
pub const SEAL_SHARE: u32 = 48;

/// Bytes of an aggregate's events and their causes: 20,000 of 2.5 KB, or 700 of the largest updates.
/// A rebuild holds them, the rows that follow and the rows that are, which takes some 15 times as
/// much (measured, `tests/projections/history_memory.rs`), and has 1 GB.
pub const HISTORY_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Commits of one page of a history; DynamoDB cuts a page at 1 MB in any case.
pub const HISTORY_PAGE: u32 = 1_000;

/// Pages of one aggregate's history: its commits if each took a page to itself.
pub const PAGES_MAX: u32 = COMMITS_MAX;

/// Bytes of each text that says what caused a commit. The longest that is made here is the command id
/// of an order in a file: bucket, key and version have some 1,300.
pub const CAUSE_TEXT_BYTES_MAX: usize = 2_048;
