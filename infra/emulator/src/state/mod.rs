//! What the emulator must not forget: emitted messages, pending deliveries, how far the
//! stream's consumers have come, dead letters, and which objects there are.
//!
//! One SQLite file in WAL mode with `synchronous = NORMAL`: a commit has left the process when it
//! returns, so it survives `kill -9` at any moment. Only a power cut can take the last commits
//! back (never break the file); FULL would cost a disk flush on each for a case that a machine
//! under a developer's desk does not need. The events themselves are DynamoDB's and are flushed.

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

pub use dead_letters::{DeadLetter, GivenUp, Kept};
pub use deliveries::{Acceptance, Delivery, Finished, Lane, NewDelivery, Verdict};
pub use listing::{Listing, Wanted};
pub use messages::{Message, Page};
pub use objects::{Announce, Condition, Unmet, Version};
pub use queue::{Depth, QueueMessage, Taking};
pub use stream::{Progressed, StoredLetter};
pub use uploads::{Part, Upload};

use crate::limits::SQLITE_BUSY;

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite said no.
    #[error("the state: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What was to be written is not JSON.
    #[error("the state: {0}")]
    Json(#[from] serde_json::Error),
    /// The runtime is going down.
    #[error("the state: stopped")]
    Stopped,
    /// Too many deliveries wait already.
    #[error("too many deliveries are pending")]
    Full,
}

/// A handle on the state; clones share it.
#[derive(Clone)]
pub struct State {
    connection: Arc<Mutex<Connection>>,
    /// Rows of `deliveries`, counted here because every acceptance asks.
    pending: Arc<AtomicU64>,
}

impl State {
    /// Opens the file at `path`, or makes it. What an earlier process had begun to deliver is
    /// pending again. `oldest_bucket` is the id of the bucket that objects belong to which an earlier
    /// version of the emulator has stored without one.
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

    /// Deliveries that have been accepted and are not finished.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Runs `job` in one transaction, away from the threads that serve requests.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let connection = Arc::clone(&self.connection);
        let run = move || {
            // A panic under the lock has rolled its transaction back: the connection is sound.
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

    /// Runs a query, away from the threads that serve requests.
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

/// How many rows lie between the oldest and the newest; exact, since only the oldest are removed.
fn span(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let sql = format!(
        "SELECT COALESCE((SELECT MAX(number) FROM {table}) - (SELECT MIN(number) FROM {table}) + 1, 0)"
    );
    connection.query_row(&sql, [], |row| row.get(0))
}

/// Removes the oldest rows of `table` until `kept` are left.
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

    /// A folder that goes when it is dropped.
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
