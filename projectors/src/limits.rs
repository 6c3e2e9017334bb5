//! Every limit of the projectors.

use std::time::Duration;

/// Aggregates of a batch that are projected at the same time.
pub const AGGREGATES_AT_ONCE: usize = 16;

/// Differences of one aggregate that are told with both rows: enough to see what is wrong.
pub const DIFFERENCES_PER_AGGREGATE: usize = 10;

/// Time that an invocation of `project` or `notify` keeps for its answer. Whatever is not done by
/// then is left to the next delivery: an invocation that Lambda ends says nothing of what it has
/// done, and all of it would be done again. It is kept against a process that stands still for a
/// moment, and not for a call: one under way is dropped.
pub const BATCH_RESERVE: Duration = Duration::from_secs(5);

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

/// Characters of a sender's free text in an alert, such as where a shipment is: a mail is no place
/// for 64 KB of it.
pub const MAIL_TEXT_MAX: usize = 200;

/// Characters of an alert's subject, set by SNS.
pub const SUBJECT_MAX: usize = 100;

/// Pages of a shipment's log: a row for each commit, of which a page of 1 MB holds at least two (a
/// row has 350 KB at most); and as many again that somebody made up.
pub const LOG_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;

/// Rows of one page of a list.
pub const LIST_MAX: u32 = 100;

/// Bytes of a function's answer, set by Lambda.
pub const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Bytes of an answer that are kept for status, headers, cursor and the names around the rows.
pub const ANSWER_RESERVE: usize = 256 * 1024;

/// Bytes of one page of a list or of a log, as JSON. The gateway is given a body as a text within
/// JSON, in which each quotation mark and each backslash takes two bytes, so a body may be twice as
/// large in the answer.
pub const LIST_BYTES_MAX: usize = (ANSWER_BYTES_MAX - ANSWER_RESERVE) / 2;

/// Partitions of an index that a list reads at the same time.
pub const PARTITIONS_AT_ONCE: usize = 16;

/// Shipments of one status and shard that `watch` reads at once.
pub const WATCH_PAGE: u32 = 100;

/// Such pages of one status and shard in one run of `watch`: 10,000 silent shipments of each. The
/// next run goes on with the others.
pub const WATCH_ROUNDS_MAX: u32 = 100;

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

/// Bytes of one page of a history, as of a list.
pub const HISTORY_BYTES_MAX: usize = LIST_BYTES_MAX;

/// Bytes of digests of rows that one segment of a rebuild keeps in memory before they are put away.
pub const LEDGER_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Parts of a ledger that one piece of a rebuild puts or gets at the same time.
pub const LEDGER_CALLS_AT_ONCE: usize = 16;

/// Parts of one bucket of a rebuild's ledger.
pub const LEDGER_PARTS_MAX: usize = 100_000;

/// Segments of a rebuild, as many as DynamoDB's Scan takes.
pub const SEGMENTS_MAX: u32 = 1_000_000;

/// Segments of a rebuild that a state machine is given at once: three tables' and the buckets are
/// some 100 KB of the 256 KiB that its state may have (Step Functions, service quotas).
pub const PLANNED_SEGMENTS_MAX: u32 = 64;

/// Buckets of such a rebuild: for some 50 million orders and shipments.
pub const PLANNED_BUCKETS_MAX: u32 = 512;

/// Buckets of a rebuild's ledger.
pub const BUCKETS_MAX: u32 = 4_096;

/// Attempts to read a page of a scan, each with the SDK's own repeats in it.
pub const GATHER_ATTEMPTS: u32 = 5;

/// The wait after a failed one.
pub const GATHER_WAIT: Duration = Duration::from_secs(1);

/// Looks at rows that may be on their way, before they are said to be missing or stale
pub const LOOKS: u32 = 4;

/// with this wait between two of them.
pub const LOOK_WAIT: Duration = Duration::from_secs(2);

/// and only where the last commit is no older than this: what has not come by then is behind.
pub const LOOK_AGE: Duration = Duration::from_secs(60);

/// Looks at an aggregate that is mended, each because there was a row that kept live projection off.
pub const MEND_LOOKS: u32 = 3;

/// Time that an invocation of `rebuild` keeps for coming to an end: a page of a scan that has to be
/// waited for, an aggregate of 20,000 commits, and putting away what was gathered.
pub const REBUILD_RESERVE: Duration = Duration::from_secs(60);

/// Findings that one invocation writes into its log.
pub const FINDINGS_LOGGED: usize = 1_000;

/// Pages of what is parked that are read: far more than anybody would let stand.
pub const PARKED_PAGES_MAX: u32 = 1_000;

/// Attempts to note that an aggregate is parked once more, each behind somebody who was first.
pub const PARK_ATTEMPTS: u32 = 6;

/// How often an aggregate is taken up that is parked again each time.
pub const TAKE_UPS_MAX: u32 = 10;

/// Commits that are announced again at once.
pub const ANNOUNCED_AT_ONCE: u32 = 50;

/// Pages of so many commits of one history: all that it may have, if each page held one.
pub const HISTORY_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;
