//! Every limit of the local system, in one place; those of AWS's services are the emulator's.
//!
//! The first half repeats what Waybill's deployment sets, the second half bounds this process.

use std::time::Duration;

// Limits of the emulator that requests to it must keep.
pub(crate) use emulator::limits::{DYNAMODB_TIMEOUT, PAGE_MAX, PUT_EVENTS_ENTRIES};

const MIB: u64 = 1024 * 1024;

// ---- As deployed ----

/// Records in a batch of the stream.
pub const BATCH_RECORDS: usize = 100;

/// Attempts at one record of the stream, the first included; then it is a dead letter.
pub const RECORD_ATTEMPTS: u32 = 10;

/// The time limit of one invocation of the functions for order files and for rebuilding: the
/// longest that Lambda allows.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(15 * 60);

// ---- This process ----

/// The time limit of one invocation of any other function. Every deployed function has a time
/// limit, too.
pub const INVOCATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of imports at the same time. They run long, so they have a concurrency of their own
/// and take none from the others.
pub const CONCURRENT_IMPORTS: usize = 4;

/// The number of rebuilds at the same time, with a concurrency of their own for the same reason.
pub const CONCURRENT_REBUILDS: usize = 4;

/// How often `watch` looks for stalled shipments. On AWS it is every 15 minutes; here a look costs
/// nothing but a few milliseconds.
pub const WATCH_EVERY: Duration = Duration::from_secs(5);

/// The size in bytes from which on the log file is replaced by a new one. One earlier file is kept.
pub const LOG_BYTES: u64 = 20 * MIB;

/// The number of characters of a log line that the terminal shows.
pub const TERMINAL_CHARACTERS: usize = 300;

/// The number of attempts of a demonstration at one request.
pub const DEMO_ATTEMPTS: u32 = 5;

/// The number of parcels that a demonstration sends webhooks for.
pub const DEMO_PARCELS: usize = 12;

/// The time that a demonstration waits for a parcel to be marked as stalled, after it is due.
pub const DEMO_STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit of a demonstration for everything to catch up.
pub const DEMO_TIMEOUT: Duration = Duration::from_secs(120);

/// The time between two checks whether everything has caught up.
pub const DEMO_POLL: Duration = Duration::from_millis(20);
