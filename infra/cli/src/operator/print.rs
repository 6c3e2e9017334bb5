//! Functions that print results.

use std::io::Write;

use serde::Serialize;

pub(super) use operator::words::{duration_text, number_of};

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
