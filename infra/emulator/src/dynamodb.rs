//! The embedded DynamoDB: dynoxide on a loopback port of its own.
//!
//! It runs on its own thread and runtime, because it runs SQLite on the threads that answer
//! requests: on a shared runtime, a slow commit would block the callers that wait for it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dynoxide::Database;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::clock;
use crate::definition::Table;
use crate::limits::{DYNAMODB_THREADS, SQLITE_BUSY, STREAM_RETENTION};

mod described;
mod tables;

pub use described::TableDescriptions;

/// Indexes on dynoxide's table of stream records. It has none, so that each write would read all
/// earlier records for the highest sequence number, and each reader would read them for its
/// position.
const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS emulator_stream_by_table
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS emulator_stream_by_shard
        ON _stream_records (table_name, shard_id, CAST(sequence_number AS INTEGER));
";

/// Finds the indexes on that table that another version of the emulator has created.
const FORMER_INDEXES: &str = "
    SELECT name FROM sqlite_master
    WHERE type = 'index' AND tbl_name = '_stream_records' AND sql IS NOT NULL
      AND name NOT LIKE 'emulator_%'
";

/// The offset of sequence numbers in the API (10^20) from the stored ones.
const SEQUENCE_OFFSET: i128 = 100_000_000_000_000_000_000;

