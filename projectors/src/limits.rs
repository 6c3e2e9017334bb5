//! Every limit of the projectors.

use std::time::Duration;

/// Aggregates of a batch that are projected at the same time.
pub const AGGREGATES_AT_ONCE: usize = 16;

/// Messages of one call of PutEvents or PublishBatch.
pub const MESSAGES_PER_CALL: usize = 10;

/// Bytes of one call of PutEvents or PublishBatch.
pub const CALL_BYTES_MAX: usize = 256 * 1024;

/// Attempts to send a message within one invocation; the stream delivers it again after that.
pub const SEND_ATTEMPTS: u32 = 4;

/// The longest wait after the first failed attempt; it doubles from there
pub const SEND_WAIT_FIRST: Duration = Duration::from_millis(50);

/// up to this.
pub const SEND_WAIT_MOST: Duration = Duration::from_secs(1);

/// Characters of an alert's subject, set by SNS.
pub const SUBJECT_MAX: usize = 100;

/// Pages of a shipment's log: 2,000 rows at most, of which a page of 1 MB holds at least two (a row
/// has 350 KB at most); and as many again that somebody made up.
pub const LOG_PAGES_MAX: u32 = 2_000;

/// Rows of one page of a list.
pub const LIST_MAX: u32 = 100;

/// Bytes of one page of a list: a function answers with 6 MB at most.
pub const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Partitions of an index that a list reads at the same time.
pub const PARTITIONS_AT_ONCE: usize = 16;

/// The longest that a reader waits for a version.
pub const VERSION_WAIT: Duration = Duration::from_secs(5);

/// The wait after the first look at a row that has not caught up; it doubles from there
pub const VERSION_WAIT_FIRST: Duration = Duration::from_millis(25);

/// up to this. So nobody looks at a row more than 18 times.
pub const VERSION_WAIT_MOST: Duration = Duration::from_millis(400);

/// The highest version that a reader may wait for, far above any that there can be.
pub const VERSION_MAX: u64 = 1_000_000;

/// Events of one page of a history.
pub const HISTORY_EVENTS_MAX: usize = 1_000;

/// Bytes of one page of a history: a function answers with 6 MB at most.
pub const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;
