//! The days on which something ends.

use domain::Timestamp;

use crate::limits::DEAD_LETTER_DAYS;

/// The day, in UTC, that is `days` days after a time.
pub(super) fn after(at: Timestamp, days: u32) -> String {
    let millis = i64::from(days) * 24 * 60 * 60 * 1_000;
    let then = Timestamp::from_millis(at.millis().saturating_add(millis));
    then.unwrap_or(at).day()
}

/// The day on which the queue removes a dead letter that it received at this time.
pub(super) fn letter_gone(at: Timestamp) -> String {
    after(at, DEAD_LETTER_DAYS)
}
