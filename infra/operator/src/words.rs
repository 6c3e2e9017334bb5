//! Numbers with their nouns, and durations, as the command line and the console print them.

use std::fmt::Display;

/// Returns a number with its noun, which is singular where the number is 1: `1 row`, `2 rows`,
/// `3 histories`, `4 orders and shipments`, `5 dead letters of the stream`.
pub fn number_of(number: impl Display, noun: &str) -> String {
    format!("{number} {}", noun_for(&number, noun))
}

/// Returns the noun alone, as it stands after the number.
pub fn noun_for(number: impl Display, noun: &str) -> String {
    if number.to_string() == "1" {
        return noun.to_owned();
    }
    let (noun, rest) = match noun.find(" of ") {
        Some(at) => noun.split_at(at),
        None => (noun, ""),
    };
    let many = match noun {
        "order or shipment" => "orders and shipments".to_owned(),
        "history" => "histories".to_owned(),
        "copy" => "copies".to_owned(),
        _ => format!("{noun}s"),
    };
    format!("{many}{rest}")
}

/// Returns a duration in its largest unit, rounded down: `12 s`, `5 minutes`, `7 hours`, `3 days`.
pub fn duration_text(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => number_of(seconds / 60, "minute"),
        3_600..86_400 => number_of(seconds / 3_600, "hour"),
        _ => number_of(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_nouns() {
        assert_eq!(number_of(0, "row"), "0 rows");
        assert_eq!(number_of(1, "history"), "1 history");
        assert_eq!(number_of(2, "history"), "2 histories");
        assert_eq!(number_of(1, "order or shipment"), "1 order or shipment");
        assert_eq!(number_of(2, "order or shipment"), "2 orders and shipments");
        assert_eq!(number_of(2, "copy"), "2 copies");
        let letters = |number| number_of(number, "dead letter of the stream");
        assert_eq!(letters(1), "1 dead letter of the stream");
        assert_eq!(letters(3), "3 dead letters of the stream");
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let told = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 200_000].map(duration_text);
        let expected = [
            "0 s",
            "59 s",
            "1 minute",
            "59 minutes",
            "1 hour",
            "23 hours",
            "1 day",
            "2 days",
        ];
        assert_eq!(told, expected);
    }
}
