//! Every limit of what an operator does.

use std::time::Duration;

/// One attempt of one call: a page of a scan is 1 MB, over whatever line an operator has.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection is made within this.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A call with all its attempts.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Attempts of one call.
pub(crate) const ATTEMPTS: u32 = 5;

/// By this much the clocks of two machines may differ that are both right: a server tells its time
/// in whole seconds, and an answer is on its way for a moment.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// Segments that are scanned at the same time, unless somebody says otherwise
pub const SEGMENTS: u32 = 8;

/// and at most.
pub const SEGMENTS_MAX: u32 = 256;

/// Items of the store for which the ledger has a bucket of its own.
pub(crate) const ITEMS_PER_BUCKET: u64 = 100_000;

/// Buckets of a ledger at the least, so that there is always something to be stopped between.
pub(crate) const BUCKETS_MIN: u32 = 16;

/// Buckets that are settled at the same time.
pub(crate) const BUCKETS_AT_ONCE: usize = 4;

/// How long a segment is read before where it stands is written down.
pub(crate) const STEP: Duration = Duration::from_secs(1);

/// Times that a folder is tried to be had, and the wait between them: who only asks who has it locks
/// it for a moment.
pub(crate) const LOCK_ATTEMPTS: u32 = 10;
/// See [`LOCK_ATTEMPTS`].
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(20);

/// Runs over the whole store that are remembered when they have ended.
pub const PAST_RUNS: usize = 20;

/// Findings of a past run that are kept.
pub const PAST_FINDINGS: usize = 1_000;

/// Findings of one run that are kept; the others are counted.
pub const FINDINGS_KEPT: usize = 10_000;

/// Differences that are kept with both rows of one run, at the most: rows may be large.
pub const DIFFERENCES_KEPT_MAX: usize = 200;

/// A run that was begun longer ago than this does not go on: its digests are of rows as they were
/// then, and whatever has changed since would be examined one by one, or go unseen.
pub const RESUMED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Things that were taken up which a report names; the others are counted.
pub const RETRIED_KEPT: usize = 10_000;

/// Messages that a preview of announcing one order or shipment names.
pub const PREVIEWED_MESSAGES_MAX: usize = 1_000;

/// What one dead letter is said to be about.
pub const ABOUT_MAX: usize = 20;

/// Dead letters of the stream on one page: each is an object of up to 6 MB that is read for it.
pub const LISTED_OBJECTS_MAX: u32 = 50;

/// Messages of the queue of dead letters that one look takes.
pub const PEEKED_MESSAGES_MAX: u32 = 100;

/// For so long a message that is only looked at is hidden, unless it is given back before.
pub(crate) const PEEK_HIDDEN: Duration = Duration::from_secs(30);

/// Commits of one page of a history.
pub(crate) const HISTORY_PAGE: u32 = 200;

/// Pages of one history: of its commits, of at most 350 KB, a page of 1 MB holds at least two.
pub(crate) const HISTORY_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;

/// Minutes of what is said to go on, the one under way included.
pub const ACTIVITY_MINUTES: usize = 60;

/// Of these minutes the highest counts as how far a consumer of the stream is behind now.
pub const ACTIVITY_LAG_MINUTES: usize = 2;

/// Minutes in which the last sweep and deployed rebuilds are looked for, and webhooks counted: a day.
pub const LOOKBACK_MINUTES: usize = 24 * 60;

/// Pages of 100 alarms; an environment has about as many.
pub(crate) const ALARM_PAGES_MAX: u32 = 5;

/// Queries, rows and objects that are read at the same time, of what happened last.
pub(crate) const RECENT_AT_ONCE: usize = 8;

/// Pages of the bucket's names that one look at files goes through.
pub const FILE_PAGES: u32 = 5;

/// The latest files whose rejections are looked through for one order,
pub const REFUSED_FILES: usize = 50;

/// and pages of these rejections, each an object of up to a megabyte.
pub const REFUSED_PAGES: usize = 50;

/// Refusals of one order that are told, in files and among dead letters each.
pub const REFUSED_FOUND: usize = 10;

/// Rejections of a page of a report: what an import writes.
pub(crate) const REJECTIONS_PER_PAGE: u64 = 1_000;

/// Orders and shipments whose rows are mended at once; more than that are a rebuild of all.
pub const REPAIRS_MAX: usize = 50;

/// Of them, those at the same time.
pub(crate) const REPAIRS_AT_ONCE: usize = 4;

/// Parked aggregates that are taken up at the same time.
pub(crate) const PARKED_AT_ONCE: usize = 8;

/// In a row that could not be reached, before a retry gives up: then it is no matter of the one.
pub(crate) const UNREACHABLE_IN_A_ROW: u32 = 10;

/// Objects of one page of the dead letters' bucket, the most that S3 lists.
pub(crate) const OBJECTS_PAGE: i32 = 1_000;

/// Pages that are counted; there may be more objects, which does not matter then.
pub(crate) const COUNTED_PAGES: u32 = 10;

/// Pages that one retry goes through.
pub(crate) const RETRIED_PAGES_MAX: u32 = 1_000;

/// Objects that are retried at the same time: each is a batch of up to 6 MB.
pub(crate) const OBJECTS_AT_ONCE: usize = 4;

/// Bytes of an object: a batch as a function is given it, as text within text, and what is told of
/// it.
pub(crate) const OBJECT_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// Messages that are taken, and retried, at the same time: the most that SQS hands out at once.
pub(crate) const MESSAGES_AT_ONCE: i32 = 10;

/// Messages that are given back at the same time.
pub(crate) const GIVEN_BACK_AT_ONCE: usize = 4;

/// Messages that one retry takes.
pub(crate) const MESSAGES_MAX: usize = 100_000;

/// Seconds to wait for a message: with a wait SQS asks every one of its machines.
pub(crate) const MESSAGE_WAIT_SECONDS: i32 = 2;

/// Times in a row that only messages came which are no matter of this retry, before it ends.
pub(crate) const IDLE_ROUNDS_MAX: u32 = 10;

/// The longest that a function may take for a message: what Lambda allows, and some seconds for the
/// way.
pub(crate) const INVOCATION_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 10);

/// For so long nobody else takes a message that is retried.
pub const MESSAGE_HIDDEN: Duration = Duration::from_secs(16 * 60);

/// Characters of a reason that are told.
pub const REASON_CHARACTERS: usize = 300;

/// Pages of a customer's orders that an erasure looks through, of 100 orders each. The others are
/// erased, too; only their files are not looked for.
pub const ERASED_ORDER_PAGES_MAX: u32 = 1_000;

/// Orders that an erasure looks at at the same time.
pub(crate) const ERASED_ORDERS_AT_ONCE: usize = 16;

/// Order files that one erasure looks at. Where there are more, it is refused before anything is done.
pub const ERASED_FILES_MAX: usize = 10_000;

/// Pages of the versions of one order file, of up to 1,000 each.
pub(crate) const FILE_VERSION_PAGES_MAX: u32 = 10;

/// For so long an erasure waits for the rows that the role `project` rewrites.
pub const ROWS_WAIT: Duration = Duration::from_secs(30);

/// The wait before the rows are looked at first. It doubles with each further look, up to
/// [`ROWS_POLL_MAX`].
pub(crate) const ROWS_POLL_FIRST: Duration = Duration::from_millis(100);
/// See [`ROWS_POLL_FIRST`].
pub(crate) const ROWS_POLL_MAX: Duration = Duration::from_secs(2);

/// Days for which the queue of dead letters keeps a message (`infra/cdk/stacks/state.py`).
pub const DEAD_LETTER_DAYS: u32 = 14;
