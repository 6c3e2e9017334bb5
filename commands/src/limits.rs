//! Every limit of the command functions.

use std::time::Duration;

/// The most attempts of one command against rivals for the same order or shipment. With the waits
/// below they end within 7 s; the functions have 20.
pub const CONFLICT_ATTEMPTS: u32 = 25;

/// The longest wait after the first lost attempt. It doubles with each further one.
pub const CONFLICT_WAIT_FIRST: Duration = Duration::from_millis(10);

/// The longest wait after any lost attempt.
pub const CONFLICT_WAIT_MAX: Duration = Duration::from_millis(300);

/// The most attempts of one command against a table that is unavailable, each after the SDK's own
/// three.
pub const UNAVAILABLE_ATTEMPTS: u32 = 2;

/// The most characters of an `Idempotency-Key`, a `commandId` or a correlation id.
pub const KEY_MAX: usize = 255;

/// The most characters of an alert's text: SNS takes 256 KB.
pub const ALERT_TEXT_MAX: usize = 4_000;

// ---- Order files

/// The most bytes of an order file's key. The key of its report contains it, and S3 takes 1,024.
pub const FILE_KEY_BYTES_MAX: usize = 768;

/// The most characters of an object's version id or ETag. S3's own have 32 and 38.
pub const FILE_VERSION_MAX: usize = 128;

/// The most parts of a field's path, such as `items[3].price`, in an alert.
pub const PATH_PARTS_MAX: usize = 4;

/// The most bytes that a packed file may unpack to: a megabyte of gzip can hold a gigabyte, which
/// takes hours. A larger file must be uploaded unpacked, or in parts.
pub const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The most bytes of an order's text in a file. A stored order has at most 350 KB.
pub const ORDER_BYTES_MAX: usize = 1024 * 1024;

/// The most orders of a file that are read before they are executed.
pub const BATCH_ORDERS: usize = 256;

/// The bytes of orders' texts after which no further order is read before these are executed. The
/// last order may exceed them.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The most orders of a file that are executed at the same time.
pub const CONCURRENT_ORDERS: usize = 32;

/// The number of orders after which an import's progress is saved: what a retry repeats.
pub const ORDERS_PER_SAVE: u64 = 2_048;

/// The most rejections in a report or in a part of one.
pub const REJECTIONS_PER_PART: usize = 1_000;

/// The most characters of a rejection's reason, and of the field's path in it.
pub const REASON_MAX: usize = 512;

/// The most bytes of saved progress: it holds one part's rejections.
pub const PROGRESS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The time that an invocation keeps in reserve: for the orders under way (9 s at the worst), for a
/// read that does not answer (8 s), and for saving the progress (4 s).
pub const TIME_RESERVE: Duration = Duration::from_secs(25);

/// The most invocations for one file: at 14 minutes each, twelve days.
pub const CHECKPOINTS_MAX: u32 = 1_250;

/// The most attempts to continue a file's stream that has broken off, without a byte in between.
pub const READ_ATTEMPTS: u32 = 3;

/// The longest wait before the second attempt to read. It doubles with each further one.
pub const READ_WAIT: Duration = Duration::from_millis(100);

// ---- Carriers' webhooks

/// The most bytes of a webhook's body. A parcel with a thousand scans has some 400 KB.
pub const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of a webhook in the dead letter queue, compressed where it is longer: SQS takes
/// 256 KB.
pub const LETTER_BYTES_MAX: usize = 250 * 1024;

/// The most scans of one webhook. The longest known journey, around the world and back, has some
/// 120.
pub const SCANS_MAX: usize = 2_000;

/// The most scans in one commit.
pub const SCANS_PER_COMMIT: usize = 100;

/// The bytes of scans' details after which a commit takes no further scan. The last scan may exceed
/// them: a commit has at most 350 KB.
pub const SCAN_BYTES_PER_COMMIT: usize = 128 * 1024;

/// The most scans that cannot be logged and that a process remembers having reported, at 64 bytes
/// each.
pub const REPORTED_SCANS_MAX: usize = 1_000;

/// The most seconds between a signature's time, where it has one, and the present.
pub const SIGNATURE_AGE_SECONDS: u64 = 300;

/// The most bytes of a header that belongs to a signature. The longest known one, of RSA with 4,096
/// bits, has 684.
pub const SIGNATURE_BYTES_MAX: usize = 2_048;

/// Seconds for which a provider's secret is cached.
pub const SECRET_SECONDS: u64 = 300;

/// The most values of a secret: two, so that one can be rotated, and an address beside them.
pub const SECRET_VALUES_MAX: usize = 3;

/// Seconds for which a provider's key set is cached.
pub const KEY_SET_SECONDS: u64 = 3_600;

/// The least seconds between two fetches of a key set because of a key that it lacks.
pub const KEY_SET_UNKNOWN_KEY_SECONDS: u64 = 60;

/// The longest time that fetching a key set may take.
pub const KEY_SET_TIMEOUT: Duration = Duration::from_secs(3);

/// The most bytes of a key set.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// The most keys of a key set.
pub const KEYS_MAX: usize = 32;

/// The days for which a backup of the table of keys can be restored: DynamoDB's point-in-time
/// recovery keeps 35.
pub const BACKUP_DAYS: u32 = 35;
