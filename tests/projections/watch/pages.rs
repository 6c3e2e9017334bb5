//! How much of the index a search reads, and that pages and shards hide no shipment.

use std::sync::Arc;

use event_store::Clock as _;
use projectors::{
    aws::DynamoDbRows,
    ports::{Row, Rows as _},
    row::to_item,
};
use support::embedded::Embedded;

use super::{HOUR, Watching};

/// The entries and pages that one look reads, with so many shipments of which nothing is to be said
/// and so many that are stalled already.
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
    assert_eq!(watching.look().await, Ok(silent as u64));
    let after = watching.world.rows.listed();
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_look_reads_the_silent_ones_and_a_page_of_each_status_and_shard() {
    let statuses = 8 * 4;
    let page = u64::from(projectors::limits::WATCH_PAGE);
    // Only one status has shipments here: a page of each of its four shards.
    let (pages, entries) = read_with(500, 0, 0).await;
    assert_eq!((pages, entries), (statuses, 4 * page));
    // Neither more of the others nor those that are stalled already cost anything.
    assert_eq!(read_with(1_500, 300, 0).await, (pages, entries));
    // Silent ones cost their pages.
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
    assert_eq!(watching.look().await, Ok(351));
    let asked: Vec<String> = watching.asked().into_iter().map(|said| said.id).collect();
    let of_one_status = asked.iter().filter(|id| id.contains("#S")).cloned();
    assert!(of_one_status.is_sorted());
    // Of the other status nobody waits until all of this one are told.
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
    assert_eq!(watching.look().await, Ok(5));
    let asked = watching.asked();
    watching.deliver(&asked).await;
    watching.project().await;
    assert_eq!((watching.look().await, watching.stalls()), (Ok(0), 5));
    // They have left the index of the watched, and are still listed by their status.
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
    // A page of the watched, as DynamoDB counts it: entries are small.
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
