//! The costs of a rebuild: the number of requests, and the units that DynamoDB reports.

use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use event_store::{
    EventStore,
    dynamodb::{DynamoDbTable, half_units},
};
use projectors::{
    aws::DynamoDbRows,
    ports::{Row, Table},
};
use support::{
    embedded::Embedded,
    envelopes::{item, place, to_order, update},
};

use super::{
    trap::{Trap, trapped},
    whole::{Done, carry_out, name, plan, rows, unhurried, verify},
};
use crate::World;

/// A world on DynamoDB, large enough that each table has many pages, with counted requests and
/// units.
struct Counted {
    world: World,
    events: Arc<DynamoDbTable>,
    embedded: Embedded,
}

const ORDERS: u64 = 400;
const SHIPMENTS: u64 = 150;
const UPDATES: u64 = 4;

impl Counted {
    async fn new() -> Self {
        let embedded = Embedded::start().await;
        let events = embedded.events();
        let mut world = unhurried();
        world.projectors.store = EventStore::new(events.clone());
        world.projectors.rows = Arc::new(DynamoDbRows::new(embedded.client(), &embedded.names));
        for number in 0..ORDERS {
            let id = format!("ORD-20240115-{number:06}");
            let items = (0..40).map(|line| item(&format!("product-{line}"), line + 1, "12.75"));
            let place = place(&id, items.collect());
            let intent = domain::order::Intent::Place(Box::new(place));
            world.order(to_order(&id, "c-1", intent)).await;
        }
        for number in 0..SHIPMENTS {
            for update_number in 0..UPDATES {
                let id = format!("SHIP-{number}");
                let text = "x".repeat(1_500);
                let time = format!("2024-01-15T10:{update_number:02}:00Z");
                let command = update(&id, &format!("c-{update_number}"), &text, Some(&time));
                world.shipment(command).await;
            }
        }
        Self {
            world,
            events,
            embedded,
        }
    }

    /// Returns the costs of an eventually consistent scan of a table, in halves of a read unit.
    async fn scan(&self, table: String) -> u64 {
        let mut cost = 0;
        let mut start = None;
        loop {
            let scan = self.embedded.client().scan().table_name(&table);
            let scan = scan.return_consumed_capacity(ReturnConsumedCapacity::Total);
            let page = scan.set_exclusive_start_key(start).send().await.unwrap();
            cost += half_units(page.consumed_capacity.as_ref());
            start = page.last_evaluated_key;
            if start.is_none() {
                return cost;
            }
        }
    }

    async fn scans(&self) -> u64 {
        let names = &self.embedded.names;
        let mut cost = 0;
        for table in [
            names.events(),
            names.processed_orders(),
            names.shipment_log(),
        ] {
            cost += self.scan(table).await;
        }
        cost
    }

    /// Returns the read units of the events table so far, in halves.
    fn read(&self) -> u64 {
        // Units are multiples of 0.5, which a float holds exactly.
        #[allow(clippy::float_arithmetic)]
        let halves = self.events.usage().read_units * 2.0;
        halves as u64
    }
}

/// The costs of a rebuild of everything.
struct Cost {
    /// The reported halves of a read unit: all of the events table, and of rows those of the scan.
    half_units: u64,
    trap: Arc<Trap>,
    done: Done,
}

async fn rebuilt(counted: &Counted) -> Cost {
    let before = counted.read();
    let trap = Trap::none();
    let projectors = trapped(&counted.world.projectors, counted.events.clone(), &trap);
    let mut plan = plan(&name("cost"), true);
    plan.segments = 4;
    let done = carry_out(&projectors, &plan).await;
    let events = counted.read() - before;
    Cost {
        half_units: events + done.gathered_of_rows,
        trap,
        done,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_costs_one_pass_and_writes_nothing_where_nothing_differs() {
    let counted = Counted::new().await;
    let filled = rebuilt(&counted).await;
    let all = ORDERS + SHIPMENTS * (UPDATES + 1);
    assert_eq!(filled.done.counted.written, all);
    assert_eq!(filled.trap.called("rows put_rebuilt"), all);
    let right = rows(&counted.world.projectors).await;

    let scans = counted.scans().await;
    let clean = rebuilt(&counted).await;
    assert!(scans > 1_000, "too little to measure by");
    assert!(
        clean.half_units * 10 <= scans * 11,
        "{} of {scans}",
        clean.half_units
    );
    // There was no other request for rows, and none for the events of a single aggregate.
    for call in [
        "query_partition",
        "put",
        "put_newer",
        "put_rebuilt",
        "remove",
        "put_first",
        "get",
    ] {
        assert_eq!(clean.trap.called(&format!("rows {call}")), 0, "{call}");
    }
    assert_eq!(clean.trap.called("events oldest"), 0);
    assert_eq!(clean.done.counted.examined, 0);

    // Each wrong row costs in addition as much as the rebuild of its aggregate.
    let wrong: Vec<(Table, Row)> = right.iter().step_by(50).cloned().collect();
    for (table, row) in &wrong {
        let remove = counted.world.projectors.rows.remove(*table, row.clone());
        remove.await.unwrap();
    }
    let scans = counted.scans().await;
    let mended = rebuilt(&counted).await;
    let number = wrong.len() as u64;
    assert_eq!(mended.done.counted.missing, number);
    assert_eq!(mended.trap.called("rows put_rebuilt"), number);
    assert!(mended.trap.called("rows query_partition") <= number);
    assert!(mended.trap.called("events oldest") <= number);
    let each = 2 * 4;
    assert!(
        mended.half_units * 10 <= (scans + each * number) * 11,
        "{} of {scans}",
        mended.half_units
    );
    assert_eq!(rows(&counted.world.projectors).await, right);
    assert_eq!(verify(&counted.world.projectors).await.counted.wrong(), 0);
}
