//! What a page names an order, a shipment or another thing by, and texts that are cut to a page's size.

use crate::{limits::CONTENT_CHARACTERS, links};

/// An order, a shipment or another thing, with a link where it has a page.
pub struct Subject {
    /// Its name, such as `order#1`.
    pub name: String,
    /// The path of its page, where it has one.
    pub link: Option<String>,
}

impl Subject {
    /// Reads a name such as `order#1`.
    pub fn of(name: &str) -> Self {
        let link = match name.split_once('#') {
            Some(("order", id)) => Some(links::order(id)),
            Some(("shipment", id)) => Some(links::shipment(id)),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            link,
        }
    }
}

/// Returns a duration in its largest unit, rounded down, such as `3 hours`.
pub(super) fn lasted(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{many}")
}

/// Returns as much of a content as a page shows.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(CONTENT_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_letter_is_about_leads_there() {
        let link = |name| Subject::of(name).link;
        assert_eq!(link("order#A 1"), Some("/orders/A%201".to_owned()));
        assert_eq!(link("shipment#a#b"), Some("/shipments/a%23b".to_owned()));
        for other in ["orders/a.json", "parcel#1", "logistics: Update", ""] {
            assert_eq!(link(other), None, "{other}");
        }
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let told = [59, 60, 3_599, 3_600, 86_399, 86_400, 200_000].map(lasted);
        assert_eq!(
            told,
            [
                "59 s",
                "1 minute",
                "59 minutes",
                "1 hour",
                "23 hours",
                "1 day",
                "2 days"
            ]
        );
    }
}
