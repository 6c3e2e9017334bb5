//! The rebuild of one aggregate's rows: rows are written only where they differ.

use domain::{AggregateId, Json, order::Intent};
use projectors::{
    ports::{Row, Rows as _, Table},
    rebuild::{Rebuilt, aggregate},
};
use support::envelopes::{placing, stall, to_order, update};

use crate::World;

const SHIPMENT: &str = "SHIP-1";

/// Returns a world with an order of two events and a stalled shipment of three updates, whose rows
/// a rebuild has made from nothing, and the ids of both.
async fn rebuilt() -> (World, Vec<AggregateId>) {
    let world = World::new();
    world.order(placing("1", "place")).await;
    world.order(to_order("1", "end", Intent::Complete)).await;
    for number in 0..3 {
        let text = format!("text {number}");
        world.shipment(update(SHIPMENT, &text, &text, None)).await;
    }
    let ids = ["order#1".to_owned(), format!("shipment#{SHIPMENT}")];
    let ids: Vec<AggregateId> = ids.iter().map(|id| id.parse().unwrap()).collect();
    let last_update_at = world.commits().last().unwrap().at;
    world.shipment(stall(SHIPMENT, last_update_at)).await;
    let mut written = 0;
    for id in &ids {
        written += aggregate(&world.projectors, id).await.unwrap().written;
    }
    assert_eq!(written, 1 + 3 + 1);
    (world, ids)
}

fn all(world: &World) -> Vec<String> {
    let tables = [Table::ProcessedOrders, Table::ShipmentLog];
    tables
        .into_iter()
        .flat_map(|table| world.rows(table))
        .collect()
}

async fn again(world: &World, ids: &[AggregateId]) -> Rebuilt {
    let mut sum = Rebuilt::default();
    for id in ids {
        let one = aggregate(&world.projectors, id).await.unwrap();
        sum.written += one.written;
        sum.removed += one.removed;
    }
    sum
}

#[tokio::test]
async fn nothing_is_written_where_nothing_differs() {
    let (world, ids) = rebuilt().await;
    let (rows, puts) = (all(&world), world.rows.puts());
    assert_eq!(again(&world, &ids).await, Rebuilt::default());
    assert_eq!((all(&world), world.rows.puts()), (rows, puts));
}

#[tokio::test]
async fn what_project_writes_is_what_a_rebuild_writes() {
    let (world, ids) = rebuilt().await;
    let rows = all(&world);
    let other = World::new();
    let batch = support::stream::batch(&world.commits());
    assert_eq!(other.deliver(projectors::Role::Project, batch).await, None);
    assert_eq!(all(&other), rows);
    let stalled = |row: &&String| row.contains("stalledSince");
    assert_eq!(rows.iter().filter(stalled).count(), 1);
    assert!(ids.len() == 2 && world.bus.accepted().is_empty());
}

#[tokio::test]
async fn whatever_somebody_did_to_a_row_is_mended() {
    let (world, ids) = rebuilt().await;
    let right = all(&world);
    let rows = &world.rows;
    for table in [Table::ProcessedOrders, Table::ShipmentLog] {
        for row in rows.all(table) {
            let with = |name: &str, value: Json| {
                let mut row = row.clone();
                row.insert(name.to_owned(), value);
                row
            };
            let without_version: Row = row
                .clone()
                .into_iter()
                .filter(|(name, _)| name != "version")
                .collect();
            let changed = [
                with("status", "WRONG".into()),
                with("version", 999_u64.into()),
                with("version", 0_u64.into()),
                without_version,
            ];
            for wrong in changed {
                rows.put(table, wrong).await.unwrap();
                let mended = again(&world, &ids).await;
                assert_eq!((mended.written, mended.removed), (1, 0));
                assert_eq!(all(&world), right);
            }
            rows.remove(table, row).await.unwrap();
            assert_eq!(again(&world, &ids).await.written, 1);
            assert_eq!(all(&world), right);
        }
    }
}

#[tokio::test]
async fn rows_of_nothing_go() {
    let (world, mut ids) = rebuilt().await;
    let right = all(&world);
    let invented = [
        (Table::ProcessedOrders, r#"{"orderId":"never","version":3}"#),
        (
            Table::ShipmentLog,
            r#"{"shipmentId":"SHIP-1","entry":"2024#000009","version":9}"#,
        ),
        (
            Table::ShipmentLog,
            r#"{"shipmentId":"never","entry":"CURRENT"}"#,
        ),
    ];
    for (table, text) in invented {
        let row = Json::parse(text).unwrap().into_object().unwrap();
        world.rows.put(table, row).await.unwrap();
    }
    ids.extend(["order#never", "shipment#never"].map(|id| id.parse().unwrap()));
    let mended = again(&world, &ids).await;
    assert_eq!((mended.written, mended.removed), (0, 3));
    assert_eq!(all(&world), right);
}
