//! Every limit of the event store.

pub use domain::limits::{COMMITS_MAX, ITEM_BYTES_MAX};

/// Every commit whose ordinal is a multiple of this carries a snapshot, where it fits; others may.
/// A load that meets a commit without one so knows how far it must go back.
pub const SNAPSHOT_EVERY: u32 = 8;

/// Bytes of a write unit. DynamoDB charges a put by write units, rounded up.
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// The most bytes by which an item's size is estimated too large here, because of its numbers. It
/// is never estimated too small.
pub const SIZE_ERROR_BYTES: usize = 8;

/// The most bytes of commits that a load holds while it looks for a snapshot. Beyond them it folds
/// the history from its beginning, and holds one page of it.
pub const LOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A full snapshot has the fingerprints of all commits. One that costs write units is worth them
/// once one in this many of all fingerprints belongs to a commit after the last full one. So they
/// take 8 bytes * 48 for each commit, 3/8 of a write unit, however many there are, and the other
/// snapshots carry some 1/48 of all fingerprints. With 48, all snapshots but seals are free in
/// commits of 300 B up to 2,000 of them, of 540 B up to 1,500.
pub const FULL_SNAPSHOT_SHARE: u32 = 48;

/// The most bytes of an aggregate's events and their causes: 20,000 commits of 2.5 KB, or 700 of
/// the largest updates. A rebuild holds them, the rows that follow from them and the stored rows,
/// which takes some 15 times as much memory (measured, `tests/projections/history_memory.rs`), and
/// has 1 GB.
pub const HISTORY_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// The most commits of one page of a history; DynamoDB cuts a page at 1 MB in any case.
pub const HISTORY_PAGE: u32 = 1_000;

/// The most pages of one aggregate's history: as many as it can have commits.
pub const PAGES_MAX: u32 = COMMITS_MAX;

/// The time for which an unwrapped data key is kept in memory. It saves calls of KMS only: before
/// personal data are opened, the table of keys is asked each time.
pub const KEY_CACHE_TIME: std::time::Duration = std::time::Duration::from_secs(300);

/// The most data keys that are kept in memory; beyond them the oldest is dropped. Each takes some
/// 300 bytes.
pub const CACHED_KEYS_MAX: usize = 10_000;

/// The most attempts to make an owner's key where rivals make or destroy it at the same time.
pub const KEY_ATTEMPTS: u32 = 4;

/// The most bytes of each text of a commit's cause. The longest that Waybill itself makes is the
/// command id of an order in a file: bucket, key and version have some 1,300.
pub const CAUSE_TEXT_BYTES_MAX: usize = 2_048;
