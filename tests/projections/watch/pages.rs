//! How much of the index a run of the watcher reads, and that it finds the shipments of all pages
//! and shards.

use std::sync::Arc;

use event_store::Clock as _;
use projectors::{
    aws::DynamoDbRows,
    ports::{Row, Rows as _},
    row::to_item,
};
use support::embedded::Embedded;

use super::{HOUR, Watching};

/// Returns the pages and the entries that one run reads, among `silent` shipments that it must
/// find, `stalled` ones that are marked already, and `others`.
async fn read_with(others: usize, stalled: usize, silent: usize) -> (u64, u64) {
    let mut watching = Watching::new();
    watching.world.projectors.environment.shards = "4".parse().unwrap();
    let began = watching.clock.now();
    for number in 0..stalled {
        let id = format!("old-{number}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-15T11:00:00Z")
            .await;
    }
    watching.pass(100 * HOUR);
    assert_eq!(watching.round().await as usize, stalled);
    assert!(watching.clock.now() > began);
    for number in 0..silent {
        let id = format!("silent-{number}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-19T11:00:00Z")
            .await;
    }
    watching.pass(73 * HOUR);
    for number in 0..others {
        let id = format!("other-{number}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-19T11:00:00Z")
            .await;
    }
    watching.project().await;
    let before = watching.world.rows.listed();
    assert_eq!(watching.run_watcher().await, Ok(silent as u64));
    let after = watching.world.rows.listed();
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_look_reads_the_silent_ones_and_a_page_of_each_status_and_shard() {
    let statuses = 8 * 4;
    let page = u64::from(projectors::limits::WATCH_PAGE);
    // Only one status has shipments here, so a page of each of its four shards is read.
    let (pages, entries) = read_with(500, 0, 0).await;
    assert_eq!((pages, entries), (statuses, 4 * page));
    // More of the others and of those that are marked already cost nothing.
    assert_eq!(read_with(1_500, 300, 0).await, (pages, entries));
    // Shipments to find cost their pages.
    let (pages, entries) = read_with(1_000, 50, 600).await;
    assert!(entries <= 600 + 4 * page, "{entries} entries");
    assert!(pages <= statuses + 600 / page + 4, "{pages} pages");
}

#[tokio::test]
async fn more_silent_ones_than_a_page_are_all_found_oldest_first() {
    let mut watching = Watching::new();
    for number in 0..350 {
        let id = format!("S{number:03}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-15T11:00:00Z")
            .await;
        watching.pass(1);
    }
    watching
        .update("T", "CREATED", "2024-01-15T11:00:00Z")
        .await;
    watching.pass(121 * HOUR);
    watching.project().await;
    assert_eq!(watching.run_watcher().await, Ok(351));
    let asked: Vec<String> = watching.asked().into_iter().map(|said| said.id).collect();
    let of_one_status = asked.iter().filter(|id| id.contains("#S")).cloned();
    assert!(of_one_status.is_sorted());
    // The other status does not wait until all shipments of this one were requested.
    let place = asked.iter().position(|id| id.contains("#T")).unwrap();
    assert!(place <= 100, "{place}");
}

#[tokio::test]
async fn the_index_of_dynamodb_answers_the_same() {
    let embedded = Embedded::with("2".parse().unwrap()).await;
    let mut watching = Watching::new();
    watching.world.projectors.environment.shards = "2".parse().unwrap();
    let rows = Arc::new(DynamoDbRows::new(embedded.client(), &embedded.names));
    watching.world.projectors.rows = rows.clone();
    for number in 0..5 {
        let id = format!("silent-{number}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-15T11:00:00Z")
            .await;
    }
    watching.pass(73 * HOUR);
    for number in 0..150 {
        let id = format!("other-{number}");
        watching
            .update(&id, "IN_TRANSIT", "2024-01-15T11:00:00Z")
            .await;
    }
    watching.project().await;
    assert_eq!(watching.run_watcher().await, Ok(5));
    let asked = watching.asked();
    watching.deliver(&asked).await;
    watching.project().await;
    assert_eq!(
        (watching.run_watcher().await, watching.stalls()),
        (Ok(0), 5)
    );
    // They have left the index of watched shipments, and are still in the list of their status.
    let listed = projectors::indexes::Index::ShipmentsByStatus;
    let mut silent = 0;
    for partition in ["IN_TRANSIT#0", "IN_TRANSIT#1"] {
        let start = projectors::ports::Start::Beginning;
        let up = projectors::ports::Direction::Up;
        let page = rows.list(listed, partition, &start, up, 100).await.unwrap();
        let is = |row: &&Row| row["shipmentId"].to_string().contains("silent");
        silent += page.rows.iter().filter(is).count();
    }
    assert_eq!(silent, 5);
    // A page of watched shipments costs little, because its entries are small.
    let query = embedded
        .client()
        .query()
        .table_name(embedded.names.shipment_log())
        .index_name("WatchIndex")
        .key_condition_expression("watchShard = :p")
        .expression_attribute_values(
            ":p",
            to_item(Row::from([("p".to_owned(), "IN_TRANSIT#0".into())]))["p"].clone(),
        )
        .limit(100)
        .return_consumed_capacity(aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total);
    let units = query.send().await.unwrap().consumed_capacity.unwrap();
    let units = units.capacity_units.unwrap();
    assert!(units <= 2.0, "{units} read units");
}
