//! Functions that print results.

use std::io::Write;

use serde::Serialize;

pub(super) use operator::words::number_of;

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
