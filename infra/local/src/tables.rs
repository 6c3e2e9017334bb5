//! Waybill's tables, as `infra/tables.json` describes them.

use emulator::definition;
use lambda::names::{Index, Key, Table, tables_of};
use lambda::{Names, ReadModels, Shards};

/// Returns the tables of an environment with these read models and shards of indexes. Fails where
/// the description of the tables cannot be read.
pub fn of(
    names: &Names,
    shards: Shards,
    models: &ReadModels,
) -> Result<Vec<definition::Table>, serde_json::Error> {
    let table = |table: &Table| definition::Table {
        name: names.of(&table.suffix),
        partition_key: key(&table.partition_key),
        sort_key: table.sort_key.as_ref().map(key),
        indexes: table.indexes(shards).map(index).collect(),
        stream: table.stream.clone(),
    };
    Ok(tables_of(models)?.iter().map(table).collect())
}

fn key(key: &Key) -> definition::Key {
    definition::Key {
        name: key.name.clone(),
        kind: key.kind.clone(),
    }
}

fn index(index: &Index) -> definition::Index {
    definition::Index {
        name: index.name.clone(),
        partition_key: key(&index.partition_key),
        sort_key: key(&index.sort_key),
        include: index.include.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn table(shards: &str, name: &str) -> definition::Table {
        let (names, models) = (Names::new("dev").unwrap(), ReadModels::default());
        let mut tables = of(&names, shards.parse().unwrap(), &models).unwrap();
        let place = tables.iter().position(|table| table.name == name);
        tables.swap_remove(place.unwrap())
    }

    fn indexes(table: &definition::Table) -> BTreeSet<&str> {
        let names = table.indexes.iter().map(|index| index.name.as_str());
        names.collect()
    }

    #[test]
    fn an_environment_that_grows_has_its_updates_in_the_other_index() {
        for (shards, updates) in [("1", "StatusIndex"), ("4", "StatusShardIndex")] {
            let log = table(shards, "waybill-dev-shipment-log");
            let expected = ["CurrentStatusIndex", "OrderIndex", "WatchIndex", updates];
            assert_eq!(indexes(&log), BTreeSet::from(expected));
            assert_eq!(
                indexes(&table(shards, "waybill-dev-processed-orders")).len(),
                3
            );
            assert!(indexes(&table(shards, "waybill-dev-events")).is_empty());
        }
    }

    #[test]
    fn a_table_is_defined_as_it_is_described() {
        let events = table("1", "waybill-dev-events");
        let described = &lambda::names::tables().unwrap()["events"];
        assert_eq!(events.stream, described.stream);
        assert!(events.stream.is_some());
        assert_eq!(events.partition_key, key(&described.partition_key));
        assert_eq!(events.sort_key.unwrap().kind, "N");
        let orders = table("1", "waybill-dev-processed-orders");
        let described = &lambda::names::tables().unwrap()["processedOrders"];
        for (defined, described) in orders.indexes.iter().zip(&described.indexes) {
            assert_eq!(*defined, index(described));
            assert!(
                defined
                    .include
                    .as_ref()
                    .is_some_and(|shown| shown.len() > 5)
            );
        }
    }
}
