//! Every limit of the command functions.

use std::time::Duration;

/// Attempts of one command against rivals for the same order or shipment. With the waits below
/// they end within 7 s; a function has 10.
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
