//! All limits of the emulator.
//!
//! The first half are limits of AWS, so that a caller reaches them here and not only in production.
//! The second half are limits of this process.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ---- AWS's own limits ----

/// Bytes of the body of a request to the HTTP API (API Gateway quotas).
pub const HTTP_API_BODY_BYTES: usize = 10 * MIB;

/// The time that API Gateway waits for an integration.
pub const HTTP_API_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of the body of a request to DynamoDB, which accepts the largest body of all services here.
pub const SERVICE_BODY_BYTES: usize = 16 * MIB;

/// Entries of a `PutEvents`.
pub const PUT_EVENTS_ENTRIES: usize = 10;

/// Bytes of all entries of a `PutEvents` together.
pub const PUT_EVENTS_BYTES: usize = 256 * KIB;

/// Bytes that EventBridge counts for the `Time` of an entry.
pub const PUT_EVENTS_TIME_BYTES: usize = 14;

/// Entries of a `PublishBatch`.
pub const PUBLISH_BATCH_ENTRIES: usize = 10;

/// Bytes of a message, and of all messages of a `PublishBatch` together.
pub const PUBLISH_BYTES: usize = 256 * KIB;

/// Characters of the subject of an SNS message.
pub const SUBJECT_CHARACTERS: usize = 100;

/// Bytes of the payload of a synchronous invocation, and of a batch of a stream.
pub const INVOCATION_BYTES: usize = 6 * MIB;

/// Bytes of the payload of an asynchronous invocation.
pub const ASYNC_INVOCATION_BYTES: usize = 256 * KIB;

/// Consumers of one stream.
pub const STREAM_READERS: usize = 2;

/// Attempts at an asynchronous invocation: the first and the two retries of Lambda.
pub const DELIVERY_ATTEMPTS: u32 = 3;

/// Bytes of a function's error that are kept in the attributes of a dead letter.
pub const ERROR_MESSAGE_BYTES: usize = KIB;

/// Messages that one `ReceiveMessage` returns at most.
pub const RECEIVED_MESSAGES: u32 = 10;

/// Seconds for which a received message is hidden from others, unless the request has another
/// number.
pub const VISIBILITY_SECONDS: u32 = 30;

/// The maximum number of seconds for which a received message can be hidden.
pub const VISIBILITY_SECONDS_MAX: u32 = 12 * 60 * 60;

/// The maximum number of seconds for which `ReceiveMessage` waits for a message.
pub const RECEIVE_WAIT_SECONDS_MAX: u32 = 20;

/// Bytes of an object that is put in one request, and of a part of a multipart upload.
pub const PUT_OBJECT_BYTES: u64 = 5 * 1024 * MIB as u64;

/// The minimum number of bytes of a part of a multipart upload, except for the last one.
pub const PART_BYTES_MIN: u64 = 5 * MIB as u64;

/// The highest part number of a multipart upload.
pub const PARTS: i32 = 10_000;

/// Bytes of the user-defined metadata of an object, names and values together.
pub const METADATA_BYTES: usize = 2 * KIB;

/// Keys or versions on one page of a list, and keys of one `DeleteObjects`.
pub const LISTED_KEYS: usize = 1_000;

/// Bytes of a ciphertext that KMS decrypts.
pub const CIPHERTEXT_BYTES: usize = 6 * KIB;

/// Bytes of a data key that KMS makes.
pub const DATA_KEY_BYTES: usize = KIB;

/// Bytes of the names and values of an encryption context together.
pub const ENCRYPTION_CONTEXT_BYTES: usize = 8 * KIB;

/// Alarms on one page of `DescribeAlarms`, unless the request has another number.
pub const ALARMS_PAGE: usize = 50;

/// The maximum number of alarms on one page of `DescribeAlarms`.
pub const ALARMS_PAGE_MAX: usize = 100;

/// Queries of one `GetMetricData`.
pub const METRIC_QUERIES: usize = 500;

/// Points in one answer to `GetMetricData`.
pub const METRIC_POINTS: i64 = 100_800;

/// Metrics of one directive of the embedded metric format. Further ones are ignored.
pub const LINE_METRICS: usize = 100;

/// Values of one metric of a line in the embedded metric format. Further ones are ignored.
pub const LINE_VALUES: usize = 100;

/// Sets of dimensions of one directive of the embedded metric format. Further ones are ignored.
pub const LINE_DIMENSIONS: usize = 30;

