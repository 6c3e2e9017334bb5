//! Every limit of the event store.

pub use domain::limits::{COMMITS_MAX, ITEM_BYTES_MAX};

/// Every so many commits carry a snapshot, and so many are read at once.
///
/// A query is charged for its whole page, whatever it finds there, so the page and the distance of
/// snapshots are one number: one request always reaches a snapshot, and reads just one of them.
/// With commits of 1 KB and 250 of them, 8 of them and a snapshot of 2 KB make 3 read units.
pub const SNAPSHOT_EVERY: u32 = 8;

/// Commits of one page of a history; DynamoDB cuts a page at 1 MB in any case.
pub const HISTORY_PAGE: u32 = 1_000;

/// Pages of one aggregate's history: its commits if each took a page to itself.
pub const PAGES_MAX: u32 = COMMITS_MAX;

/// Bytes of each text that says what caused a commit. The longest that is made here is the command id
/// of an order in a file: bucket, key and version have some 1,300.
pub const CAUSE_TEXT_BYTES_MAX: usize = 2_048;
