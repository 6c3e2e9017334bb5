//! Every limit of the command functions.

use std::time::Duration;

/// Attempts of one command against rivals for the same order or shipment. With the waits below
/// they end within 7 s; the functions have 20.
pub const RIVAL_ATTEMPTS: u32 = 25;

/// The longest wait after the first lost attempt; it doubles from there
pub const RIVAL_WAIT_FIRST: Duration = Duration::from_millis(10);

/// up to this.
pub const RIVAL_WAIT_MOST: Duration = Duration::from_millis(300);

/// Attempts of one command against a table that is unavailable, each after the SDK's own three.
pub const UNAVAILABLE_ATTEMPTS: u32 = 2;

/// Characters of an `Idempotency-Key`, a `commandId`, a correlation id.
pub const KEY_MAX: usize = 255;

/// Characters of an alert's text: SNS takes 256 KB.
pub const ALERT_TEXT_MAX: usize = 4_000;

// ---- Order files

/// Bytes of an object's key: the report's key has it within, and S3 takes 1,024.
pub const FILE_KEY_BYTES_MAX: usize = 768;

/// Characters of an object's version id or ETag. S3's own have 32 and 38.
pub const FILE_VERSION_MAX: usize = 128;

/// Parts of a place such as `items[3].price` that a mail names.
pub const PLACE_PARTS_MAX: usize = 4;

/// Bytes that a packed file may unpack to: a megabyte of gzip can hold a gigabyte, and hours of
/// work. What is larger comes unpacked, or in parts.
pub const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Bytes of an order's text in a file. What is kept of it has at most 350 KB.
pub const ORDER_BYTES_MAX: usize = 1024 * 1024;

/// Orders of a file that are executed before the next ones are read,
pub const BATCH_ORDERS: usize = 256;

/// and bytes of their texts, exceeded by one order at most.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Orders of a file that are under way at the same time.
pub const CONCURRENT_ORDERS: usize = 32;

/// Orders of a file from one note of the progress to the next: what a retry does again.
pub const ORDERS_PER_NOTE: u64 = 2_048;

/// Rejections that a report or a part of one holds.
pub const REJECTIONS_PER_PART: usize = 1_000;

/// Characters of a rejection's reason, and of the field's place in it.
pub const REASON_MAX: usize = 512;

/// Bytes of a note of the progress: it holds one part's rejections.
pub const NOTE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an invocation keeps back of its time: for the orders under way (9 s at the worst), for a
/// read that does not come (8 s), for a note of the progress (4 s).
pub const TIME_RESERVE: Duration = Duration::from_secs(25);

/// Invocations that one file may take: at 14 minutes each, twelve days.
pub const LEGS_MAX: u32 = 1_250;

/// Attempts to read on where a file's stream has broken off, without a byte in between.
pub const READ_ATTEMPTS: u32 = 3;

/// The longest wait before the second of them; it doubles from there.
pub const READ_WAIT: Duration = Duration::from_millis(100);

// ---- Carriers' webhooks

/// Bytes of a webhook's body. A parcel with a thousand scans has some 400 KB.
pub const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a webhook among the dead letters, packed where it is longer: SQS takes 256 KB.
pub const LETTER_BYTES_MAX: usize = 250 * 1024;

/// Scans of one webhook. The longest way known, around the world and back, has some 120.
pub const SCANS_MAX: usize = 2_000;

/// Scans that one commit holds,
pub const SCANS_PER_COMMIT: usize = 100;

/// and bytes of their details, exceeded by one scan at most: a commit has at most 350 KB.
pub const SCAN_BYTES_PER_COMMIT: usize = 128 * 1024;

/// Scans that cannot be logged and that a process remembers to have told of, with 64 bytes each.
pub const KEPT_SCANS_MAX: usize = 1_000;

/// Seconds that a signature's time may be away from ours, where it has one.
pub const SIGNATURE_AGE_SECONDS: u64 = 300;

/// Bytes of a header that has to do with a signature. The longest known is RSA's of 4,096 bits, 684.
pub const SIGNATURE_BYTES_MAX: usize = 2_048;

/// Seconds that a provider's secret is kept once it was read.
pub const SECRET_SECONDS: u64 = 300;

/// Values of a secret: two, so that one can be changed, and an address beside them.
pub const SECRET_VALUES_MAX: usize = 3;

/// Seconds that a provider's set of keys is kept once it was fetched.
pub const KEY_SET_SECONDS: u64 = 3_600;

/// Seconds from one fetching of a set to the next because of a key that it lacks.
pub const KEY_SET_UNKNOWN_KEY_SECONDS: u64 = 60;

/// The longest that fetching a set of keys may take.
pub const KEY_SET_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of a set of keys.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// Keys of a set.
pub const KEYS_MAX: usize = 32;
