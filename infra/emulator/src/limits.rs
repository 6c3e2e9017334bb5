//! Every limit of the emulator, in one place.
//!
//! The first half repeats what AWS enforces, so that a caller meets it here and not first in
//! production; the second half bounds this process.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ---- AWS's own limits ----

/// Body of a request to an HTTP API (API Gateway quotas).
pub const HTTP_API_BODY_BYTES: usize = 10 * MIB;

/// What API Gateway waits for an integration.
pub const HTTP_API_TIMEOUT: Duration = Duration::from_secs(30);

/// Body of a request to DynamoDB, the largest that any of the services here accepts.
pub const SERVICE_BODY_BYTES: usize = 16 * MIB;

/// Entries of one `PutEvents`.
pub const PUT_EVENTS_ENTRIES: usize = 10;

/// All entries of one `PutEvents` together.
pub const PUT_EVENTS_BYTES: usize = 256 * KIB;

/// What EventBridge counts for an entry's `Time`.
pub const PUT_EVENTS_TIME_BYTES: usize = 14;

/// Entries of one `PublishBatch`.
pub const PUBLISH_BATCH_ENTRIES: usize = 10;

/// A message, or all messages of one `PublishBatch` together.
pub const PUBLISH_BYTES: usize = 256 * KIB;

/// Characters of an SNS subject.
pub const SUBJECT_CHARACTERS: usize = 100;

/// Payload of a synchronous invocation, and of a stream's batch.
pub const INVOCATION_BYTES: usize = 6 * MIB;

/// Payload of an asynchronous invocation.
pub const ASYNC_INVOCATION_BYTES: usize = 256 * KIB;

/// Readers of one stream.
pub const STREAM_READERS: usize = 2;

/// Attempts at an asynchronous invocation: the first and Lambda's two retries.
pub const DELIVERY_ATTEMPTS: u32 = 3;

/// What of a function's error stands beside the payload in the dead-letter queue.
pub const ERROR_MESSAGE_BYTES: usize = KIB;

/// Messages that one `ReceiveMessage` takes.
pub const RECEIVED_MESSAGES: u32 = 10;

/// Seconds for which a taken message is hidden, unless asked for another number.
pub const VISIBILITY_SECONDS: u32 = 30;

/// Most seconds for which a taken message can be hidden.
pub const VISIBILITY_SECONDS_MAX: u32 = 12 * 60 * 60;

/// Most seconds for which `ReceiveMessage` waits for a message.
pub const RECEIVE_WAIT_SECONDS_MAX: u32 = 20;

/// An object that is put at once, and a part of one.
pub const PUT_OBJECT_BYTES: u64 = 5 * 1024 * MIB as u64;

/// A part of an object, unless it is the last one.
pub const PART_BYTES_MIN: u64 = 5 * MIB as u64;

/// The highest number of a part.
pub const PARTS: i32 = 10_000;

/// An object's own metadata, names and values together.
pub const METADATA_BYTES: usize = 2 * KIB;

/// Keys or versions of one page of a list, and keys of one `DeleteObjects`.
pub const LISTED_KEYS: usize = 1_000;

/// The text that KMS decrypts.
pub const CIPHERTEXT_BYTES: usize = 6 * KIB;

/// A data key that KMS makes.
pub const DATA_KEY_BYTES: usize = KIB;

/// The names and values of an encryption context, together.
pub const ENCRYPTION_CONTEXT_BYTES: usize = 8 * KIB;

/// Alarms of one page, unless asked for another number; and most of them.
pub const ALARMS_PAGE: usize = 50;

/// See [`ALARMS_PAGE`].
pub const ALARMS_PAGE_MAX: usize = 100;

/// Queries of one `GetMetricData`.
pub const METRIC_QUERIES: usize = 500;

/// Points of one answer to `GetMetricData`.
pub const METRIC_POINTS: i64 = 100_800;

/// Metrics of one directive of the embedded metric format.
pub const LINE_METRICS: usize = 100;

/// Values of one metric of a line in that format.
pub const LINE_VALUES: usize = 100;

/// Sets of dimensions of a directive of it.
pub const LINE_DIMENSIONS: usize = 30;

