//! Functions that print results.

use std::io::Write;

use serde::Serialize;

use super::Failed;

/// Prints a line. It is not an error where nobody reads the output any more (`waybill verify |
/// head`).
pub(super) fn print_line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a result as JSON.
pub(super) fn print_json(result: &impl Serialize) -> Result<(), Failed> {
    print_line(&serde_json::to_string_pretty(result)?);
    Ok(())
}

/// A number with its noun: `1 row`, `2 rows`, `3 histories`, `4 orders and shipments`.
pub(super) fn number_of(number: u64, noun: &str) -> String {
    let many = match noun {
        "order or shipment" => "orders and shipments".to_owned(),
        "history" => "histories".to_owned(),
        "copy" => "copies".to_owned(),
        _ => format!("{noun}s"),
    };
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {many}"),
    }
}

/// A duration in its largest unit, rounded down: `12 s`, `5 minutes`, `7 hours`, `3 days`.
pub(super) fn duration_text(seconds: u64) -> String {
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