// ---- This process ----

/// Metrics whose values are kept. The same name with other dimensions is another metric.
pub const MEASURED_METRICS: usize = 1_000;

/// Minutes with values that are kept of each metric.
pub const MEASURED_MINUTES: usize = 180;

/// The interval at which the emulator measures its own metrics.
pub const MEASURED_EVERY: Duration = Duration::from_secs(5);

/// Levels of nested values in a request in CBOR.
pub const CBOR_LEVELS: usize = 16;

/// Lines with metrics that are kept to be looked at.
pub const METRIC_LINES_MAX: usize = 10_000;

/// Invocations at the same time of all functions without reserved concurrency, whatever has
/// triggered them. Further ones wait.
pub const CONCURRENT_INVOCATIONS: usize = 64;

/// Asynchronous invocations at the same time, without those of functions with reserved concurrency.
pub const CONCURRENT_DELIVERIES: usize = 16;

/// The interval at which a waiting `ReceiveMessage` looks for a message.
pub const QUEUE_POLL: Duration = Duration::from_millis(100);

/// Bytes of an object that is uploaded in parts. The limit of S3 is a thousand times as high.
pub const OBJECT_BYTES: u64 = 50 * 1024 * MIB as u64;

/// Multipart uploads that were started and neither completed nor aborted.
pub const OPEN_UPLOADS: usize = 1_000;

/// Bytes of an object that are read from disk at once.
pub const READ_BYTES: usize = 256 * KIB;

/// Bytes of a line in the coding `aws-chunked`: the size and signature of a chunk, or a trailer.
pub const CHUNK_LINE_BYTES: usize = KIB;

/// Trailers of a body in the coding `aws-chunked`.
pub const CHUNK_TRAILERS: usize = 16;

/// Lines of the file of a KMS key. Each rotation adds a line.
pub const KMS_KEY_LINES: usize = 1_000;

/// Pending asynchronous invocations. At this number further ones are throttled.
pub const PENDING_DELIVERIES: u64 = 100_000;

/// The waiting times before the retries of an asynchronous invocation. Lambda waits one and two
/// minutes, which is too long for a person at a terminal.
pub const DELIVERY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// The interval at which the queue of deliveries is read when nothing wakes its task.
pub const DELIVERY_POLL: Duration = Duration::from_secs(1);

/// The interval at which a consumer reads its stream when no write wakes it.
pub const STREAM_POLL: Duration = Duration::from_secs(1);

/// The time that a consumer waits after its first failure. It doubles with each further failure.
pub const STREAM_FIRST_WAIT: Duration = Duration::from_millis(50);

/// The maximum time that a consumer waits after a failure.
pub const STREAM_LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The time for which DynamoDB keeps a record of a stream. The next start deletes older records
/// that all consumers have read.
pub const STREAM_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Emitted messages that are kept. The oldest are deleted first.
pub const MESSAGES_KEPT: u64 = 200_000;

/// Dead letters that are kept. The oldest are deleted first.
pub const DEAD_LETTERS_KEPT: u64 = 10_000;

/// Entries on one page of messages or dead letters, unless the request has another number.
pub const PAGE_DEFAULT: u64 = 100;

/// The maximum number of entries on one page of messages or dead letters.
pub const PAGE_MAX: u64 = 1_000;

/// The time-out of one call to the embedded DynamoDB.
pub const DYNAMODB_TIMEOUT: Duration = Duration::from_secs(10);

/// Threads of the embedded DynamoDB. One mutex guards its database; while one thread holds it, the
/// other reads and writes JSON.
pub const DYNAMODB_THREADS: usize = 2;

/// Scans that run in the embedded DynamoDB at the same time. It executes one request after the
/// other, and a page of a scan takes as long as many writes: with eight segments at the same time,
/// writes waited eight times as long and the scan was not faster.
pub const SCANS_AT_ONCE: usize = 1;

/// The time after which a query on a locked database file fails.
pub const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// The maximum number of lost answers that one request can switch on.
pub const LOST_ANSWERS_MAX: u32 = 100;

/// The maximum time of double deliveries that one request can switch on.
pub const TWICE_MAX: Duration = Duration::from_secs(10 * 60);

/// Names under which requests to DynamoDB are counted: operations with their tables.
pub const REQUESTS_COUNTED: usize = 200;

/// The time that a stop waits for work in flight.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
