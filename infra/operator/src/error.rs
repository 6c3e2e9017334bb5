//! Why something an operator wants cannot be done.

use std::io;

use event_store::failure::denial;
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
    /// A service or a table did not answer in time, or not as it should: try again, or read what it
    /// says.
    #[error("{0}")]
    Unavailable(String),
    /// AWS does not let these credentials do it: a policy is missing.
    #[error("{message}")]
    Denied {
        /// What was asked, and what the service said.
        message: String,
        /// What they may not do, as policies call it, such as `dynamodb:Query`; `None` where AWS
        /// does not say it.
        action: Option<String>,
    },
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
    /// A call that failed, by what was asked and [`describe`](event_store::failure::describe) of its
    /// error: one that was denied is told from one to be tried again here alone.
    pub(crate) fn of_call(message: String) -> Self {
        match denial(&message) {
            Some(denied) => Self::Denied {
                message,
                action: denied.action,
            },
            None => Self::Unavailable(message),
        }
    }

    /// A file or folder that cannot be used.
    pub(crate) fn of_file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::Folder(format!("{}: {error}", path.display()))
    }
}

impl From<RebuildError> for OperatorError {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Unavailable(reason) => Self::of_call(reason),
            RebuildError::Corrupt(reason) => Self::Corrupt(reason),
        }
    }
}

impl From<RowError> for OperatorError {
    fn from(error: RowError) -> Self {
        let text = format!("what is parked: {error}");
        match error {
            RowError::Unavailable(_) => Self::of_call(text),
            RowError::Refused(_) => Self::Corrupt(text),
        }
    }
}

impl From<LedgerError> for OperatorError {
    fn from(error: LedgerError) -> Self {
        Self::Folder(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_known_wherever_it_comes_from() {
        let text = || "answered AccessDeniedException to dynamodb:Scan".to_owned();
        let failed: [OperatorError; 3] = [
            RebuildError::Unavailable(text()).into(),
            RowError::Unavailable(text()).into(),
            OperatorError::of_call(format!("the table: {}", text())),
        ];
        for error in failed {
            assert!(
                matches!(&error, OperatorError::Denied { action: Some(action), .. }
                    if action == "dynamodb:Scan"),
                "{error:?}"
            );
        }
        let slow = OperatorError::of_call("timed out".to_owned());
        assert!(matches!(slow, OperatorError::Unavailable(_)), "{slow:?}");
    }
}
