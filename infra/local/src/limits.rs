//! Every limit of the local system, in one place; those of AWS's services are the emulator's.
//!
//! The first half repeats what Waybill's deployment sets, the second half bounds this process.

use std::time::Duration;

// What requests and pages of this system may ask of the emulator.
pub(crate) use emulator::limits::{DYNAMODB_TIMEOUT, PAGE_MAX, PUT_EVENTS_ENTRIES};

const MIB: u64 = 1024 * 1024;

// ---- As deployed ----

/// Records in a batch of the stream.
pub const BATCH_RECORDS: usize = 100;

/// Attempts at one record of the stream, the first included; then it is a dead letter.
pub const RECORD_ATTEMPTS: u32 = 10;

/// One invocation of the functions for order files and for rebuilding: the longest that Lambda allows.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(15 * 60);

// ---- This process ----

/// One invocation of any other function; every deployed function has a time-out too.
pub const INVOCATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Imports at the same moment: they run long, so they have places of their own and take none from
/// the others.
pub const CONCURRENT_IMPORTS: usize = 4;

/// Rebuilds at the same moment, in places of their own for the same reason.
pub const CONCURRENT_REBUILDS: usize = 4;

/// How often `watch` looks for stalled shipments. On AWS it is every 15 minutes; here a look costs
/// nothing but a few milliseconds.
pub const WATCH_EVERY: Duration = Duration::from_secs(5);

/// Size at which the log file gives way to a new one; one earlier file is kept.
pub const LOG_BYTES: u64 = 20 * MIB;

/// Characters of a log line on the terminal.
pub const TERMINAL_CHARACTERS: usize = 300;

/// Attempts of a demonstration at one request.
pub const DEMO_ATTEMPTS: u32 = 5;

/// Parcels that a demonstration sends webhooks of.
pub const DEMO_PARCELS: usize = 12;

/// How long a demonstration waits for a silent parcel to be found, once it may be.
pub const DEMO_STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a demonstration waits for everything to catch up.
pub const DEMO_TIMEOUT: Duration = Duration::from_secs(120);

/// How often it looks whether everything has.
pub const DEMO_POLL: Duration = Duration::from_millis(20);
