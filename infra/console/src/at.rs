//! An instant as a page shows it.

use std::fmt;

use domain::Timestamp;
use serde::Deserialize;

/// An instant as Waybill writes it: `2026-03-01T08:00:00.000Z`. A page shows it in UTC, and a script
/// in the zone of whoever looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct At(pub String);

/// An instant of what an operator's functions answer; nothing where there is none.
pub fn of(time: &Option<Timestamp>) -> At {
    At(time.map_or(String::new(), |time| time.to_string()))
}

impl At {
    /// For a person, in UTC, to the second.
    pub fn utc(&self) -> String {
        match (self.0.get(..10), self.0.get(11..19)) {
            (Some(day), Some(time)) if self.0.ends_with('Z') => format!("{day} {time} UTC"),
            _ => self.0.clone(),
        }
    }

    /// The same with milliseconds, for comparing.
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
