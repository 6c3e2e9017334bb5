//! Points in time as pages show them.

use std::fmt;

use domain::{
    Timestamp,
    time::{InvalidTime, Precision, SentTime},
};
use serde::Deserialize;

/// A point in time as Waybill writes it: `2026-03-01T08:00:00.000Z`. A page shows it in UTC; a
/// script converts it to the browser's time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct At(pub String);

/// A text that was asked for as a time or a day, and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotATime {
    /// What was typed.
    pub typed: String,
    /// Whether it stood in the field of a day.
    pub is_day: bool,
}

impl NotATime {
    /// Returns what is wrong, and which forms are read.
    pub fn says(&self) -> String {
        match self.is_day {
            true => {
                "This is no day: a date such as 2024-01-15 is read, of 2000 or later.".to_owned()
            }
            false => format!("This is no time: {InvalidTime}."),
        }
    }
}

/// Returns the time that a page is asked for: the end of `day` in UTC where a day is given, because
/// everything that became known on that day is included, else `at`. `None` where neither is given.
/// Fails where the text is none of the forms that the API reads.
pub fn asked(at: Option<&str>, day: Option<&str>) -> Result<Option<String>, NotATime> {
    if let Some(day) = self::day(day)? {
        return Ok(Some(format!("{day}T23:59:59.999Z")));
    }
    let typed = at.unwrap_or_default().trim();
    match SentTime::parse(typed) {
        _ if typed.is_empty() => Ok(None),
        Ok(_) => Ok(Some(typed.to_owned())),
        Err(InvalidTime) => Err(NotATime {
            typed: typed.to_owned(),
            is_day: false,
        }),
    }
}

/// Returns a day that a page is asked for, such as `2026-03-01`; `None` where none is given. Fails
/// where the text is no date.
pub fn day(day: Option<&str>) -> Result<Option<String>, NotATime> {
    let typed = day.unwrap_or_default().trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let sent = SentTime::parse(typed).ok();
    let sent = sent.filter(|sent| sent.precision == Some(Precision::Day));
    let wrong = || NotATime {
        typed: typed.to_owned(),
        is_day: true,
    };
    Ok(Some(sent.ok_or_else(wrong)?.at.day()))
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
        let noon = Some("2026-03-01T12:00Z");
        let end = Ok(Some("2026-03-01T23:59:59.999Z".to_owned()));
        assert_eq!(asked(None, Some("2026-03-01")), end);
        assert_eq!(asked(noon, Some("20260301")), end);
        assert_eq!(asked(noon, Some("")), Ok(noon.map(str::to_owned)));
        assert_eq!(asked(Some(""), None), Ok(None));
        assert_eq!(
            asked(Some(" 2026-03-01 "), None),
            Ok(Some("2026-03-01".to_owned()))
        );
    }

    #[test]
    fn what_is_no_time_comes_back_as_it_was_typed() {
        let wrong = |typed: &str, is_day| NotATime {
            typed: typed.to_owned(),
            is_day,
        };
        let noon = wrong("yesterday noon", false);
        assert_eq!(asked(Some("yesterday noon"), None), Err(noon.clone()));
        assert!(noon.says().contains("2024-01-15T10:30:00+02:00"));
        for text in ["31.12.2026", "2026-03-01T08:00Z", "1772352000"] {
            assert_eq!(asked(None, Some(text)), Err(wrong(text, true)));
        }
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
