//! Points in time, in milliseconds.

use std::{fmt, str::FromStr};

use chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveDateTime, Offset as _, SecondsFormat, TimeDelta, Utc,
};
use jiff::{
    civil::{Date, Time},
    fmt::temporal::{DateTimeParser, Pieces},
};
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

    /// The time `millis` milliseconds after 1970 began; `None` before 1970 and after 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        if !(0..=LAST_MILLIS).contains(&millis) {
            return None;
        }
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// The same time as chrono's, cut to milliseconds; `None` before 1970 and after 9999.
    pub fn from_datetime(time: DateTime<Utc>) -> Option<Self> {
        Self::from_millis(time.timestamp_millis())
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The day in UTC, such as `2010-12-01`.
    pub fn day(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }

    /// Whether it is more than `hours` after `other`.
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
        text.parse().map_err(de::Error::custom)
    }
}

/// The text is not the stored form of a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time in the stored format")]
pub struct NotATimestamp;

/// Parses the stored form. A time that a client sends is parsed as a [`SentTime`].
impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotATimestamp)?;
        Self::from_datetime(time.to_utc()).ok_or(NotATimestamp)
    }
}

/// A time as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTime {
    /// The point in time, in 2000 or later.
    pub at: Timestamp,
    /// The offset from UTC as it was sent, such as `+02:00`; `None` where there was none, and the
    /// time is taken as UTC.
    pub offset: Option<String>,
    /// How precise the sent text was; `None` where it had a time of day.
    pub precision: Option<Precision>,
}

/// The precision of a time that was sent without a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// A date alone: the point in time is the beginning of that day in UTC.
    Day,
}

impl Precision {
    /// The precision's name in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
        }
    }
}

/// The text or number is not a time in 2000 or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time of 2000 or later was expected: ISO 8601 such as 2024-01-15T10:30:00+02:00 or \
     20240115T0830Z (UTC where it names no offset), a date such as 2024-01-15 or \"20240115\", or \
     seconds (9 or 10 digits) or milliseconds (12 or 13 digits) since 1970"
)]
pub struct InvalidTime;

/// Milliseconds of 2000-01-01T00:00:00Z. No order and no parcel is older, so an earlier time is
/// refused: it is a number of another unit, or a date in another format.
const FIRST_SENT_MILLIS: i64 = 946_684_800_000;

/// The most bytes of a time's text. The longest supported one, with nanoseconds and an offset, has
/// 36.
const TEXT_MAX: usize = 48;

impl SentTime {
    /// Parses a text: ISO 8601 and RFC 3339 in the extended and the basic format, with or without
    /// seconds and their fraction, `T` or a space before the time of day, with an offset or without
    /// (UTC); a date alone; or the digits that [`Self::from_number`] takes.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        if text.len() > TEXT_MAX || !text.is_ascii() {
            return Err(InvalidTime);
        }
        if text.len() > 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_digits(text);
        }
        // Ruby and PostgreSQL write a space before the offset.
        let joined = match text.rsplit_once(' ') {
            Some((time, offset)) if offset.starts_with(['+', '-']) => format!("{time}{offset}"),
            _ => text.to_owned(),
        };
        let pieces = DateTimeParser::new()
            .parse_pieces(&joined)
            .map_err(|_| InvalidTime)?;
        Self::from_pieces(&pieces).ok_or(InvalidTime)
    }

    /// Takes a whole number since 1970: 9 or 10 digits are seconds, 12 or 13 are milliseconds.
    pub fn from_number(number: &Number) -> Result<Self, InvalidTime> {
        let whole = number.to_u64().ok_or(InvalidTime)?;
        Self::from_digits(&whole.to_string())
    }

    fn from_digits(digits: &str) -> Result<Self, InvalidTime> {
        let millis_each = match digits.len() {
            9 | 10 => 1_000,
            12 | 13 => 1,
            _ => return Err(InvalidTime),
        };
        // At most 13 digits, or 10 and three more: far from the end of 64 bits.
        let number: i64 = digits.parse().map_err(|_| InvalidTime)?;
        Self::new(number * millis_each, None, None).ok_or(InvalidTime)
    }

    fn from_pieces(pieces: &Pieces<'_>) -> Option<Self> {
        // A zone's name beside the time would have to be known by its rules.
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let (time, precision) = match pieces.time() {
            Some(time) => (time, None),
            None => (Time::midnight(), Some(Precision::Day)),
        };
        let offset = match pieces.to_numeric_offset() {
            Some(offset) => Some(FixedOffset::east_opt(offset.seconds())?),
            None => None,
        };
        // Chrono's own range holds the last day of 9999 as well.
        let utc = offset.unwrap_or(Utc.fix());
        let local = local(pieces.date(), time)?
            .and_local_timezone(utc)
            .single()?;
        let offset = offset.map(|offset| offset.to_string());
        Self::new(local.timestamp_millis(), offset, precision)
    }

    fn new(millis: i64, offset: Option<String>, precision: Option<Precision>) -> Option<Self> {
        if millis < FIRST_SENT_MILLIS {
            return None;
        }
        let at = Timestamp::from_millis(millis)?;
        Some(Self {
            at,
            offset,
            precision,
        })
    }
}

