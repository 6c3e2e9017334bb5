//! The time without an update after which a shipment is stalled, by its status.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use domain::shipment::Status;

/// The most hours that may be set: more than a year.
pub const HOURS_MAX: u64 = 10_000;

/// Milliseconds of an hour. The times in rows have a resolution of a millisecond.
const MILLIS_PER_HOUR: u64 = 60 * 60 * 1_000;

/// The most decimal digits of an hour's fraction, enough to tell milliseconds apart.
const DIGITS: usize = 7;

/// 10 to the power of [`DIGITS`].
const FRACTIONS: u64 = 10_000_000;

/// The time without an update after which a shipment is stalled, by its status.
///
/// Written as `IN_TRANSIT=72,CREATED=0`: hours, with at most seven decimal digits; 0 means never. A
/// status of [`Status::EXPECTING_UPDATES`] that is not named keeps its default; shipments of other
/// statuses are never stalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalledAfter(BTreeMap<&'static str, Duration>);

/// A part of the setting is invalid: this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?}: a status of {statuses} with hours from 0 to {HOURS_MAX} was expected, such as \
     IN_TRANSIT=72, and each once",
    statuses = Status::EXPECTING_UPDATES.join(", ")
)]
pub struct InvalidStalledAfter(pub String);

impl StalledAfter {
    /// The time for this status; `None` where it never stalls.
    pub fn of(&self, status: &str) -> Option<Duration> {
        self.0.get(status).copied().filter(|after| !after.is_zero())
    }

    /// The status that stalls soonest, and its time; of equal ones the first by name. `None`: no
    /// status ever stalls.
    pub fn soonest(&self) -> Option<(&'static str, Duration)> {
        let ever = self.0.iter().filter(|(_, after)| !after.is_zero());
        let soonest = ever.min_by_key(|(_, after)| **after);
        soonest.map(|(status, after)| (*status, *after))
    }
}

impl Default for StalledAfter {
    fn default() -> Self {
        let hours = |status| match status {
            "CREATED" => 120,
            "IN_TRANSIT" => 72,
            "OUT_FOR_DELIVERY" => 24,
            _ => 96,
        };
        let after = |status| (status, Duration::from_secs(hours(status) * 60 * 60));
        Self(Status::EXPECTING_UPDATES.into_iter().map(after).collect())
    }
}

impl FromStr for StalledAfter {
    type Err = InvalidStalledAfter;

    fn from_str(text: &str) -> Result<Self, InvalidStalledAfter> {
        let mut named = BTreeMap::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let invalid = || InvalidStalledAfter(part.to_owned());
            let (status, after) = read(part).ok_or_else(invalid)?;
            if named.insert(status, after).is_some() {
                return Err(invalid());
            }
        }
        let mut all = Self::default();
        all.0.extend(named);
        Ok(all)
    }
}

fn read(part: &str) -> Option<(&'static str, Duration)> {
    let (status, hours) = part.split_once('=')?;
    let known = |known: &&'static str| *known == status.trim();
    let status = Status::EXPECTING_UPDATES.into_iter().find(known)?;
    let (whole, fraction) = match hours.trim().split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (hours.trim(), "0"),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > DIGITS {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|whole| *whole <= HOURS_MAX)?;
    let fraction: u64 = format!("{fraction:0<DIGITS$}").parse().ok()?;
    // Rounded up: a value above 0 must not become 0, and `Display` rounds down.
    let millis = whole * MILLIS_PER_HOUR + (fraction * MILLIS_PER_HOUR).div_ceil(FRACTIONS);
    let valid = millis <= HOURS_MAX * MILLIS_PER_HOUR;
    valid.then(|| (status, Duration::from_millis(millis)))
}

impl fmt::Display for StalledAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (status, after)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            let (whole, rest) = (millis / MILLIS_PER_HOUR, millis % MILLIS_PER_HOUR);
            let fraction = format!("{:0>DIGITS$}", rest * FRACTIONS / MILLIS_PER_HOUR);
            let hours = format!("{whole}.{fraction}");
            let hours = hours.trim_end_matches('0').trim_end_matches('.');
            write!(f, "{comma}{status}={hours}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_keeps_its_default_and_nothing_else_stalls()
    -> Result<(), InvalidStalledAfter> {
        let set: StalledAfter = "IN_TRANSIT=1.5, CREATED=0,RETURNING=0.0005".parse()?;
        let millis = |status| set.of(status).map(|after| after.as_millis());
        assert_eq!(millis("IN_TRANSIT"), Some(5_400_000));
        assert_eq!(millis("CREATED"), None);
        assert_eq!(millis("RETURNING"), Some(1_800));
        assert_eq!(millis("OUT_FOR_DELIVERY"), Some(24 * 3_600_000));
        assert_eq!(millis("READY_FOR_PICKUP"), Some(96 * 3_600_000));
        assert_eq!(millis("DELIVERED"), None);
        let default = StalledAfter::default();
        assert_eq!(
            default.of("CREATED"),
            Some(Duration::from_secs(120 * 3_600))
        );
        assert_eq!(
            default.of("IN_TRANSIT"),
            Some(Duration::from_secs(72 * 3_600))
        );
        assert_eq!(
            default.soonest(),
            Some(("OUT_FOR_DELIVERY", Duration::from_secs(86_400)))
        );
        assert_eq!(
            set.soonest(),
            Some(("RETURNING", Duration::from_millis(1_800)))
        );
        assert_eq!("".parse(), Ok(default));
        Ok(())
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for text in [
            "",
            "IN_TRANSIT=0.0005",
            "CREATED=0,DELAYED=0.1,RETURNING=1.2345678",
        ] {
            let read: Result<StalledAfter, _> = text.parse();
            let again = read.as_ref().map(|read| read.to_string().parse());
            assert_eq!(again, Ok(read.clone()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for bad in [
            "IN_TRANSIT",
            "IN_TRANSIT=",
            "DELIVERED=3",
            "in_transit=3",
            "CREATED=-1",
            "CREATED=10001",
            "CREATED=10000.1",
            "CREATED=1.",
            "CREATED=.5.",
            "CREATED=+1",
            "CREATED=1e3",
            "CREATED=1.00000001",
            "CREATED=99999999999999999999999",
            "CREATED=NaN",
            "CREATED=inf",
            "CREATED=1,CREATED=1",
        ] {
            let said = bad
                .parse::<StalledAfter>()
                .map_err(|error| error.to_string());
            let names_it = said.err().is_some_and(|said| {
                said.contains("IN_TRANSIT=72")
                    && said.contains(bad.split(',').next_back().unwrap_or(bad))
            });
            assert!(names_it, "{bad}");
        }
    }
}
