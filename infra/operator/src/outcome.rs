//! How a command ends, and how it says what came of it.

use std::io::Write;

use projectors::rebuild::{RebuildError, ledger::LedgerError};
use serde::Serialize;

/// How a command ends that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Well,
    /// Something is wrong, or left over.
    Wrong,
}

impl Outcome {
    /// `Wrong` where there is anything.
    pub(crate) fn wrong_if(any: bool) -> Self {
        match any {
            true => Self::Wrong,
            false => Self::Well,
        }
    }
}

/// A command that could not be carried out. The texts are for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// A sentence that says it all.
    #[error("{0}")]
    Said(String),
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// A rebuild's own.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The ledger's.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// JSON that cannot be written or read.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Prints a line; that nobody reads it any more (`waybill verify | head`) is no error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a result as JSON.
pub(crate) fn say_json(result: &impl Serialize) -> Result<(), OperatorError> {
    say(&serde_json::to_string_pretty(result)?);
    Ok(())
}

/// A number with its noun: `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
