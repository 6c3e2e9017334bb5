//! For how long nothing may be heard of a shipment before it is stalled, by its status.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use domain::shipment::Status;

/// The most hours that may be set: more than a year.
pub const HOURS_MAX: f64 = 10_000.0;

/// A millisecond is the least that two times in rows differ by.
const MILLIS_PER_HOUR: f64 = 3_600_000.0;

/// For how long nothing may be heard of a shipment, by the status that it has.
///
/// Written as `IN_TRANSIT=72,CREATED=0`: hours, also parts of one; 0 is never. A status of
/// [`Status::UNDER_WAY`] that is not named keeps its default, and other ones cannot stall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalledAfter(BTreeMap<&'static str, Duration>);

/// A text that is no such setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?}: a status of {statuses} with hours from 0 to {HOURS_MAX} was expected, such as \
     IN_TRANSIT=72, and each once",
    statuses = Status::UNDER_WAY.join(", ")
)]
pub struct InvalidStalledAfter(pub String);

impl StalledAfter {
    /// The time for this status; `None`: never.
    pub fn of(&self, status: &str) -> Option<Duration> {
        self.0.get(status).copied().filter(|after| !after.is_zero())
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
        Self(Status::UNDER_WAY.into_iter().map(after).collect())
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
    let (status, hours) = (status.trim(), hours.trim().parse::<f64>().ok()?);
    let known = Status::UNDER_WAY.into_iter().find(|known| *known == status);
    let valid = (0.0..=HOURS_MAX).contains(&hours);
    // At least a millisecond, since 0 means something else.
    let least = u64::from(hours > 0.0);
    let millis = ((hours * MILLIS_PER_HOUR).round() as u64).max(least);
    Some((known.filter(|_| valid)?, Duration::from_millis(millis)))
}

impl fmt::Display for StalledAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (status, after)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let hours = after.as_secs_f64() / 3_600.0;
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
        let hours = |status| set.of(status).map(|after| after.as_secs_f64() / 3_600.0);
        assert_eq!(hours("IN_TRANSIT"), Some(1.5));
        assert_eq!(hours("CREATED"), None);
        assert_eq!(hours("RETURNING"), Some(0.0005));
        assert_eq!(hours("OUT_FOR_DELIVERY"), Some(24.0));
        assert_eq!(hours("READY_FOR_PICKUP"), Some(96.0));
        assert_eq!(hours("DELIVERED"), None);
        let default = StalledAfter::default();
        assert_eq!(
            default.of("CREATED"),
            Some(Duration::from_secs(120 * 3_600))
        );
        assert_eq!(
            default.of("IN_TRANSIT"),
            Some(Duration::from_secs(72 * 3_600))
        );
        assert_eq!("".parse(), Ok(default));
        Ok(())
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for text in [
            "",
            "IN_TRANSIT=0.0005",
            "CREATED=0,DELAYED=0.1,RETURNING=1.23456",
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
