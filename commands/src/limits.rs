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
