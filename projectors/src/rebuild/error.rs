//! Why rows cannot be rebuilt.

use event_store::StoreError;

use crate::ports::RowError;

/// Why rows cannot be rebuilt. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// A table is unavailable; the call can be repeated.
    #[error("{0}")]
    Unavailable(String),
    /// The history cannot be folded; no row is touched.
    #[error("{0}")]
    Corrupt(String),
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(error) => Self::Unavailable(error.to_string()),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<RowError> for RebuildError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Unavailable(reason) => Self::Unavailable(reason),
            RowError::Refused(reason) => Self::Corrupt(reason),
        }
    }
}
