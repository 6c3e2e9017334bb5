//! The indexes that lists are read from; `infra/tables.json` describes them.
//!
//! # The load on a partition
//!
//! DynamoDB accepts 1,000 write units a second in a partition, and an index follows every change of
//! its table. Adding, changing or removing an entry takes a unit for each KB; moving it to another
//! key takes twice as much. The sums below are for 10 million orders and 50 million updates a day,
//! three times as many at the peak (348 and 1,737 a second), entries of up to 1 KB, log rows of up
//! to 2 KB, and the worst mix: every order is closed at once, every shipment has the same status,
//! and each update has a new time. A test computes these sums from rows.
//!
//! | Partition | Units a second, of all shards | Shards needed |
//! |---|---|---|
//! | processed-orders, one status | 696 (placed and taken out again) | 1 |
//! | processed-orders, one day | 348 | 1 |
//! | processed-orders, one customer | 696, were every order theirs | not spread |
//! | shipment-log, one status of updates | 3,474 | 4 |
//! | shipment-log, one status of shipments now | 3,474 (out of its old time, into its new one) | 4 |
//! | shipment-log, shipments of one status that may stall | 3,474 (as the line above) | 4 |
//! | shipment-log, stalled shipments | 3,474, were every update of a stalled one, and every shipment found anew | 4 |
//! | shipment-log, one order | 1 for each update of its shipments | not spread |
//! | a row of a table | 1 for each KB of one order or shipment | its id spreads it |
//!
//! So 4 shards are enough for this load, and 8 leave a reserve: 435 units a second in the fullest
//! partition. Twice the traffic, or rows of twice the size, need twice the shards.

use domain::json::Object;

use crate::tables::{CURRENT, Row, Table};

/// An index that lists are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Index {
    /// Orders by status, sharded, in the order of `createdAt`.
    OrdersByStatus,
    /// Orders by customer, in the order of `createdAt`.
    OrdersByCustomer,
    /// Orders by the day on which they were completed, sharded, in the order of `processedAt`.
    OrdersByDay,
    /// Shipments by their current status, sharded, in the order of `currentTimestamp`.
    ShipmentsByStatus,
    /// Shipments by order, in the order of `shipmentId`.
    ShipmentsByOrder,
    /// Shipments that may stall, by their current status, and shipments that have stalled, under
    /// [`STALLED`](crate::shipment_log::STALLED): sharded, in the order of `heardAt`. The role
    /// `watch` reads the former, a list shows the latter. The index contains only a few attributes
    /// beside its keys.
    ShipmentsWatched,
}

/// Attributes that rows have only because an index needs them; no HTTP answer shows them.
pub const INDEX_ONLY: [&str; 6] = [
    "statusShard",
    "processingDateShard",
    "currentStatusShard",
    "currentOrderId",
    "watchShard",
    "heardAt",
];

impl Index {
    /// All indexes.
    pub const ALL: [Self; 6] = [
        Self::OrdersByStatus,
        Self::OrdersByCustomer,
        Self::OrdersByDay,
        Self::ShipmentsByStatus,
        Self::ShipmentsByOrder,
        Self::ShipmentsWatched,
    ];

    /// The table that the index belongs to.
    pub fn table(self) -> Table {
        match self {
            Self::OrdersByStatus | Self::OrdersByCustomer | Self::OrdersByDay => {
                Table::ProcessedOrders
            }
            Self::ShipmentsByStatus | Self::ShipmentsByOrder | Self::ShipmentsWatched => {
                Table::ShipmentLog
            }
        }
    }

