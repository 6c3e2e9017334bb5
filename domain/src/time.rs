//! Points in time, in milliseconds.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Number;

/// A point in time in whole milliseconds, from 1970 to 9999: written `2010-12-01T08:26:00.000Z`,
/// so that texts sort as times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// Milliseconds of 9999-12-31T23:59:59.999Z.
const LAST_MILLIS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// From milliseconds since 1970, where that is between 1970 and 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        if !(0..=LAST_MILLIS).contains(&millis) {
            return None;
        }
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// From chrono's type, cut to milliseconds.
    pub fn from_datetime(time: DateTime<Utc>) -> Option<Self> {
        Self::from_millis(time.timestamp_millis())
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Seconds since 1970, cut.
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The UTC day, `2010-12-01`.
    pub fn day(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }

    /// Is it more than `hours` after `other`?
    pub fn is_ahead_of(self, other: Self, hours: i64) -> bool {
        self.0 - other.0 > TimeDelta::hours(hours)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sent = SentTime::parse(&text).ok_or_else(|| de::Error::custom("not a time"))?;
        Ok(sent.at)
    }
}

/// A time as somebody sent it, with the offset that it was written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTime {
    /// The point in time.
    pub at: Timestamp,
    /// The offset as written, such as `+02:00`; `None` for epoch milliseconds and for local times,
    /// which are taken as UTC.
    pub offset: Option<String>,
}

impl SentTime {
    /// Reads ISO 8601: a date and a time, with `T` or a space between, fractions, and an offset
    /// (`Z`, `+02:00` or `+0200`); a time without offset is UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Self::with_offset(time);
        }
        for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
            if let Ok(time) = DateTime::parse_from_str(text, format) {
                return Self::with_offset(time);
            }
        }
        for format in [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
        ] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
                let at = Timestamp::from_datetime(time.and_utc())?;
                return Some(Self { at, offset: None });
            }
        }
        None
    }

    /// Reads whole milliseconds since 1970.
    pub fn from_number(number: &Number) -> Option<Self> {
        let millis = i64::try_from(number.whole()?).ok()?;
        Some(Self {
            at: Timestamp::from_millis(millis)?,
            offset: None,
        })
    }

    fn with_offset(time: DateTime<FixedOffset>) -> Option<Self> {
        let at = Timestamp::from_datetime(time.to_utc())?;
        Some(Self {
            at,
            offset: Some(time.offset().to_string()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_z() {
        for (text, written, offset) in [
            (
                "2024-01-15T10:30:00Z",
                "2024-01-15T10:30:00.000Z",
                Some("+00:00"),
            ),
            (
                "2024-01-15T10:30:00+02:00",
                "2024-01-15T08:30:00.000Z",
                Some("+02:00"),
            ),
            (
                "2024-01-15T10:30:00.123456-0500",
                "2024-01-15T15:30:00.123Z",
                Some("-05:00"),
            ),
            ("2024-01-15 10:30:00", "2024-01-15T10:30:00.000Z", None),
            ("2024-01-15T10:30:00.5", "2024-01-15T10:30:00.500Z", None),
        ] {
            let sent = SentTime::parse(text).unwrap();
            assert_eq!(sent.at.to_string(), written);
            assert_eq!(sent.offset.as_deref(), offset);
        }
    }

    #[test]
    fn what_is_no_time_or_does_not_sort_is_refused() {
        for text in [
            "",
            "yesterday",
            "2024-01-15",
            "2024-13-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "+12024-01-15T10:30:00Z",
        ] {
            assert_eq!(SentTime::parse(text), None, "{text}");
        }
        assert_eq!(SentTime::from_number(&"-1".parse().unwrap()), None);
        assert_eq!(SentTime::from_number(&"1.5".parse().unwrap()), None);
        assert_eq!(
            SentTime::from_number(&"253402300800000".parse().unwrap()),
            None
        );
    }

    #[test]
    fn epoch_milliseconds_are_read() {
        let sent = SentTime::from_number(&"1705314600123".parse().unwrap()).unwrap();
        assert_eq!(sent.at.to_string(), "2024-01-15T10:30:00.123Z");
        assert_eq!(sent.at.millis(), 1_705_314_600_123);
        assert_eq!(sent.at.day(), "2024-01-15");
    }
}
