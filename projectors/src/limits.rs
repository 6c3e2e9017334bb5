//! Every limit of the projectors.

use std::time::Duration;

/// The most aggregates of a batch that are projected at the same time.
pub const AGGREGATES_AT_ONCE: usize = 16;

/// The most differences of one aggregate that are reported with both rows, enough to see what is
/// wrong.
pub const DIFFERENCES_PER_AGGREGATE: usize = 10;

/// The time that an invocation of `project` or `notify` keeps in reserve for its answer. Records
/// that are not done by then are delivered again. An invocation that Lambda ends reports nothing,
/// and all of its batch would be repeated. The reserve covers a process that is paused for a
/// moment, not a call: a call under way is dropped.
pub const BATCH_RESERVE: Duration = Duration::from_secs(5);

/// The most messages of one call of PutEvents or PublishBatch.
pub const MESSAGES_PER_CALL: usize = 10;

/// The most bytes of one call of PutEvents or PublishBatch.
pub const CALL_BYTES_MAX: usize = 256 * 1024;

/// The most attempts to send a message within one invocation. After that the stream delivers its
/// record again.
pub const SEND_ATTEMPTS: u32 = 4;

/// The longest wait after the first failed attempt to send. It doubles with each further one.
pub const SEND_WAIT_FIRST: Duration = Duration::from_millis(50);

/// The longest wait after any failed attempt to send.
pub const SEND_WAIT_MAX: Duration = Duration::from_secs(1);

/// The most characters of a sender's free text in an alert, such as a shipment's location, which
/// may have 64 KB.
pub const MAIL_TEXT_MAX: usize = 200;

/// The most characters of an alert's subject, set by SNS.
pub const SUBJECT_MAX: usize = 100;

/// The most pages of a shipment's log: it has a row for each commit, and a page of 1 MB holds at
/// least two of them (a row has 350 KB at most), so half of the pages are left for rows that follow
/// from no event.
pub const LOG_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;

/// The most rows of one page of a list.
pub const LIST_MAX: u32 = 100;

/// The most bytes of a function's answer, set by Lambda.
pub const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Bytes of an answer that are reserved for status, headers, cursor and the names around the rows.
pub const ANSWER_RESERVE: usize = 256 * 1024;

/// The most bytes of one page of a list or of a log, as JSON. The gateway takes the body as a text
/// within JSON, where each quotation mark and each backslash takes two bytes, so the body may be
/// twice as large in the answer.
pub const LIST_BYTES_MAX: usize = (ANSWER_BYTES_MAX - ANSWER_RESERVE) / 2;

/// The most partitions of an index that a list reads at the same time.
pub const PARTITIONS_AT_ONCE: usize = 16;

/// The most shipments of one status and shard that `watch` reads at once.
pub const WATCH_PAGE: u32 = 100;

/// The most such pages of one status and shard in one run of `watch`: 10,000 stalled shipments of
/// each. The next run continues with the others.
pub const WATCH_ROUNDS_MAX: u32 = 100;

/// The longest time that a query waits for a row to reach its `minVersion`.
pub const VERSION_WAIT: Duration = Duration::from_secs(5);

/// The wait after the first read of a row that has not caught up. It doubles with each further one.
pub const VERSION_WAIT_FIRST: Duration = Duration::from_millis(25);

/// The longest wait between two reads of such a row. So a query reads it at most 18 times.
pub const VERSION_WAIT_MAX: Duration = Duration::from_millis(400);

/// The highest `minVersion` of a query, far above any version that an aggregate can have.
pub const VERSION_MAX: u64 = 1_000_000;

/// The most events of one page of a history.
pub const HISTORY_EVENTS_MAX: usize = 1_000;

/// The most bytes of one page of a history, as of a list.
pub const HISTORY_BYTES_MAX: usize = LIST_BYTES_MAX;

/// Bytes of digests of rows that a segment of a rebuild collects in memory before it writes them to
/// the ledger.
pub const LEDGER_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// The most parts of a ledger that one task of a rebuild writes or reads at the same time.
pub const LEDGER_CALLS_AT_ONCE: usize = 16;

/// The most parts of one bucket of a rebuild's ledger.
pub const LEDGER_PARTS_MAX: usize = 100_000;

/// The most segments of a rebuild, set by DynamoDB's Scan.
pub const SEGMENTS_MAX: u32 = 1_000_000;

/// The most segments of a rebuild by a state machine: those of three tables and the buckets take
/// some 100 KB of the 256 KiB that its state may have (Step Functions, service quotas).
pub const PLANNED_SEGMENTS_MAX: u32 = 64;

/// The most buckets of a rebuild by a state machine: enough for some 50 million orders and
/// shipments.
pub const PLANNED_BUCKETS_MAX: u32 = 512;

/// The most buckets of a rebuild's ledger.
pub const BUCKETS_MAX: u32 = 4_096;

/// The most attempts to read a page of a scan, each including the SDK's own retries.
pub const GATHER_ATTEMPTS: u32 = 5;

/// The wait after each failed attempt to read a page of a scan.
pub const GATHER_WAIT: Duration = Duration::from_secs(1);

/// The most comparisons before missing or stale rows are reported, since `project` may
/// be about to write them.
pub const COMPARISONS_MAX: u32 = 4;

/// The wait between two such comparisons.
pub const COMPARISON_WAIT: Duration = Duration::from_secs(2);

/// The age of the last commit beyond which missing or stale rows are reported at once: by then
/// `project` should have written them.
pub const PROJECTED_WITHIN: Duration = Duration::from_secs(60);

/// The most times that an aggregate is repaired and compared again, because one of its rows may
/// have kept `project` from writing.
pub const REPAIRS_MAX: u32 = 3;

/// The time that an invocation of `rebuild` keeps in reserve: for a page of a scan that must be
/// waited for, an aggregate of 20,000 commits, and writing the collected digests.
pub const REBUILD_RESERVE: Duration = Duration::from_secs(60);

/// The most findings that one invocation logs one by one.
pub const FINDINGS_LOGGED: usize = 1_000;

/// The most pages of parked aggregates that are read, far more than should ever exist.
pub const PARKED_PAGES_MAX: u32 = 1_000;

/// The most attempts to write the row of an aggregate that is parked again, each after a rival was
/// first.
pub const PARK_ATTEMPTS: u32 = 6;

/// The most times that one aggregate is resumed which is parked again each time.
pub const RESUMES_MAX: u32 = 10;

/// The most commits that are announced again at once.
pub const ANNOUNCED_AT_ONCE: u32 = 50;

/// The most pages of one history: as many as it can have commits.
pub const HISTORY_PAGES_MAX: u32 = event_store::limits::COMMITS_MAX;

/// The age up to which an erasure counts as fresh: an index may not show all rows that were written
/// before it.
pub const ERASURE_FRESH: Duration = Duration::from_secs(60);

/// The wait after which a fresh erasure looks for rows once more. An index of DynamoDB mostly lags
/// less than a second behind its table.
pub const ERASURE_WAIT: Duration = Duration::from_secs(3);
