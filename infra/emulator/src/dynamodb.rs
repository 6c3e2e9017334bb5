//! The embedded DynamoDB: dynoxide on a loopback port of its own.
//!
//! It serves on a thread and a runtime of its own, because it runs SQLite on the threads that
//! answer requests: on a shared runtime a slow commit would hold up the callers that wait for it.

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

pub use described::Descriptions;

/// The table of stream records has no index of its own, so that each write would look through all
/// earlier records for the highest sequence number, and each reader for its place.
const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS emulator_stream_by_table
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS emulator_stream_by_shard
        ON _stream_records (table_name, shard_id, CAST(sequence_number AS INTEGER));
";

/// Indexes of that table that another version of this code has made.
const FORMER_INDEXES: &str = "
    SELECT name FROM sqlite_master
    WHERE type = 'index' AND tbl_name = '_stream_records' AND sql IS NOT NULL
      AND name NOT LIKE 'emulator_%'
";

/// Stored sequence numbers are small; the public ones are these plus 10^20.
const SEQUENCE_OFFSET: i128 = 100_000_000_000_000_000_000;

/// The embedded DynamoDB does not start.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The database file.
    #[error("the database: {0}")]
    Database(#[from] dynoxide::DynoxideError),
    /// The database file, on our own connection.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The description of a table.
    #[error("the tables' description: {0}")]
    Tables(#[from] serde_json::Error),
    /// Its listener or thread.
    #[error("the embedded DynamoDB: {0}")]
    Io(#[from] std::io::Error),
}

/// The running server.
pub struct DynamoDb {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its tables are.
    pub descriptions: Descriptions,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// The database's file; `None` where it is in memory.
    file: Option<PathBuf>,
}

/// Looks at a table's stream beside the server, for what the API does not tell.
#[derive(Clone)]
pub struct StreamView {
    connection: Arc<Mutex<Connection>>,
    table: String,
}

/// Opens the database at `path`, makes the tables and indexes that are missing and serves it. Of the
/// stream records of the tables in `unread`, those older than a day go, unless they are unread.
pub fn start(
    path: &Path,
    tables: &[Table],
    unread: &[(String, Unread)],
) -> Result<DynamoDb, DynamoDbError> {
    // A database in memory (`file:…`) ends with its process, and so does whatever is half made.
    let in_memory = path.to_string_lossy().starts_with("file:");
    if !in_memory && !path.exists() {
        make(path, tables)?;
    }
    let database = Database::new(&path.to_string_lossy())?;
    tables::create(&database, tables)?;
    guard(path, unread)?;
    let descriptions = Descriptions::open(path, &database, tables)?;

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

/// Makes the database with all its tables beside its place, and then puts it there: a table and its
/// indexes are made in several steps, and whoever is killed between two of them leaves a table
/// behind that no later start can tell from a whole one.
fn make(path: &Path, tables: &[Table]) -> Result<(), DynamoDbError> {
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
    // Whatever still stands in the log beside it would stay behind.
    empty_log(&unfinished)?;
    std::fs::File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

/// Moves the log beside a database into it. Other connections may be open, and read nothing.
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
    /// Ends the server when the requests in flight have been answered. The log beside the database is
    /// emptied: it holds what has been deleted since.
    pub fn stop(self) {
        // Fails only where the server has ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the embedded DynamoDB panicked");
        }
        // Other connections are still open, so that the last one to close would not do it.
        if let Some(Err(error)) = self.file.as_deref().map(empty_log) {
            tracing::error!(%error, "the database's log stays");
        }
    }
}

/// How far back a stream is still needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Everything: a consumer has not read at all.
    All,
    /// What comes after this sequence number, the lowest of the consumers' checkpoints.
    After(String),
}

/// Adds the indexes and forgets old stream records, before anybody writes.
fn guard(path: &Path, unread: &[(String, Unread)]) -> Result<(), DynamoDbError> {
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
            // A stored number is a time in microseconds, or just above the number before it.
            let oldest = clock::micros_ago(STREAM_RETENTION).min(stored(sequence));
            forget(&connection, table, oldest)?;
        }
    }
    Ok(())
}

/// Removes the stream records up to this stored number. The last one stays: the next number is
/// counted from it when the clock was set back.
fn forget(connection: &Connection, table: &str, up_to: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM _stream_records
         WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
           AND CAST(sequence_number AS INTEGER) <
               (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records
                WHERE table_name = ?1)",
        (table, up_to),
    )
}

/// The stored form of a public sequence number; 0, before all, where it is none.
fn stored(public: &str) -> i64 {
    let number = public
        .parse::<i128>()
        .ok()
        .and_then(|n| n.checked_sub(SEQUENCE_OFFSET));
    number.and_then(|n| i64::try_from(n).ok()).unwrap_or(0)
}

impl StreamView {
    /// A view on the stream of `table` in the database at `path`.
    pub fn open(path: &Path, table: String) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(SQLITE_BUSY)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            table,
        })
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// How many records come after `checkpoint`, all without one.
    pub async fn behind(&self, checkpoint: Option<String>) -> Result<u64, rusqlite::Error> {
        let after = checkpoint.as_deref().map_or(0, stored);
        let sql = "SELECT COUNT(*) FROM _stream_records
                   WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2";
        self.query(move |connection, table| {
            connection
                .prepare_cached(sql)?
                .query_row((table, after), |row| row.get(0))
        })
        .await
    }

    /// The stored sequence number of the last record.
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
        // The task fails only where the runtime is going down.
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

    /// A database with this many records in the stream of a table.
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
        assert_eq!(view.behind(None).await.unwrap(), 3);
        assert_eq!(view.behind(Some(public(end - 1))).await.unwrap(), 1);
        assert_eq!(view.behind(Some(public(end))).await.unwrap(), 0);
        assert_eq!(stored(&public(end)), end);
        assert_eq!(stored("nonsense"), 0);
    }

    #[tokio::test]
    async fn forgetting_leaves_the_last_record_and_what_is_young_or_unread() {
        let folder = Folder::new();
        let path = database(&folder, 3);
        let table = BOOKS;
        let view = StreamView::open(&path, table.to_owned()).unwrap();
        let all_read = Unread::After((SEQUENCE_OFFSET + i128::from(i64::MAX)).to_string());
        for unread in [Unread::All, all_read] {
            guard(&path, &[(table.to_owned(), unread)]).unwrap();
            assert_eq!(view.behind(None).await.unwrap(), 3);
        }
        let connection = Connection::open(&path).unwrap();
        assert_eq!(forget(&connection, table, 0).unwrap(), 0);
        assert_eq!(forget(&connection, table, i64::MAX).unwrap(), 2);
        assert_eq!(view.behind(None).await.unwrap(), 1);
    }

    #[test]
    fn the_indexes_serve_what_the_embedded_dynamodb_asks_at_each_write_and_read() {
        let folder = Folder::new();
        let path = database(&folder, 1);
        let connection = Connection::open(&path).unwrap();
        // Another version has left one behind.
        let former = "CREATE INDEX former ON _stream_records (table_name)";
        connection.execute_batch(former).unwrap();
        guard(&path, &[(BOOKS.to_owned(), Unread::All)]).unwrap();
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
