//! Creates the tables and their indexes as they are defined.

use std::collections::{BTreeMap, BTreeSet};

use dynoxide::Database;
use serde_json::{Value, json};

use super::DynamoDbError;
use crate::definition::{Index, Key, Table};

/// Creates missing tables. Of existing tables it creates missing indexes from the present items,
/// creates indexes again that contain other attributes than defined, and deletes indexes that are
/// no longer defined.
pub(super) fn create(database: &Database, tables: &[Table]) -> Result<(), DynamoDbError> {
    for table in tables {
        match database.get_table_metadata(&table.name)? {
            None => {
                let request = description(table);
                database.create_table(serde_json::from_value(request)?)?;
            }
            Some(existing) => {
                let existing = projections(existing.gsi_definitions.as_deref())?;
                for update in updates(table, &existing) {
                    let request = json!({
                        "TableName": table.name,
                        "AttributeDefinitions": update.attributes,
                        "GlobalSecondaryIndexUpdates": [update.change],
                    });
                    database.update_table(serde_json::from_value(request)?)?;
                }
            }
        }
    }
    Ok(())
}

/// Returns the request that creates `table`.
fn description(table: &Table) -> Value {
    let indexes = &table.indexes;
    let mut keys = vec![&table.partition_key];
    keys.extend(&table.sort_key);
    for index in indexes {
        keys.extend([&index.partition_key, &index.sort_key]);
    }
    let mut request = json!({
        "TableName": table.name,
        "KeySchema": schema(&table.partition_key, table.sort_key.as_ref()),
        "AttributeDefinitions": attributes(&keys),
        "BillingMode": "PAY_PER_REQUEST",
    });
    if let Some(view) = &table.stream {
        request["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": view });
    }
    if !indexes.is_empty() {
        request["GlobalSecondaryIndexes"] = indexes.iter().map(index).collect();
    }
    request
}

/// One change of the indexes of a table. DynamoDB accepts one change at a time.
struct Update {
    attributes: Vec<Value>,
    change: Value,
}

fn updates(table: &Table, existing: &BTreeMap<String, Projection>) -> Vec<Update> {
    let wanted = &table.indexes;
    let superfluous = existing
        .iter()
        .filter(|(name, shown)| {
            let is_wanted =
                |index: &Index| index.name == **name && Projection::of(index) == **shown;
            !wanted.iter().any(is_wanted)
        })
        .map(|(name, _)| Update {
            attributes: attributes(&[&table.partition_key]),
            change: json!({ "Delete": { "IndexName": name } }),
        });
    let missing = wanted
        .iter()
        .filter(|index| existing.get(&index.name) != Some(&Projection::of(index)))
        .map(|missing| Update {
            attributes: attributes(&[&missing.partition_key, &missing.sort_key]),
            change: json!({ "Create": index(missing) }),
        });
    superfluous.chain(missing).collect()
}

/// Returns an index in the form of the requests that create one.
fn index(index: &Index) -> Value {
    let projection = match &index.include {
        Some(names) => json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names }),
        None => json!({ "ProjectionType": "ALL" }),
    };
    json!({
        "IndexName": index.name,
        "KeySchema": schema(&index.partition_key, Some(&index.sort_key)),
        "Projection": projection,
    })
}

fn schema(partition_key: &Key, sort_key: Option<&Key>) -> Vec<Value> {
    let key = |(kind, key): (&str, &Key)| json!({ "AttributeName": key.name, "KeyType": kind });
    let keys = [
        Some(("HASH", partition_key)),
        sort_key.map(|key| ("RANGE", key)),
    ];
    keys.into_iter().flatten().map(key).collect()
}

/// Returns the definitions of these key attributes, each once.
fn attributes(keys: &[&Key]) -> Vec<Value> {
    let distinct: BTreeSet<(&str, &str)> = keys
        .iter()
        .map(|key| (key.name.as_str(), key.kind.as_str()))
        .collect();
    let define = |(name, kind)| json!({ "AttributeName": name, "AttributeType": kind });
    distinct.into_iter().map(define).collect()
}

/// The attributes that an index contains besides its keys. `None`: all attributes.
#[derive(PartialEq, Eq)]
struct Projection(Option<BTreeSet<String>>);

