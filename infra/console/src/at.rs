//! Points in time as pages show them.

use std::fmt;

use domain::Timestamp;
use serde::Deserialize;

/// A point in time as Waybill writes it: `2026-03-01T08:00:00.000Z`. A page shows it in UTC; a
/// script converts it to the browser's time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct At(pub String);

/// Returns the time that a page is asked for: the end of `day` in UTC where a day is given, because
/// everything that became known on that day is included, else `at`. `None` where neither is given.
pub fn asked(at: Option<String>, day: Option<&str>) -> Option<String> {
    let day = day.filter(|day| !day.is_empty());
    let end = day.map(|day| format!("{day}T23:59:59.999Z"));
    end.or(at).filter(|at| !at.is_empty())
}

/// Returns the requested time as words for a person.
pub fn in_words(day: Option<&str>, at: &str) -> String {
    day.map_or(at.to_owned(), |day| format!("the end of {day}"))
}

/// Converts a time from the operator's functions. `None` becomes an empty text.
pub fn of(time: &Option<Timestamp>) -> At {
    At(time.map_or(String::new(), |time| time.to_string()))
}

impl At {
    /// Returns the time in UTC with seconds, for a person. A text that is not in Waybill's format
    /// is returned unchanged.
    pub fn utc(&self) -> String {
        match (self.0.get(..10), self.0.get(11..19)) {
            (Some(day), Some(time)) if self.0.ends_with('Z') => format!("{day} {time} UTC"),
            _ => self.0.clone(),
        }
    }

    /// Returns the time in UTC with milliseconds, so that times can be compared.
    pub fn exact(&self) -> String {
        match (self.0.get(..10), self.0.get(11..23)) {
            (Some(day), Some(time)) if self.0.ends_with('Z') => format!("{day} {time} UTC"),
            _ => self.0.clone(),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_asked_for_by_its_end() {
        let noon = || Some("2026-03-01T12:00Z".to_owned());
        let end = Some("2026-03-01T23:59:59.999Z".to_owned());
        assert_eq!(asked(None, Some("2026-03-01")), end);
        assert_eq!(asked(noon(), Some("")), noon());
        assert_eq!(asked(Some(String::new()), None), None);
    }

    #[test]
    fn what_is_no_instant_of_waybills_is_shown_as_it_is() {
        let shown = |text: &str| At(text.to_owned()).utc();
        assert_eq!(shown("2026-03-01T08:00:00.123Z"), "2026-03-01 08:00:00 UTC");
        let exact = At("2026-03-01T08:00:00.123Z".to_owned()).exact();
        assert_eq!(exact, "2026-03-01 08:00:00.123 UTC");
        for other in [
            "",
            "<b>",
            "2026-03-01T08:00:00+02:00",
            "ééééééééééééééééééé",
        ] {
            assert_eq!(shown(other), other);
        }
    }
}
