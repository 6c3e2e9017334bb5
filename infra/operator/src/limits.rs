//! The limits of all operations of an operator.

use std::time::Duration;

/// The time limit of one attempt of a call: a page of a scan is 1 MB, over an operator's network
/// connection of unknown speed.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// The time limit for opening a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit of a call with all its attempts.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of attempts of one call.
pub(crate) const ATTEMPTS: u32 = 5;

/// The difference that the clocks of two machines may have while both count as correct: a server
/// states its time in whole seconds, and an answer takes a moment to arrive.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The number of segments that are scanned in parallel, unless another number is given.
pub const SEGMENTS: u32 = 8;

/// The highest number of segments that are scanned in parallel.
pub const SEGMENTS_MAX: u32 = 256;

/// The number of the store's items for each bucket of the ledger.
pub(crate) const ITEMS_PER_BUCKET: u64 = 100_000;

/// The lowest number of buckets of a ledger, so that even a small run can be stopped between two of
/// them.
pub(crate) const BUCKETS_MIN: u32 = 16;

/// The number of buckets that are settled in parallel.
pub(crate) const BUCKETS_AT_ONCE: usize = 4;

/// The time for which a segment is read before its state is saved.
pub(crate) const STEP: Duration = Duration::from_secs(1);

/// The number of attempts to take the lock of a folder: a process that only asks who holds it also
/// takes it for a moment.
pub(crate) const LOCK_ATTEMPTS: u32 = 10;
/// The wait between two of the [`LOCK_ATTEMPTS`].
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(20);

/// The number of ended runs over the whole store that are remembered.
pub const PAST_RUNS: usize = 20;

/// The number of findings that a remembered run keeps.
pub const PAST_FINDINGS: usize = 1_000;

/// The number of findings that a run keeps; the others are only counted.
pub const FINDINGS_KEPT: usize = 10_000;

/// The highest number of findings of one run that are kept with both rows: rows may be large.
pub const DIFFERENCES_KEPT_MAX: usize = 200;

/// The time during which a run may be resumed. After it, the run's digests describe rows as they
/// were then: rows that have changed since would be examined one by one, or their defects would not
/// be noticed.
pub const RESUMED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of results that the report of a retry contains; the others are only counted.
pub const RETRIED_KEPT: usize = 10_000;

/// The highest number of messages in a preview of announcing one order or shipment.
pub const PREVIEWED_MESSAGES_MAX: usize = 1_000;

/// The highest number of subjects that are listed for one dead letter.
pub const ABOUT_MAX: usize = 20;

/// The highest number of the stream's dead letters on one page: each is an object of up to 6 MB,
/// which is read for the page.
pub const LISTED_OBJECTS_MAX: u32 = 50;

/// The highest number of messages that one look into the queue of dead letters receives.
pub const PEEKED_MESSAGES_MAX: u32 = 100;

/// The time for which a message that is only looked at is hidden, unless it is returned earlier.
pub(crate) const PEEK_HIDDEN: Duration = Duration::from_secs(30);

/// The number of commits on one page of a history.
pub(crate) const HISTORY_PAGE: u32 = 200;

/// The highest number of pages of one history: a commit is at most 350 KB, so a page of 1 MB
/// contains at least two.
pub(crate) const HISTORY_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;

/// The number of minutes in an activity, including the current one.
pub const ACTIVITY_MINUTES: usize = 60;

/// The number of the latest minutes whose highest value is taken as the present lag of a consumer
/// of the stream.
pub const ACTIVITY_LAG_MINUTES: usize = 2;

/// The number of minutes in which the last sweep and deployed rebuilds are searched and webhooks
/// are counted: a day.
pub const LOOKBACK_MINUTES: usize = 24 * 60;

/// The highest number of pages of alarms, of 100 each; an environment has some 110 alarms.
pub(crate) const ALARM_PAGES_MAX: u32 = 5;

/// The number of queries, rows and objects that are read in parallel by [`crate::recent`] and
/// [`crate::refused`].
pub(crate) const RECENT_AT_ONCE: usize = 8;

/// The highest number of pages of the bucket's list that one search for files reads.
pub const FILE_PAGES: u32 = 5;

/// The number of the latest files whose rejections are searched for one order.
pub const REFUSED_FILES: usize = 50;

