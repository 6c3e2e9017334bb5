//! The tables and their indexes, as `infra/tables.json` describes them.

use std::collections::{BTreeMap, BTreeSet};

use dynoxide::Database;
use lambda::names::{Index, Key, Table};
use lambda::{Names, ReadModels, Shards};
use serde_json::{Value, json};

use super::DynamoDbError;

/// Makes the tables that are missing. Of those that are there, adds the indexes that are missing,
/// filled from the rows as they are, makes those anew that show other attributes than they should,
/// and drops those that an environment of so many shards has not.
pub(super) fn create(
    database: &Database,
    names: &Names,
    shards: Shards,
    models: &ReadModels,
) -> Result<(), DynamoDbError> {
    for table in &lambda::names::tables_of(models)? {
        let name = names.of(&table.suffix);
        match database.get_table_metadata(&name)? {
            None => {
                let request = description(&name, table, shards);
                database.create_table(serde_json::from_value(request)?)?;
            }
            Some(there) => {
                let there = shown_by_index(there.gsi_definitions.as_deref())?;
                for update in updates(table, &there, shards) {
                    let request = json!({
                        "TableName": name,
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

/// The request that creates `table`.
fn description(name: &str, table: &Table, shards: Shards) -> Value {
    let indexes: Vec<&Index> = table.indexes(shards).collect();
    let mut keys = vec![&table.partition_key];
    keys.extend(&table.sort_key);
    for index in &indexes {
        keys.extend([&index.partition_key, &index.sort_key]);
    }
    let mut request = json!({
        "TableName": name,
        "KeySchema": schema(&table.partition_key, table.sort_key.as_ref()),
        "AttributeDefinitions": attributes(&keys),
        "BillingMode": "PAY_PER_REQUEST",
    });
    if let Some(view) = &table.stream {
        request["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": view });
    }
    if !indexes.is_empty() {
        request["GlobalSecondaryIndexes"] = indexes.into_iter().map(index).collect();
    }
    request
}

/// One change of a table's indexes; DynamoDB takes one at a time.
struct Update {
    attributes: Vec<Value>,
    change: Value,
}

fn updates(table: &Table, there: &BTreeMap<String, Shown>, shards: Shards) -> Vec<Update> {
    let wanted: Vec<&Index> = table.indexes(shards).collect();
    let superfluous = there
        .iter()
        .filter(|(name, shown)| {
            let is_wanted = |index: &&Index| index.name == **name && Shown::by(index) == **shown;
            !wanted.iter().any(is_wanted)
        })
        .map(|(name, _)| Update {
            attributes: attributes(&[&table.partition_key]),
            change: json!({ "Delete": { "IndexName": name } }),
        });
    let missing = wanted
        .iter()
        .filter(|index| there.get(&index.name) != Some(&Shown::by(index)))
        .map(|missing| Update {
            attributes: attributes(&[&missing.partition_key, &missing.sort_key]),
            change: json!({ "Create": index(missing) }),
        });
    superfluous.chain(missing).collect()
}

/// An index, as the requests that make one name it.
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

/// Their definitions, each once.
fn attributes(keys: &[&Key]) -> Vec<Value> {
    let distinct: BTreeSet<(&str, &str)> = keys
        .iter()
        .map(|key| (key.name.as_str(), key.kind.as_str()))
        .collect();
    let define = |(name, kind)| json!({ "AttributeName": name, "AttributeType": kind });
    distinct.into_iter().map(define).collect()
}

/// The attributes that an index shows beside its keys; `None`: all.
#[derive(PartialEq, Eq)]
struct Shown(Option<BTreeSet<String>>);

impl Shown {
    fn by(index: &Index) -> Self {
        let names = index.include.as_ref();
        Self(names.map(|names| names.iter().cloned().collect()))
    }
}

/// The indexes that a table has and what they show, out of what is stored of them.
fn shown_by_index(stored: Option<&str>) -> Result<BTreeMap<String, Shown>, serde_json::Error> {
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
        Some((name, Shown(names)))
    };
    Ok(stored.iter().filter_map(read).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::tests::Folder;

    fn indexes(database: &Database, table: &str) -> BTreeSet<String> {
        let there = database.get_table_metadata(table).unwrap().unwrap();
        let shown = shown_by_index(there.gsi_definitions.as_deref()).unwrap();
        shown.into_keys().collect()
    }

    /// What an index of the log shows in a partition.
    fn found(database: &Database, index: &str, partition: [&str; 2]) -> Vec<Value> {
        let query = json!({
            "TableName": "waybill-dev-shipment-log",
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
    fn tables_that_are_there_get_the_indexes_of_their_environment() {
        let folder = Folder::new();
        let database = Database::new(&folder.path().join("db").to_string_lossy()).unwrap();
        let names = Names::new("dev").unwrap();
        let log = "waybill-dev-shipment-log";
        // As it was before there were indexes.
        let mut bare = lambda::names::tables().unwrap()["shipmentLog"].clone();
        bare.indexes.clear();
        let request = description(log, &bare, Shards::ONE);
        database
            .create_table(serde_json::from_value(request).unwrap())
            .unwrap();
        let texts = [
            ("shipmentId", "S"),
            ("entry", "E"),
            ("status", "LOST"),
            ("statusShard", "LOST#0"),
            ("timestamp", "T"),
            ("rawEvent", "{}"),
        ];
        let item: Value = texts
            .into_iter()
            .map(|(name, text)| (name.to_owned(), json!({ "S": text })))
            .collect();
        let put = json!({ "TableName": log, "Item": item });
        database
            .put_item(serde_json::from_value(put).unwrap())
            .unwrap();

        create(&database, &names, Shards::ONE, &ReadModels::default()).unwrap();
        let now = ["CurrentStatusIndex", "OrderIndex", "WatchIndex"].map(str::to_owned);
        let mut expected = BTreeSet::from(now.clone());
        expected.insert("StatusIndex".to_owned());
        assert_eq!(indexes(&database, log), expected);
        // With what was there before, and all of it.
        let entries = found(&database, "StatusIndex", ["status", "LOST"]);
        assert_eq!(entries, [item]);
    }

    #[test]
    fn an_index_that_shows_too_little_is_made_anew() {
        let folder = Folder::new();
        let database = Database::new(&folder.path().join("db").to_string_lossy()).unwrap();
        let names = Names::new("dev").unwrap();
        let orders = "waybill-dev-processed-orders";
        // As it was before orders said when they were placed.
        let mut before = lambda::names::tables().unwrap()["processedOrders"].clone();
        for index in &mut before.indexes {
            let include = index.include.as_mut().unwrap();
            include.retain(|name| name != "placedAt");
        }
        let request = description(orders, &before, Shards::ONE);
        database
            .create_table(serde_json::from_value(request).unwrap())
            .unwrap();
        create(&database, &names, Shards::ONE, &ReadModels::default()).unwrap();
        let there = database.get_table_metadata(orders).unwrap().unwrap();
        let there = shown_by_index(there.gsi_definitions.as_deref()).unwrap();
        let wanted = lambda::names::tables().unwrap()["processedOrders"].clone();
        assert_eq!(there.len(), wanted.indexes.len());
        for index in &wanted.indexes {
            assert!(there[&index.name] == Shown::by(index), "{}", index.name);
        }
    }

    #[test]
    fn an_environment_that_grows_has_its_updates_in_the_other_index() {
        let folder = Folder::new();
        let database = Database::new(&folder.path().join("db").to_string_lossy()).unwrap();
        let names = Names::new("dev").unwrap();
        let log = "waybill-dev-shipment-log";
        for shards in [Shards::ONE, "4".parse().unwrap()] {
            // Twice: what is as it should be stays.
            create(&database, &names, shards, &ReadModels::default()).unwrap();
            create(&database, &names, shards, &ReadModels::default()).unwrap();
            let there = indexes(&database, log);
            assert_eq!(there.contains("StatusIndex"), shards == Shards::ONE);
            assert_eq!(there.contains("StatusShardIndex"), shards != Shards::ONE);
            assert_eq!(there.len(), 4);
        }
        assert_eq!(indexes(&database, "waybill-dev-processed-orders").len(), 3);
        assert!(indexes(&database, "waybill-dev-events").is_empty());
    }
}
