//! The time, in the forms that AWS writes it in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// Now.
pub fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// ISO 8601, UTC, milliseconds, `Z`.
pub fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// As EventBridge writes it: ISO 8601, UTC, seconds, `Z`.
pub fn event_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// As API Gateway writes it, in the common log format.
pub fn log_text(time: DateTime<Utc>) -> String {
    time.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// The moment so long ago, in microseconds since 1970: 0 where the clock does not reach back.
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
