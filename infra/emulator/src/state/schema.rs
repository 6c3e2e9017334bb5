//! The tables of the state, and the changes since their first version.

use rusqlite::Connection;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        role TEXT NOT NULL,
        request_id TEXT NOT NULL,
        payload TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER NOT NULL,
        leased INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (leased, due_ms, id);
    CREATE TABLE IF NOT EXISTS checkpoints (
        consumer TEXT PRIMARY KEY,
        sequence TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        consumer TEXT NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        payload TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS objects (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        version TEXT NOT NULL UNIQUE,
        marker INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        about TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS uploads (
        id TEXT PRIMARY KEY,
        key TEXT NOT NULL,
        about TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS parts (
        upload TEXT NOT NULL,
        number INTEGER NOT NULL,
        file TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        PRIMARY KEY (upload, number)
    );
";

/// Columns that were added after the first version, so that an older data folder can be used. A
/// dead letter has either an `object`, its key in a bucket, or the columns of a message.
const ADDED_COLUMNS: [(&str, &str, &str); 11] = [
    ("objects", "bucket", "TEXT NOT NULL DEFAULT ''"),
    ("uploads", "bucket", "TEXT NOT NULL DEFAULT ''"),
    ("dead_letters", "bucket", "TEXT"),
    ("dead_letters", "object", "TEXT"),
    ("dead_letters", "message_id", "TEXT"),
    ("dead_letters", "attributes", "TEXT"),
    ("dead_letters", "sent_ms", "INTEGER NOT NULL DEFAULT 0"),
    ("dead_letters", "receives", "INTEGER NOT NULL DEFAULT 0"),
    ("dead_letters", "first_received_ms", "INTEGER"),
    ("dead_letters", "visible_ms", "INTEGER NOT NULL DEFAULT 0"),
    ("dead_letters", "receipt", "TEXT"),
];

/// Makes messages of older dead letters. Those of a stream held one record, without the payload
/// around it.
const MIGRATE_DEAD_LETTERS: &str = r#"
    UPDATE dead_letters SET
        message_id = lower(hex(randomblob(16))),
        attributes = '{}',
        sent_ms = CAST(strftime('%s', at) AS INTEGER) * 1000,
        payload = CASE WHEN payload LIKE '{"eventID":%'
                       THEN '{"Records":[' || payload || ']}' ELSE payload END
    WHERE object IS NULL AND message_id IS NULL;
    UPDATE dead_letters SET
        bucket = (SELECT bucket FROM objects WHERE key = dead_letters.object)
    WHERE object IS NOT NULL AND bucket IS NULL;
"#;

/// Sets the bucket of objects and uploads from the time when there was only one bucket.
const SET_BUCKET: [&str; 2] = [
    "UPDATE objects SET bucket = ?1 WHERE bucket = ''",
    "UPDATE uploads SET bucket = ?1 WHERE bucket = ''",
];

const INDEXES: &str = "
    DROP INDEX IF EXISTS objects_by_key;
    CREATE INDEX IF NOT EXISTS objects_by_bucket ON objects (bucket, key, number);
    CREATE INDEX IF NOT EXISTS dead_letters_by_object ON dead_letters (object);
    CREATE INDEX IF NOT EXISTS dead_letters_by_receipt ON dead_letters (receipt);
";

/// Creates what is missing. Each step can be repeated: where a process ends between two steps, the
/// next start completes them. `oldest_bucket` is the id of the first bucket.
pub(super) fn prepare(connection: &Connection, oldest_bucket: &str) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    for (table, column, kind) in ADDED_COLUMNS {
        let sql = "SELECT COUNT(*) FROM pragma_table_info(?1) WHERE name = ?2";
        let there: u64 = connection.query_row(sql, [table, column], |row| row.get(0))?;
        if there == 0 {
            connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}"))?;
        }
    }
    for sql in SET_BUCKET {
        connection.execute(sql, [oldest_bucket])?;
    }
    connection.execute_batch(MIGRATE_DEAD_LETTERS)?;
    connection.execute_batch(INDEXES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::Folder;
    use super::*;
    use crate::state::{Page, ReceiveOptions};

    #[tokio::test]
    async fn a_folder_of_earlier_days_is_used_on() {
        let folder = Folder::new();
        let old = Connection::open(folder.path().join("state.sqlite")).unwrap();
        old.execute_batch(TABLES).unwrap();
        old.execute_batch(
            r#"
            INSERT INTO dead_letters (at, consumer, reason, attempts, payload) VALUES
                ('2026-01-02T03:04:05.678Z', 'shelve', 'poison', 10, '{"eventID":"1"}'),
                ('2026-01-02T03:04:05.678Z', 'lend', 'broken', 3, '{"id":"2"}');
            INSERT INTO objects (key, version, marker, size, etag, modified_ms, about)
                VALUES ('k', 'v', 0, 0, 'e', 0, '{}');
            "#,
        )
        .unwrap();
        drop(old);

        drop(folder.state());
        let state = folder.state();
        assert_eq!(state.dead_letters(Page::default()).await.unwrap().len(), 2);
        let options = ReceiveOptions {
            limit: 10,
            hidden_ms: 1,
            now_ms: 1,
        };
        let messages = state.take_messages(options).await.unwrap();
        let bodies: Vec<_> = messages.iter().map(|message| &message.body).collect();
        assert_eq!(
            bodies,
            [r#"{"Records":[{"eventID":"1"}]}"#, r#"{"id":"2"}"#]
        );
        assert_eq!(messages[0].sent_ms, 1_767_323_045_000);
        let found = state
            .version("scans".to_owned(), "k".to_owned(), None)
            .await;
        assert_eq!(found.unwrap().unwrap().id, "v");
    }
}
