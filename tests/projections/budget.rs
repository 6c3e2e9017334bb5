//! The capacity budget of projecting: the number of requests, and the units that DynamoDB reports.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    types::{Capacity, ReturnConsumedCapacity},
};
use commands::execute::execute;
use domain::{AggregateId, Json, Order, Shipment, order::Intent};
use event_store::{Commit, EventStore, SystemClock, dynamodb::DynamoDbTable};
use lambda::Names;
use projectors::{
    Role,
    ports::{Row, Table},
    row::to_item,
};
use support::{
    embedded::Embedded,
    envelopes::{item, place, placing, to_order, update, update_of},
    stream::batch,
};

use crate::World;

/// A world whose event store is on DynamoDB, which counts requests and units.
struct Counted {
    world: World,
    events: Arc<DynamoDbTable>,
    _embedded: Embedded,
}

impl Counted {
    async fn new() -> Self {
        let embedded = Embedded::start().await;
        let events = embedded.events();
        let mut world = World::new();
        world.projectors.store = EventStore::new(events.clone());
        Self {
            world,
            events,
            _embedded: embedded,
        }
    }

    async fn history(&self, id: &AggregateId) -> Vec<Commit> {
        self.world.projectors.store.whole_history(id).await.unwrap()
    }

    /// Projects a batch. Returns the requests to the event store, the puts of rows, and the read
    /// units.
    async fn project(&self, commits: &[Commit]) -> (u64, u64, u64) {
        let (before, puts) = (self.events.usage(), self.world.rows.puts());
        assert_eq!(
            self.world.deliver(Role::Project, batch(commits)).await,
            None
        );
        let after = self.events.usage();
        // A strongly consistent read is charged in whole units.
        let units = |usage: event_store::dynamodb::Usage| usage.read_units as u64;
        (
            after.requests - before.requests,
            self.world.rows.puts() - puts,
            units(after) - units(before),
        )
    }
}

#[tokio::test]
async fn an_order_is_projected_in_two_requests() {
    let counted = Counted::new().await;
    let store = &counted.world.projectors.store;
    let place = placing("1", "c-1");
    let id = place.aggregate.clone();
    execute::<Order>(store, &SystemClock, place).await.unwrap();
    let complete = to_order("1", "c-2", Intent::Complete);
    execute::<Order>(store, &SystemClock, complete)
        .await
        .unwrap();
    let commits = counted.history(&id).await;
    assert_eq!(counted.project(&commits[..1]).await, (0, 1, 0), "new");
    assert_eq!(counted.project(&commits[1..]).await, (1, 1, 1), "changed");
    assert_eq!(
        counted.project(&commits).await,
        (0, 1, 0),
        "both in one batch"
    );
}

#[tokio::test]
async fn a_shipment_is_projected_in_a_request_for_each_update_and_two_more() {
    let counted = Counted::new().await;
    let store = &counted.world.projectors.store;
    let id = update("S", "c", "x", None).aggregate;
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        execute::<Shipment>(store, &SystemClock, command)
            .await
            .unwrap();
    }
    let commits = counted.history(&id).await;
    assert_eq!(counted.project(&commits[..3]).await, (0, 4, 0), "new");
    let (requests, puts, units) = counted.project(&commits[17..]).await;
    assert_eq!((requests, puts), (1, 4), "later");
    assert!(units <= 3, "{units} read units");
}

// ---- The costs of indexes

/// The write units of a put: those of the table under `""`, and those of each index by name.
type Units = BTreeMap<String, u64>;

/// Puts rows into DynamoDB and counts the units.
struct Meter {
    client: Client,
    names: Names,
    _embedded: Embedded,
}

impl Meter {
    /// Returns the meter of an environment with this number of shards.
    async fn with(shards: &str) -> Self {
        let embedded = Embedded::with(shards.parse().unwrap()).await;
        Self {
            client: embedded.client(),
            names: embedded.names.clone(),
            _embedded: embedded,
        }
    }

    async fn put(&self, table: Table, row: Row) -> Units {
        let name = match table {
            Table::ProcessedOrders => self.names.processed_orders(),
            Table::ShipmentLog | Table::Parked => self.names.shipment_log(),
        };
        let put = self
            .client
            .put_item()
            .table_name(name)
            .set_item(Some(to_item(row)))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes);
        let used = put.send().await.unwrap().consumed_capacity.unwrap();
        // A write is charged in whole units.
        let whole = |capacity: &Capacity| capacity.capacity_units.unwrap() as u64;
        let mut units = Units::from([(String::new(), whole(&used.table.unwrap()))]);
        for (index, capacity) in used.global_secondary_indexes.unwrap_or_default() {
            units.insert(index, whole(&capacity));
        }
        units
    }

    /// Puts rows one after the other, and returns the units of each.
    async fn put_all(&self, table: Table, rows: Vec<Row>) -> Vec<Units> {
        let mut units = Vec::new();
        for row in rows {
            units.push(self.put(table, row).await);
        }
        units
    }
}

fn units(expected: &[(&str, u64)]) -> Units {
    let named = expected.iter();
    named
        .map(|(name, units)| ((*name).to_owned(), *units))
        .collect()
}

const ORDER: &str = "ORD-20240115-000001";