    /// The index's name in DynamoDB.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrdersByStatus => "StatusShardIndex",
            Self::OrdersByCustomer => "CustomerIndex",
            Self::OrdersByDay => "DayIndex",
            Self::ShipmentsByStatus => "CurrentStatusIndex",
            Self::ShipmentsByOrder => "OrderIndex",
            Self::ShipmentsWatched => "WatchIndex",
        }
    }

    /// The attribute of the index's partition key.
    pub fn partition_key(self) -> &'static str {
        match self {
            Self::OrdersByStatus => "statusShard",
            Self::OrdersByCustomer => "customerId",
            Self::OrdersByDay => "processingDateShard",
            Self::ShipmentsByStatus => "currentStatusShard",
            Self::ShipmentsByOrder => "currentOrderId",
            Self::ShipmentsWatched => "watchShard",
        }
    }

    /// The attribute of the index's sort key, by which the entries of a partition are ordered.
    pub fn sort_key(self) -> &'static str {
        match self {
            Self::OrdersByStatus | Self::OrdersByCustomer => "createdAt",
            Self::OrdersByDay => "processedAt",
            Self::ShipmentsByStatus => "currentTimestamp",
            Self::ShipmentsByOrder => "shipmentId",
            Self::ShipmentsWatched => "heardAt",
        }
    }

    /// The attribute with the id of the entry's order or shipment.
    pub fn id(self) -> &'static str {
        match self.table() {
            Table::ProcessedOrders => "orderId",
            Table::ShipmentLog | Table::Parked => "shipmentId",
        }
    }

    /// All key attributes of the entry of the order or shipment `id`: those of the index and those
    /// of the table. DynamoDB needs them to continue a query after that entry.
    pub fn keys(self, partition: &str, sort: &str, id: &str) -> Row {
        let mut keys = Object::from([
            (self.partition_key().to_owned(), partition.into()),
            (self.sort_key().to_owned(), sort.into()),
            (self.id().to_owned(), id.into()),
        ]);
        if self.table() == Table::ShipmentLog {
            keys.insert("entry".to_owned(), CURRENT.into());
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use lambda::{Shards, names};

    use super::*;

    #[test]
    fn they_are_those_that_the_tables_have() -> Result<(), Box<dyn std::error::Error>> {
        let tables = names::tables()?;
        for index in Index::ALL {
            let table = match index.table() {
                Table::ProcessedOrders => &tables["processedOrders"],
                Table::ShipmentLog | Table::Parked => &tables["shipmentLog"],
            };
            for shards in [Shards::ONE, "8".parse()?] {
                let mut described = table.indexes(shards);
                let found = described.find(|described| described.name == index.name());
                let found = found.ok_or("no such index")?;
                assert_eq!(found.partition_key.name, index.partition_key());
                assert_eq!(found.sort_key.name, index.sort_key());
                let keys = index.keys("p", "s", "i");
                let of_table = [Some(&table.partition_key), table.sort_key.as_ref()];
                for key in of_table.into_iter().flatten() {
                    assert!(keys.contains_key(&key.name), "{index:?}: {}", key.name);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_for_an_index_alone_is_the_key_of_one() -> Result<(), Box<dyn std::error::Error>> {
        let tables = names::tables()?;
        let keys: Vec<&str> = tables
            .values()
            .flat_map(|table| &table.indexes)
            .flat_map(|index| [&index.partition_key, &index.sort_key])
            .map(|key| key.name.as_str())
            .collect();
        for name in INDEX_ONLY {
            assert!(keys.contains(&name), "{name}");
        }
        Ok(())
    }

    #[test]
    fn an_environment_has_the_index_of_updates_that_its_shards_want()
    -> Result<(), Box<dyn std::error::Error>> {
        let log = &names::tables()?["shipmentLog"];
        let of = |shards| -> Vec<&str> {
            log.indexes(shards)
                .map(|index| index.name.as_str())
                .collect()
        };
        let now = ["CurrentStatusIndex", "OrderIndex", "WatchIndex"];
        assert_eq!(of(Shards::ONE), [&["StatusIndex"], &now[..]].concat());
        assert_eq!(of("2".parse()?), [&["StatusShardIndex"], &now[..]].concat());
        Ok(())
    }
}
