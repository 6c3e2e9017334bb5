//! The durable state of the emulator: sent messages, pending deliveries, the checkpoints of the
//! stream consumers, dead letters, and the versions of objects.
//!
//! It is one SQLite file in WAL mode with `synchronous = NORMAL`: a commit has left the process
//! when it returns, so it survives `kill -9` at any time. Only a power failure can lose the last
//! commits; it never damages the file. `FULL` would flush the disk on each commit, for a case that
//! a developer's machine does not need. The items themselves are in DynamoDB's file, which is
//! flushed.

mod dead_letters;
mod deliveries;
mod listing;
mod messages;
mod objects;
mod queue;
mod schema;
mod stream;
mod uploads;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use dead_letters::{DeadLetter, GivenUp, StoredAs};
pub use deliveries::{Acceptance, Delivery, FinishedAttempt, Lane, NewDelivery, Verdict};
pub use listing::{ListRequest, Listing};
pub use messages::{Message, Page};
pub use objects::{Announce, Condition, NotStored, Version};
pub use queue::{Depth, QueueMessage, ReceiveOptions};
pub use stream::{NewCheckpoint, StoredLetter};
pub use uploads::{Part, Upload};

use crate::limits::SQLITE_BUSY;

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite has returned an error.
    #[error("the state: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A value to be stored or read is not JSON.
    #[error("the state: {0}")]
    Json(#[from] serde_json::Error),
    /// The runtime is shutting down.
    #[error("the state: stopped")]
    Stopped,
    /// Too many deliveries are pending.
    #[error("too many deliveries are pending")]
    Full,
}

/// A handle of the state. Clones share the connection.
#[derive(Clone)]
pub struct State {
    connection: Arc<Mutex<Connection>>,
    /// The number of rows of `deliveries`, kept here because each acceptance needs it.
    pending: Arc<AtomicU64>,
}

impl State {
    /// Opens the file at `path`, or creates it. Deliveries that an earlier process had leased are
    /// pending again. `oldest_bucket` is the id of the bucket for objects that an earlier version
    /// of the emulator has stored without a bucket.
    pub fn open(path: &Path, oldest_bucket: &str) -> Result<Self, StateError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(SQLITE_BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        schema::prepare(&connection, oldest_bucket)?;
        connection.execute("UPDATE deliveries SET leased = 0 WHERE leased = 1", [])?;
        let pending: u64 =
            connection.query_row("SELECT COUNT(*) FROM deliveries", [], |row| row.get(0))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            pending: Arc::new(AtomicU64::new(pending)),
        })
    }

    /// Returns the number of deliveries that were accepted and are not finished.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Runs `job` in one transaction, on a thread that serves no requests.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let connection = Arc::clone(&self.connection);
        let run = move || {
            // A panic while the lock was held has rolled back its transaction, so the connection
            // can be used.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = job(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|_| StateError::Stopped)?
    }

    /// Runs a query on a thread that serves no requests.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let connection = Arc::clone(&self.connection);
        let run = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(job(&connection)?)
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|_| StateError::Stopped)?
    }
}

/// Returns the number of rows, computed from the lowest and highest `number`. This is exact, since
/// only the oldest rows are deleted.
fn span(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let sql = format!(
        "SELECT COALESCE((SELECT MAX(number) FROM {table}) - (SELECT MIN(number) FROM {table}) + 1, 0)"
    );
    connection.query_row(&sql, [], |row| row.get(0))
}

/// Deletes the oldest rows of `table` until `kept` are left.
fn trim(transaction: &Transaction<'_>, table: &str, kept: u64) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM {table} WHERE number <= (SELECT MAX(number) FROM {table}) - ?1");
    transaction.prepare_cached(&sql)?.execute([kept])?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A temporary folder, which is removed when it is dropped.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("emulator-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn state(&self) -> State {
            State::open(&self.0.join("state.sqlite"), "scans").unwrap()
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn opening_twice_changes_nothing() {
        let folder = Folder::new();
        drop(folder.state());
        assert_eq!(folder.state().pending(), 0);
    }
}