/// The reason why the embedded DynamoDB does not start.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The database file cannot be used by the embedded DynamoDB.
    #[error("the database: {0}")]
    Database(#[from] dynoxide::DynoxideError),
    /// The database file cannot be used by the emulator's own connection.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The description of a table cannot be written as JSON.
    #[error("the tables' description: {0}")]
    Tables(#[from] serde_json::Error),
    /// The listener or the thread cannot be created.
    #[error("the embedded DynamoDB: {0}")]
    Io(#[from] std::io::Error),
}

/// The running embedded DynamoDB.
pub struct DynamoDb {
    /// The address at which it listens.
    pub address: SocketAddr,
    /// The descriptions of its tables.
    pub descriptions: TableDescriptions,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// The file of the database; `None` where it is in memory.
    file: Option<PathBuf>,
}

/// Reads a table's stream directly from the database, for values that the API does not return.
#[derive(Clone)]
pub struct StreamView {
    connection: Arc<Mutex<Connection>>,
    table: String,
}

/// Opens the database at `path`, creates missing tables and indexes, and serves it. Deletes stream
/// records of the tables in `unread` that are older than a day and that all consumers have read.
pub fn start(
    path: &Path,
    tables: &[Table],
    unread: &[(String, Unread)],
) -> Result<DynamoDb, DynamoDbError> {
    // A database in memory (`file:…`) ends with its process, so nothing unfinished can stay.
    let in_memory = path.to_string_lossy().starts_with("file:");
    if !in_memory && !path.exists() {
        create_database(path, tables)?;
    }
    let database = Database::new(&path.to_string_lossy())?;
    tables::create(&database, tables)?;
    prepare_stream_records(path, unread)?;
    let descriptions = TableDescriptions::open(path, &database, tables)?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(DYNAMODB_THREADS)
        .thread_name("dynamodb")
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let serve = move || runtime.block_on(serve(listener, database, stopped));
    let thread = std::thread::Builder::new()
        .name("dynamodb".to_owned())
        .spawn(serve)?;
    Ok(DynamoDb {
        address,
        descriptions,
        stop,
        thread,
        file: (!in_memory).then(|| path.to_owned()),
    })
}

/// Creates the database with all its tables in a temporary file, and then renames the file. A table
/// and its indexes are created in several steps; a process that is killed between two of them would
/// leave a table that a later start cannot tell from a complete one.
fn create_database(path: &Path, tables: &[Table]) -> Result<(), DynamoDbError> {
    let unfinished = path.with_extension("unfinished");
    for suffix in ["", "-wal", "-shm"] {
        let mut left = unfinished.clone().into_os_string();
        left.push(suffix);
        match std::fs::remove_file(left) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let database = Database::new(&unfinished.to_string_lossy())?;
    tables::create(&database, tables)?;
    drop(database);
    // The content of the write-ahead log would not be renamed with the file.
    empty_log(&unfinished)?;
    std::fs::File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

/// Moves the write-ahead log into the database file. Other connections may be open, but must not be
/// reading.
fn empty_log(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(SQLITE_BUSY)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

async fn serve(listener: TcpListener, database: Database, stopped: oneshot::Receiver<()>) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => {
            let stop = async { drop(stopped.await) };
            dynoxide::server::serve_with_shutdown(listener, database, stop).await
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = served {
        tracing::error!(error, "the embedded DynamoDB has ended");
    }
}

impl DynamoDb {
    /// Stops the server once it has answered the present requests. Empties the write-ahead log,
    /// since it still contains data that was deleted.
    pub fn stop(self) {
        // This fails only where the server has already ended.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the embedded DynamoDB panicked");
        }
        // Other connections are still open, so closing this one would not empty the log.
        if let Some(Err(error)) = self.file.as_deref().map(empty_log) {
            tracing::error!(%error, "the write-ahead log of the database could not be emptied");
        }
    }
}

/// The part of a stream that a consumer has not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// All records: a consumer has read nothing yet.
    All,
    /// The records after this sequence number, the lowest checkpoint of the consumers.
    After(String),
}

/// Creates the indexes and deletes old stream records, before there are any writes.
fn prepare_stream_records(path: &Path, unread: &[(String, Unread)]) -> Result<(), DynamoDbError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(SQLITE_BUSY)?;
    let mut former = connection.prepare(FORMER_INDEXES)?;
    let former: Vec<String> = former
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for index in former {
        connection.execute_batch(&format!("DROP INDEX \"{index}\""))?;
    }
    connection.execute_batch(INDEXES)?;
    for (table, unread) in unread {
        if let Unread::After(sequence) = unread {
            // A stored sequence number is the time in microseconds, or just above the previous
            // number.
            let oldest = clock::micros_ago(STREAM_RETENTION).min(stored_sequence(sequence));
            delete_records(&connection, table, oldest)?;
        }
    }
    Ok(())
}

/// Deletes the stream records up to this stored sequence number. Keeps the last record: when the
/// clock was set back, the next sequence number is computed from it.
fn delete_records(connection: &Connection, table: &str, up_to: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM _stream_records
         WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
           AND CAST(sequence_number AS INTEGER) <
               (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records
                WHERE table_name = ?1)",
        (table, up_to),
    )
}

/// Converts a sequence number of the API to the stored one; 0, lower than all, where it is invalid.
fn stored_sequence(public: &str) -> i64 {
    let number = public
        .parse::<i128>()
        .ok()
        .and_then(|n| n.checked_sub(SEQUENCE_OFFSET));
    number.and_then(|n| i64::try_from(n).ok()).unwrap_or(0)
}

impl StreamView {
    /// Opens a view of the stream of `table` in the database at `path`.
    pub fn open(path: &Path, table: String) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(SQLITE_BUSY)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            table,
        })
    }

    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the number of records after `checkpoint`, of all records where it is `None`.
    pub async fn records_after(&self, checkpoint: Option<String>) -> Result<u64, rusqlite::Error> {
        let after = checkpoint.as_deref().map_or(0, stored_sequence);
        let sql = "SELECT COUNT(*) FROM _stream_records
                   WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2";
        self.query(move |connection, table| {
            connection
                .prepare_cached(sql)?
                .query_row((table, after), |row| row.get(0))
        })
        .await
    }

    /// Returns the stored sequence number of the last record.
    pub async fn end(&self) -> Result<Option<i64>, rusqlite::Error> {
        let sql = "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records
                   WHERE table_name = ?1";
        self.query(move |connection, table| {
            connection
                .prepare_cached(sql)?
                .query_row([table], |row| row.get(0))
        })
        .await
    }

    async fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let Self { connection, table } = self.clone();
        let run = move || {
            ask(
                &connection.lock().unwrap_or_else(PoisonError::into_inner),
                &table,
            )
        };
        // The task fails only while the runtime is shutting down.
        tokio::task::spawn_blocking(run)
            .await
            .unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::toy::{self, BOOKS};
    use crate::state::tests::Folder;

    /// Creates a database with this number of records in the stream of a table.
    fn database(folder: &Folder, records: usize) -> PathBuf {
        let path = folder.path().join("dynamodb.sqlite");
        let database = Database::new(&path.to_string_lossy()).unwrap();
        tables::create(&database, &[toy::books()]).unwrap();
        for number in 0..records {
            let item = json!({ "isbn": { "S": number.to_string() } });
            let put = json!({ "TableName": BOOKS, "Item": item });
            database
                .put_item(serde_json::from_value(put).unwrap())
                .unwrap();
        }
        path
    }

    #[tokio::test]
    async fn records_are_counted_from_a_checkpoint_on() {
        let folder = Folder::new();
        let path = database(&folder, 3);
        let view = StreamView::open(&path, BOOKS.to_owned()).unwrap();
        let end = view.end().await.unwrap().unwrap();
        let public = |stored: i64| (SEQUENCE_OFFSET + i128::from(stored)).to_string();
        assert_eq!(view.records_after(None).await.unwrap(), 3);
        assert_eq!(view.records_after(Some(public(end - 1))).await.unwrap(), 1);
        assert_eq!(view.records_after(Some(public(end))).await.unwrap(), 0);
        assert_eq!(stored_sequence(&public(end)), end);
        assert_eq!(stored_sequence("nonsense"), 0);
    }

    #[tokio::test]
    async fn forgetting_leaves_the_last_record_and_what_is_young_or_unread() {
        let folder = Folder::new();
        let path = database(&folder, 3);
        let table = BOOKS;
        let view = StreamView::open(&path, table.to_owned()).unwrap();
        let all_read = Unread::After((SEQUENCE_OFFSET + i128::from(i64::MAX)).to_string());
        for unread in [Unread::All, all_read] {
            prepare_stream_records(&path, &[(table.to_owned(), unread)]).unwrap();
            assert_eq!(view.records_after(None).await.unwrap(), 3);
        }
        let connection = Connection::open(&path).unwrap();
        assert_eq!(delete_records(&connection, table, 0).unwrap(), 0);
        assert_eq!(delete_records(&connection, table, i64::MAX).unwrap(), 2);
        assert_eq!(view.records_after(None).await.unwrap(), 1);
    }

    #[test]
    fn the_indexes_serve_what_the_embedded_dynamodb_asks_at_each_write_and_read() {
        let folder = Folder::new();
        let path = database(&folder, 1);
        let connection = Connection::open(&path).unwrap();
        // Another version of the emulator has left an index.
        let former = "CREATE INDEX former ON _stream_records (table_name)";
        connection.execute_batch(former).unwrap();
        prepare_stream_records(&path, &[(BOOKS.to_owned(), Unread::All)]).unwrap();
        let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'former'";
        let left: u64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
        let plan = |sql: &str| -> String {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            connection
                .query_row(&sql, [], |row| row.get("detail"))
                .unwrap()
        };
        let next = plan(
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
             FROM _stream_records WHERE table_name = 't'",
        );
        assert!(next.contains("emulator_stream_by_table"), "{next}");
        let read = plan(
            "SELECT keys_json FROM _stream_records WHERE table_name = 't' AND shard_id = 's'
             AND CAST(sequence_number AS INTEGER) > 1
             ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 100",
        );
        assert!(read.contains("emulator_stream_by_shard"), "{read}");
    }
}
