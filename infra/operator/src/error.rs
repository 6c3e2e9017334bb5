//! Why something an operator wants cannot be done.

use std::io;

use projectors::{
    ports::RowError,
    rebuild::{RebuildError, ledger::LedgerError},
};

/// Why something cannot be done. The texts are whole sentences for an operator: they name what was
/// asked and hold nothing that customers have sent.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// What is asked for contradicts itself, or is out of bounds; asking again is of no use.
    #[error("{0}")]
    Usage(String),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// A service or a table did not answer in time, or refused these credentials: try again, or
    /// read what it says.
    #[error("{0}")]
    Unavailable(String),
    /// The environment is not set up as this build expects it.
    #[error("{0}")]
    Environment(String),
    /// What is stored cannot be read, or is refused for good: a retry changes nothing.
    #[error("{0}")]
    Corrupt(String),
    /// There is more than one call goes through; what was done is done.
    #[error("{0}")]
    TooMany(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
    /// [`Progress::stopped`](crate::progress::Progress::stopped) said so. The same call goes on from
    /// here.
    #[error("it was stopped: the same command goes on from here")]
    Stopped,
    /// The folder of a run cannot be written or read.
    #[error("{0}")]
    Folder(String),
}

impl OperatorError {
    /// A file or folder that cannot be used.
    pub(crate) fn of_file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::Folder(format!("{}: {error}", path.display()))
    }
}

impl From<RebuildError> for OperatorError {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Unavailable(reason) => Self::Unavailable(reason),
            RebuildError::Corrupt(reason) => Self::Corrupt(reason),
        }
    }
}

impl From<RowError> for OperatorError {
    fn from(error: RowError) -> Self {
        let text = format!("what is parked: {error}");
        match error {
            RowError::Unavailable(_) => Self::Unavailable(text),
            RowError::Refused(_) => Self::Corrupt(text),
        }
    }
}

impl From<LedgerError> for OperatorError {
    fn from(error: LedgerError) -> Self {
        Self::Folder(error.to_string())
    }
}
