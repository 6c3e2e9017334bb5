//! `DescribeTable`, answered without the embedded server.
//!
//! For each answer the embedded server counts all items and reads every entry of every index: this
//! takes seconds with a hundred thousand items, and no other request is served meanwhile. Here the
//! items and bytes of the table are counted with an index on a connection of its own; the sizes of
//! its indexes are left out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::Database;
use dynoxide::storage::TableMetadata;
use dynoxide::streams::stream_arn;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{DynamoDbError, tables};
use crate::definition::Table;
use crate::limits::SQLITE_BUSY;

/// Describes the tables of the definition. Clones share the data.
#[derive(Clone)]
pub struct TableDescriptions {
    connection: Arc<Mutex<Connection>>,
    /// The descriptions by the name of the table, without the counts.
    tables: Arc<BTreeMap<String, Value>>,
}

impl TableDescriptions {
    /// Opens the descriptions of these tables, which exist in `database`; its file is at `path`.
    pub(super) fn open(
        path: &Path,
        database: &Database,
        tables: &[Table],
    ) -> Result<Self, DynamoDbError> {
        index_sizes(path, tables)?;
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(SQLITE_BUSY)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            tables: Arc::new(described(database, tables)?),
        })
    }

    /// Returns the description of a table with its number of items and bytes; `None` where the
    /// table is not defined.
    pub async fn of(&self, table: &str) -> Result<Option<Value>, rusqlite::Error> {
        let Some(mut answer) = self.tables.get(table).cloned() else {
            return Ok(None);
        };
        let connection = Arc::clone(&self.connection);
        let sql = size_of(table);
        let count = move || -> rusqlite::Result<(i64, i64)> {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        // The task fails only while the runtime is shutting down.
        let counted = tokio::task::spawn_blocking(count).await;
        let (items, bytes) = counted.unwrap_or(Err(rusqlite::Error::InvalidQuery))?;
        answer["Table"]["ItemCount"] = json!(items);
        answer["Table"]["TableSizeBytes"] = json!(bytes);
        Ok(Some(answer))
    }
}

/// Creates an index on the sizes of items, without which the sum would read every item.
fn index_sizes(path: &Path, tables: &[Table]) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(SQLITE_BUSY)?;
    for table in tables {
        let (index, table) = (
            quoted(&format!("emulator_sizes_{}", table.name)),
            quoted(&table.name),
        );
        let sql = format!("CREATE INDEX IF NOT EXISTS {index} ON {table} (item_size)");
        connection.execute_batch(&sql)?;
    }
    Ok(())
}

fn size_of(table: &str) -> String {
    let table = quoted(table);
    format!("SELECT COUNT(*), COALESCE(SUM(item_size), 0) FROM {table}")
}

/// Quotes a name for SQLite.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the embedded server's description of empty tables with the same definition, with the ids
/// and times of the real tables.
fn described(
    database: &Database,
    defined: &[Table],
) -> Result<BTreeMap<String, Value>, DynamoDbError> {
    let empty = Database::memory()?;
    tables::create(&empty, defined)?;
    let mut answers = BTreeMap::new();
    for table in defined {
        let named = json!({ "TableName": table.name });
        let answer = empty.describe_table(serde_json::from_value(named)?)?;
        let mut answer = serde_json::to_value(answer)?;
        if let Some(existing) = database.get_table_metadata(&table.name)? {
            copy_identity(&mut answer["Table"], &existing);
        }
        answers.insert(table.name.clone(), answer);
    }
    Ok(answers)
}

fn copy_identity(table: &mut Value, existing: &TableMetadata) {
    table["CreationDateTime"] = json!(existing.created_at as f64);
    if let Some(id) = &existing.table_id {
        table["TableId"] = json!(id);
    }
    if let Some(label) = existing
        .stream_label
        .as_ref()
        .filter(|_| existing.stream_enabled)
    {
        table["LatestStreamLabel"] = json!(label);
        table["LatestStreamArn"] = json!(stream_arn(&existing.table_name, label));
    }
    let indexes = table["GlobalSecondaryIndexes"].as_array_mut();
    for index in indexes
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        index.remove("ItemCount");
        index.remove("IndexSizeBytes");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::toy::{self, BOOKS};
    use crate::state::tests::Folder;

    fn put(database: &Database, isbn: &str) {
        let item = json!({ "isbn": { "S": isbn }, "author": { "S": "a" }, "title": { "S": "t" } });
        let put = json!({ "TableName": BOOKS, "Item": item });
        let put = serde_json::from_value(put).unwrap();
        database.put_item(put).unwrap();
    }

    #[tokio::test]
    async fn a_table_is_described_as_by_the_server_but_for_the_sizes_of_its_indexes() {
        let folder = Folder::new();
        let path = folder.path().join("dynamodb.sqlite");
        let database = Database::new(&path.to_string_lossy()).unwrap();
        let defined = [toy::books()];
        tables::create(&database, &defined).unwrap();
        put(&database, "1");
        let descriptions = TableDescriptions::open(&path, &database, &defined).unwrap();
        put(&database, "22");
        let named = serde_json::from_value(json!({ "TableName": BOOKS })).unwrap();
        let mut expected = serde_json::to_value(database.describe_table(named).unwrap()).unwrap();
        assert_eq!(expected["Table"]["ItemCount"], 2);
        let indexes = expected["Table"]["GlobalSecondaryIndexes"].as_array_mut();
        for index in indexes.unwrap() {
            index
                .as_object_mut()
                .unwrap()
                .retain(|name, _| !matches!(name.as_str(), "ItemCount" | "IndexSizeBytes"));
        }
        assert_eq!(descriptions.of(BOOKS).await.unwrap(), Some(expected));
        assert_eq!(descriptions.of("other").await.unwrap(), None);
    }

    #[test]
    fn a_size_is_summed_without_reading_the_items() {
        let folder = Folder::new();
        let path = folder.path().join("dynamodb.sqlite");
        let database = Database::new(&path.to_string_lossy()).unwrap();
        tables::create(&database, &[toy::books()]).unwrap();
        index_sizes(&path, &[toy::books()]).unwrap();
        let connection = Connection::open(&path).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {}", size_of(BOOKS));
        let plan: String = connection
            .query_row(&sql, [], |row| row.get("detail"))
            .unwrap();
        assert!(plan.contains("COVERING INDEX emulator_sizes_"), "{plan}");
    }
}