impl Projection {
    fn of(index: &Index) -> Self {
        let names = index.include.as_ref();
        Self(names.map(|names| names.iter().cloned().collect()))
    }
}

/// Returns the indexes of an existing table and the attributes that they contain.
fn projections(stored: Option<&str>) -> Result<BTreeMap<String, Projection>, serde_json::Error> {
    let stored: Vec<Value> = serde_json::from_str(stored.unwrap_or("[]"))?;
    let read = |index: &Value| {
        let name = index.get("IndexName")?.as_str()?.to_owned();
        let names = index
            .get("Projection")
            .and_then(|of| of.get("NonKeyAttributes"));
        let names = names.and_then(Value::as_array).map(|names| {
            let texts = names.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        });
        Some((name, Projection(names)))
    };
    Ok(stored.iter().filter_map(read).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::toy::{self, BOOKS};
    use crate::state::tests::Folder;

    fn database(folder: &Folder) -> Database {
        Database::new(&folder.path().join("db").to_string_lossy()).unwrap()
    }

    fn indexes(database: &Database) -> BTreeMap<String, Projection> {
        let existing = database.get_table_metadata(BOOKS).unwrap().unwrap();
        projections(existing.gsi_definitions.as_deref()).unwrap()
    }

    /// Returns the items that an index of the books contains in one partition.
    fn found(database: &Database, index: &str, partition: [&str; 2]) -> Vec<Value> {
        let query = json!({
            "TableName": BOOKS,
            "IndexName": index,
            "KeyConditionExpression": "#p = :p",
            "ExpressionAttributeNames": { "#p": partition[0] },
            "ExpressionAttributeValues": { ":p": { "S": partition[1] } },
        });
        let answer = database.query(serde_json::from_value(query).unwrap());
        let answer = serde_json::to_value(answer.unwrap()).unwrap();
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    #[test]
    fn a_table_that_is_there_gets_the_indexes_that_are_defined() {
        let folder = Folder::new();
        let database = database(&folder);
        // A table from the time before there were indexes.
        let bare = Table {
            indexes: Vec::new(),
            ..toy::books()
        };
        create(&database, &[bare]).unwrap();
        assert!(indexes(&database).is_empty());
        let texts = ["isbn", "author", "title", "blurb"].map(|name| (name, name));
        let item: Value = texts
            .into_iter()
            .map(|(name, text)| (name.to_owned(), json!({ "S": text })))
            .collect();
        let put = json!({ "TableName": BOOKS, "Item": item });
        database
            .put_item(serde_json::from_value(put).unwrap())
            .unwrap();

        create(&database, &[toy::books()]).unwrap();
        let existing: Vec<String> = indexes(&database).into_keys().collect();
        assert_eq!(existing, ["AuthorIndex", "ShelfIndex"]);
        // The index contains the item that was there before, with all its attributes.
        let entries = found(&database, "AuthorIndex", ["author", "author"]);
        assert_eq!(entries, [item]);
    }

    #[test]
    fn an_index_that_shows_too_little_is_made_anew() {
        let folder = Folder::new();
        let database = database(&folder);
        let mut before = toy::books();
        for index in &mut before.indexes {
            index.include = Some(vec!["author".to_owned()]);
        }
        create(&database, &[before]).unwrap();
        create(&database, &[toy::books()]).unwrap();
        let (existing, wanted) = (indexes(&database), toy::books().indexes);
        assert_eq!(existing.len(), wanted.len());
        for index in &wanted {
            assert!(
                existing[&index.name] == Projection::of(index),
                "{}",
                index.name
            );
        }
    }

    #[test]
    fn an_index_that_is_defined_no_longer_goes() {
        let folder = Folder::new();
        let database = database(&folder);
        let mut after = toy::books();
        after.indexes.remove(1);
        let yearly = toy::index("YearIndex", "year", "title", None);
        after.indexes.push(yearly);
        for table in [toy::books(), after] {
            let wanted: BTreeSet<String> = table.indexes.iter().map(|it| it.name.clone()).collect();
            // Twice: a correct index is not changed.
            create(&database, std::slice::from_ref(&table)).unwrap();
            create(&database, &[table]).unwrap();
            let existing: BTreeSet<String> = indexes(&database).into_keys().collect();
            assert_eq!(existing, wanted);
        }
    }
}