/// The same date and time of day as chrono's type, cut to milliseconds.
fn local(date: Date, time: Time) -> Option<NaiveDateTime> {
    fn part(value: impl Into<i32>) -> Option<u32> {
        value.into().try_into().ok()
    }
    let date = NaiveDate::from_ymd_opt(date.year().into(), part(date.month())?, part(date.day())?)?;
    date.and_hms_milli_opt(
        part(time.hour())?,
        part(time.minute())?,
        part(time.second())?,
        part(time.millisecond())?,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, written, offset) in [
            (
                "2024-01-15T10:30:00Z",
                "2024-01-15T10:30:00.000Z",
                Some("+00:00"),
            ),
            (
                "2024-01-15t10:30:00z",
                "2024-01-15T10:30:00.000Z",
                Some("+00:00"),
            ),
            (
                "2024-01-15T10:30:00+02:00",
                "2024-01-15T08:30:00.000Z",
                Some("+02:00"),
            ),
            (
                "2024-01-15T10:30:00+02",
                "2024-01-15T08:30:00.000Z",
                Some("+02:00"),
            ),
            (
                "2024-01-15T10:30:00.123456-0500",
                "2024-01-15T15:30:00.123Z",
                Some("-05:00"),
            ),
            (
                "2024-01-15 10:30:00 -0330",
                "2024-01-15T14:00:00.000Z",
                Some("-03:30"),
            ),
            ("2024-01-15 10:30:00", "2024-01-15T10:30:00.000Z", None),
            ("2024-01-15 10:30", "2024-01-15T10:30:00.000Z", None),
            (
                "2024-01-15T10:30+02:00",
                "2024-01-15T08:30:00.000Z",
                Some("+02:00"),
            ),
            ("2024-01-15T10:30:00.5", "2024-01-15T10:30:00.500Z", None),
            (
                "2024-01-15T10:30:00,5Z",
                "2024-01-15T10:30:00.500Z",
                Some("+00:00"),
            ),
            (
                "2024-01-15T10:30:00.123456789Z",
                "2024-01-15T10:30:00.123Z",
                Some("+00:00"),
            ),
            (
                "20240115T103000Z",
                "2024-01-15T10:30:00.000Z",
                Some("+00:00"),
            ),
            (
                "20240115T1030+0200",
                "2024-01-15T08:30:00.000Z",
                Some("+02:00"),
            ),
            ("20240115 103000.25", "2024-01-15T10:30:00.250Z", None),
            (
                "2000-01-01T00:00:00Z",
                "2000-01-01T00:00:00.000Z",
                Some("+00:00"),
            ),
            (
                "9999-12-31T23:59:59.999Z",
                "9999-12-31T23:59:59.999Z",
                Some("+00:00"),
            ),
            ("1763632800", "2025-11-20T10:00:00.000Z", None),
            ("1763632800123", "2025-11-20T10:00:00.123Z", None),
            ("946684800", "2000-01-01T00:00:00.000Z", None),
            ("946684800000", "2000-01-01T00:00:00.000Z", None),
        ] {
            let sent = SentTime::parse(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(sent.at.to_string(), written, "{text}");
            assert_eq!(sent.offset.as_deref(), offset, "{text}");
            assert_eq!(sent.precision, None, "{text}");
        }
    }

    #[test]
    fn a_date_alone_is_the_first_instant_of_its_day() {
        for text in ["2025-08-26", "20250826"] {
            let sent = SentTime::parse(text).unwrap();
            assert_eq!(sent.at.to_string(), "2025-08-26T00:00:00.000Z");
            assert_eq!(sent.precision, Some(Precision::Day));
            assert_eq!(sent.offset, None);
        }
    }

    #[test]
    fn nothing_is_guessed_into_another_century() {
        for text in [
            "",
            " ",
            "yesterday",
            "2024-13-01T00:00:00Z",
            "2024-02-30",
            "10000-01-01T00:00:00Z",
            "1999-12-31T23:59:59.999Z",
            "1999-12-31",
            "19991231",
            "2000-01-01T00:00:00+00:01",
            "1969-12-31T23:59:59Z",
            "+12024-01-15T10:30:00Z",
            "10:30",
            "26.08.2025",
            "08/26/2025",
            "25-08-26",
            "250826",
            "2025-08",
            "2025",
            "0",
            "-1",
            "12345678901",
            "17636328001234",
            "946684799",
            "946684799999",
            "20250826101500",
            "1e9",
            "1763632800.5",
            "2024-01-15T",
            "2024-01-15T10:30:00Z trailing",
            " 2024-01-15",
            "2024-01-15 ",
            "2024-01-15T25:00:00Z",
            "2024-01-15T10:30:00[Europe/Berlin]",
            "2024-01-15T10:30:00+99:00",
            "٢٠٢٤-٠١-١٥",
        ] {
            assert_eq!(SentTime::parse(text), Err(InvalidTime), "{text}");
        }
        for number in [
            "0",
            "-1",
            "1.5",
            "20250826",
            "946684799",
            "1763632800.5",
            "12345678901",
            "253402300800000",
            "1e20",
            "99999999999",
        ] {
            let number = number.parse().unwrap();
            assert_eq!(SentTime::from_number(&number), Err(InvalidTime), "{number}");
        }
    }

    #[test]
    fn seconds_and_milliseconds_are_told_apart_by_their_digits() {
        for (number, written) in [
            ("1763632800", "2025-11-20T10:00:00.000Z"),
            ("1.7636328e9", "2025-11-20T10:00:00.000Z"),
            ("1705314600123", "2024-01-15T10:30:00.123Z"),
            ("999999999", "2001-09-09T01:46:39.000Z"),
            ("999999999999", "2001-09-09T01:46:39.999Z"),
        ] {
            let sent = SentTime::from_number(&number.parse().unwrap()).unwrap();
            assert_eq!(sent.at.to_string(), written, "{number}");
        }
    }

    #[test]
    fn what_was_stored_before_2000_is_still_read() {
        let stored: Timestamp = "1970-01-21T09:53:52.800Z".parse().unwrap();
        assert_eq!(stored.to_string(), "1970-01-21T09:53:52.800Z");
        assert_eq!("2024-01-15".parse::<Timestamp>(), Err(NotATimestamp));
    }
}