/// Returns the row of a typical order after it was placed, and after it was completed.
async fn order_rows() -> Vec<Row> {
    let world = World::new();
    let mut place = place(ORDER, vec![item("prod1", 2, "29.99")]);
    place.customer_name = Some("Aïcha Müller-Lüdenscheidt".to_owned());
    let mut rows = Vec::new();
    for (id, intent) in [
        ("c-1", Intent::Place(Box::new(place))),
        ("c-2", Intent::Complete),
    ] {
        world.order(to_order(ORDER, id, intent)).await;
        world.deliver(Role::Project, batch(&world.commits())).await;
        rows.extend(world.rows.all(Table::ProcessedOrders));
    }
    rows
}

/// Returns the rows that two updates of typical size and of one status write: each a row of the log
/// and the row `CURRENT`.
async fn shipment_rows() -> Vec<Row> {
    let mut world = World::new();
    world.projectors.environment.shards = "4".parse().unwrap();
    let mut rows = Vec::new();
    for number in [1, 2] {
        let time = format!("2024-01-15T10:0{number}:00Z");
        let mut command = update("SHIP-12345", &format!("c-{number}"), &time, Some(&time));
        let sent = update_of(&mut command);
        sent.carrier = Some("FedEx".to_owned());
        sent.tracking_number = Some("794644790138".to_owned());
        sent.order_id = Some(ORDER.parse().unwrap());
        let said = Json::from("x".repeat(300));
        sent.attributes.insert("remarks".to_owned(), said);
        // No two updates may arrive in the same millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        world.shipment(command).await;
        world.deliver(Role::Project, batch(&world.commits())).await;
        // The last row of the log, and the row `CURRENT` after it.
        rows.extend(
            world
                .rows
                .all(Table::ShipmentLog)
                .into_iter()
                .skip(number - 1),
        );
    }
    rows
}

#[tokio::test]
async fn an_order_takes_a_unit_for_its_row_and_each_entry_and_another_where_one_moves() {
    let meter = Meter::with("4").await;
    let taken = meter
        .put_all(Table::ProcessedOrders, order_rows().await)
        .await;
    let placed = [("", 1), ("CustomerIndex", 1), ("StatusShardIndex", 1)];
    let completed = [
        ("", 1),
        ("CustomerIndex", 1),
        ("DayIndex", 1),
        ("StatusShardIndex", 2),
    ];
    assert_eq!(taken, [units(&placed), units(&completed)]);
}

#[tokio::test]
async fn an_update_takes_its_row_twice_and_moves_two_entries() {
    let meter = Meter::with("4").await;
    let taken = meter
        .put_all(Table::ShipmentLog, shipment_rows().await)
        .await;
    let logged = [("", 2), ("StatusShardIndex", 2)];
    let current = |moving| {
        [
            ("", 1),
            ("CurrentStatusIndex", moving),
            ("OrderIndex", 1),
            ("WatchIndex", moving),
        ]
    };
    let (first, moved) = (current(1), current(2));
    let expected = [logged.as_slice(), &first, &logged, &moved].map(units);
    assert_eq!(taken, expected);
}

/// Computes the table in the documentation of `projectors::indexes` from the units of these rows.
#[tokio::test]
async fn no_partition_takes_more_than_dynamodb_gives_it() {
    const DAY: u64 = 24 * 60 * 60;
    const PEAK: u64 = 3;
    const PARTITION: u64 = 1_000;
    let orders = (10_000_000 * PEAK).div_ceil(DAY);
    let updates = (50_000_000 * PEAK).div_ceil(DAY);
    assert_eq!((orders, updates), (348, 1_737));

    let meter = Meter::with("4").await;
    let orders_taken = order_rows().await;
    let orders_taken = meter.put_all(Table::ProcessedOrders, orders_taken).await;
    let [placed, closed] = &orders_taken[..] else {
        panic!("{orders_taken:?}");
    };
    let updates_taken = shipment_rows().await;
    let updates_taken = meter.put_all(Table::ShipmentLog, updates_taken).await;
    let [_, _, logged, current] = &updates_taken[..] else {
        panic!("{updates_taken:?}");
    };

    // A move from one status to another costs two units, one in each status's partition.
    let leaves = closed["StatusShardIndex"] / 2;
    let sums = [
        (
            "one status",
            orders * (placed["StatusShardIndex"] + leaves),
            696,
            1,
        ),
        ("one day", orders * closed["DayIndex"], 348, 1),
        (
            "one customer",
            orders * (placed["CustomerIndex"] + closed["CustomerIndex"]),
            696,
            1,
        ),
        (
            "one status of updates",
            updates * logged["StatusShardIndex"],
            3_474,
            4,
        ),
        (
            "one status now",
            updates * current["CurrentStatusIndex"],
            3_474,
            4,
        ),
        (
            "one status that may stall",
            updates * current["WatchIndex"],
            3_474,
            4,
        ),
    ];
    for (partition, sum, expected, shards) in sums {
        assert_eq!(sum, expected, "{partition}");
        assert_eq!(sum.div_ceil(PARTITION), shards, "{partition}");
    }
    // With 8 shards there is room to spare.
    assert_eq!(
        sums.map(|(_, sum, _, _)| sum.div_ceil(8)).into_iter().max(),
        Some(435)
    );
}
