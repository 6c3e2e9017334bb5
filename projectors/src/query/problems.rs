//! Tables that cannot be read, as problems of HTTP.

use event_store::StoreError;
use lambda::http::Problem;

use crate::ports::RowError;

/// The problem of rows that cannot be read: `503` where they may be read later.
pub(super) fn row_problem(error: RowError) -> Problem {
    tracing::warn!(%error, "rows cannot be read");
    match error {
        RowError::Unavailable(_) => Problem::unavailable(),
        RowError::Refused(_) => Problem::internal(),
    }
}

/// The problem of a history that cannot be read: `503` where it may be read later, or by a newer
/// build.
pub(super) fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable(error) => {
            tracing::warn!(%error, "a history cannot be read now");
            Problem::unavailable()
        }
        StoreError::Newer { .. } => {
            tracing::error!(%error, "a history needs a newer build");
            Problem::unavailable()
        }
        error => {
            tracing::error!(%error, "a history cannot be read");
            Problem::internal()
        }
    }
}