// ---- This process ----

/// Metrics whose values are kept; a metric with other dimensions is another one.
pub const MEASURED_METRICS: usize = 1_000;

/// Minutes of a metric that are kept.
pub const MEASURED_MINUTES: usize = 180;

/// How often the emulator measures itself.
pub const MEASURED_EVERY: Duration = Duration::from_secs(5);

/// Levels of a value in CBOR, within a request.
pub const CBOR_LEVELS: usize = 16;

/// Lines of metrics that are kept to look at.
pub const METRIC_LINES_MAX: usize = 10_000;

/// Invocations at the same moment of functions without reserved concurrency, whatever triggered
/// them; further ones wait.
pub const CONCURRENT_INVOCATIONS: usize = 64;

/// Asynchronous invocations at the same moment, those of functions with reserved concurrency apart.
pub const CONCURRENT_DELIVERIES: usize = 16;

/// How often a `ReceiveMessage` that waits looks for a message.
pub const QUEUE_POLL: Duration = Duration::from_millis(100);

/// An object put in parts; S3 itself takes a thousand times as much.
pub const OBJECT_BYTES: u64 = 50 * 1024 * MIB as u64;

/// Uploads in parts that have begun and are not over.
pub const OPEN_UPLOADS: usize = 1_000;

/// Bytes of an object that are read from disk at a time.
pub const READ_BYTES: usize = 256 * KIB;

/// A line of the coding `aws-chunked`: a chunk's size and signature, or a trailer.
pub const CHUNK_LINE_BYTES: usize = KIB;

/// Trailers of the coding `aws-chunked`.
pub const CHUNK_TRAILERS: usize = 16;

/// Lines of the file of a KMS key: it was rotated as often.
pub const KMS_KEY_LINES: usize = 1_000;

/// Accepted asynchronous invocations that wait; above it callers are throttled.
pub const PENDING_DELIVERIES: u64 = 100_000;

/// Before a retry of an asynchronous invocation. Lambda waits one and two minutes; nobody at a
/// terminal does.
pub const DELIVERY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// How often the queue of deliveries looks for due ones when nothing wakes it.
pub const DELIVERY_POLL: Duration = Duration::from_secs(1);

/// How often a consumer looks at the stream when no write wakes it.
pub const STREAM_POLL: Duration = Duration::from_secs(1);

/// A consumer's wait after its first failure; it doubles with each further one.
pub const STREAM_FIRST_WAIT: Duration = Duration::from_millis(50);

/// A consumer's longest wait.
pub const STREAM_LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long DynamoDB keeps a stream's record. Older ones are removed at the next start, if all
/// consumers have passed them.
pub const STREAM_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Emitted messages that are kept to be looked at; the oldest go first.
pub const MESSAGES_KEPT: u64 = 200_000;

/// Dead letters that are kept; the oldest go first.
pub const DEAD_LETTERS_KEPT: u64 = 10_000;

/// Entries of one page of messages or dead letters, unless asked for another number.
pub const PAGE_DEFAULT: u64 = 100;

/// Most entries of one page.
pub const PAGE_MAX: u64 = 1_000;

/// One call to the embedded DynamoDB.
pub const DYNAMODB_TIMEOUT: Duration = Duration::from_secs(10);

/// Threads of the embedded DynamoDB: one mutex guards its database, the other thread reads and
/// writes JSON meanwhile.
pub const DYNAMODB_THREADS: usize = 2;

/// Scans that the embedded DynamoDB is given at the same time. It does one thing after the other, and
/// a page of a scan takes as long as many writes: with eight segments read at once, writes
/// waited eight times as long, and nothing was read sooner.
pub const SCANS_AT_ONCE: usize = 1;

/// Until a busy database file is given up on.
pub const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// Answers that may be lost on purpose, at one switch.
pub const LOST_ANSWERS_MAX: u32 = 100;

/// The longest that everything is delivered twice on purpose, at one switch.
pub const TWICE_MAX: Duration = Duration::from_secs(10 * 60);

/// Names by which requests to DynamoDB are counted: operations by tables.
pub const REQUESTS_COUNTED: usize = 200;

/// What a clean stop waits for work in flight.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
