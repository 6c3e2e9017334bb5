//! The errors of the operator's functions.

use std::io;

use event_store::failure::denial;
use projectors::{
    ports::RowError,
    rebuild::{RebuildError, ledger::LedgerError},
};

/// Why an operation of the operator cannot be carried out. The texts are whole sentences for an
/// operator. They name what was asked for and contain nothing that customers have sent.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The request contradicts itself, or a value is out of bounds. To ask again is of no use.
    #[error("{0}")]
    Usage(String),
    /// Nothing with the given name exists.
    #[error("{0}")]
    NotFound(String),
    /// A service or a table did not answer in time, or gave an error as its answer. Try again, or
    /// read the service's own text, which the message contains.
    #[error("{0}")]
    Unavailable(String),
    /// AWS does not allow these credentials to do it: an IAM policy is missing.
    #[error("{message}")]
    Denied {
        /// What was asked of which service, and the error that the service gave.
        message: String,
        /// The action that is not allowed, as IAM policies name it, such as `dynamodb:Query`.
        /// `None` where AWS does not name it.
        action: Option<String>,
    },
    /// The environment is not set up as this build expects it.
    #[error("{0}")]
    Environment(String),
    /// What is stored cannot be read, or a service refuses it for good. A retry changes nothing.
    #[error("{0}")]
    Corrupt(String),
    /// There are more items than one call handles. What was done until then stays done.
    #[error("{0}")]
    TooMany(String),
    /// Another process holds the lock of the folder.
    #[error("{0}")]
    Busy(String),
    /// [`Progress::stopped`](crate::progress::Progress::stopped) has asked for the end. The same
    /// call, made again, continues from here.
    #[error("it was stopped; the same command continues from here")]
    Stopped,
    /// The folder of a run cannot be written or read.
    #[error("{0}")]
    Folder(String),
}

impl OperatorError {
    /// The error of a failed call to AWS. `message` says what was asked and contains the text that
    /// [`describe`](event_store::failure::describe) makes of the error. Only this function
    /// distinguishes a call that was denied ([`Self::Denied`]) from one to be tried again
    /// ([`Self::Unavailable`]).
    pub(crate) fn of_call(message: String) -> Self {
        match denial(&message) {
            Some(denied) => Self::Denied {
                message,
                action: denied.action,
            },
            None => Self::Unavailable(message),
        }
    }

    /// The error of a file or folder at `path` that cannot be used.
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
        let text = format!("a table of rows or of parked aggregates: {error}");
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
