//! The present time, and the forms in which AWS writes times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// Returns the present time.
pub fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Formats a time as ISO 8601 in UTC with milliseconds and `Z`.
pub fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats a time as EventBridge does: ISO 8601 in UTC with seconds and `Z`.
pub fn event_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats a time as API Gateway does, in the common log format.
pub fn log_text(time: DateTime<Utc>) -> String {
    time.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// Returns the time `age` ago, in microseconds since 1970; 0 where that is before 1970.
pub fn micros_ago(age: Duration) -> i64 {
    let micros = |moment: SystemTime| {
        moment
            .duration_since(UNIX_EPOCH)
            .ok()?
            .as_micros()
            .try_into()
            .ok()
    };
    SystemTime::now()
        .checked_sub(age)
        .and_then(micros)
        .unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_every_form() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_120).unwrap();
        assert_eq!(text(time), "2023-11-14T22:13:20.120Z");
        assert_eq!(event_text(time), "2023-11-14T22:13:20Z");
        assert_eq!(log_text(time), "14/Nov/2023:22:13:20 +0000");
    }
}