/// The highest number of pages of rejections that are searched for one order, each an object of up
/// to a megabyte.
pub const REFUSED_PAGES: usize = 50;

/// The highest number of refusals of one order that are returned, from files and from dead letters
/// each.
pub const REFUSED_FOUND: usize = 10;

/// The number of rejections on one page of a report, as an import writes it.
pub(crate) const REJECTIONS_PER_PAGE: u64 = 1_000;

/// The highest number of orders and shipments whose rows are repaired in one call; for more than
/// that there is the rebuild of all.
pub const REPAIRS_MAX: usize = 50;

/// The number of orders and shipments whose rows are repaired in parallel.
pub(crate) const REPAIRS_AT_ONCE: usize = 4;

/// The number of parked aggregates that are resumed in parallel.
pub(crate) const PARKED_AT_ONCE: usize = 8;

/// The number of unreachable results in a row after which a retry ends: then the cause is not the
/// single dead letter.
pub(crate) const UNREACHABLE_IN_A_ROW: u32 = 10;

/// The number of objects on one page of a bucket's list, the most that S3 returns.
pub(crate) const OBJECTS_PAGE: i32 = 1_000;

/// The number of pages whose objects are counted. Where there are more, the exact number is of no
/// interest.
pub(crate) const COUNTED_PAGES: u32 = 10;

/// The highest number of pages that one retry reads.
pub(crate) const RETRIED_PAGES_MAX: u32 = 1_000;

/// The number of objects that are retried in parallel: each is a batch of up to 6 MB.
pub(crate) const OBJECTS_AT_ONCE: usize = 4;

/// The highest number of bytes of an object: a batch as a function is given it, as JSON in a JSON
/// string, and the data about it.
pub(crate) const OBJECT_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// The number of messages that are received, and retried, at once: the most that SQS returns in one
/// call.
pub(crate) const MESSAGES_AT_ONCE: i32 = 10;

/// The number of messages that are returned to the queue in parallel.
pub(crate) const GIVEN_BACK_AT_ONCE: usize = 4;

/// The highest number of messages that one retry receives.
pub(crate) const MESSAGES_MAX: usize = 100_000;

/// The seconds to wait for a message: with a wait, SQS asks all of its servers.
pub(crate) const MESSAGE_WAIT_SECONDS: i32 = 2;

/// The number of rounds in a row with no message for this retry after which it ends.
pub(crate) const IDLE_ROUNDS_MAX: u32 = 10;

/// The time limit of a function for one message: Lambda's own limit, and some seconds for the
/// network.
pub(crate) const INVOCATION_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 10);

/// The time for which a message that is retried is hidden from other readers.
pub const MESSAGE_HIDDEN: Duration = Duration::from_secs(16 * 60);

/// The number of characters that are kept of a reason.
pub const REASON_CHARACTERS: usize = 300;

/// The highest number of pages of a customer's orders that an erasure reads, of 100 orders each.
/// Further orders are erased too; only their files are not searched.
pub const ERASED_ORDER_PAGES_MAX: u32 = 1_000;

/// The number of orders that an erasure reads in parallel.
pub(crate) const ERASED_ORDERS_AT_ONCE: usize = 16;

/// The highest number of order files that one erasure reads. Where there are more, it is refused
/// before anything is done.
pub const ERASED_FILES_MAX: usize = 10_000;

/// The highest number of pages of the versions of one order file, of up to 1,000 each.
pub(crate) const FILE_VERSION_PAGES_MAX: u32 = 10;

/// The time for which an erasure waits until the role `project` has rewritten the rows.
pub const ROWS_WAIT: Duration = Duration::from_secs(30);

/// The wait before the rows are read for the first time. It doubles before each further read, up to
/// [`ROWS_POLL_MAX`].
pub(crate) const ROWS_POLL_FIRST: Duration = Duration::from_millis(100);
/// The longest wait between two reads of the rows; see [`ROWS_POLL_FIRST`].
pub(crate) const ROWS_POLL_MAX: Duration = Duration::from_secs(2);

/// The number of days for which the queue of dead letters keeps a message
/// (`infra/cdk/stacks/state.py`).
pub const DEAD_LETTER_DAYS: u32 = 14;
