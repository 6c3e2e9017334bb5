//! The role `project`: commits become rows, in whichever order they arrive.

use std::{sync::Arc, time::Duration};

use domain::order::Intent;
use event_store::{Commit, EventStore};
use lambda::Invocation;
use projectors::{
    Role,
    ports::{RowError, Table},
};
use support::{
    clock::PausedClock,
    envelopes::{placing, to_order, update},
    faulty::Slow,
    stream::{batch, batch_of_items},
};

use crate::World;

/// Returns a world with three orders, one of them completed, and a shipment with three updates, one
/// of them late.
async fn world() -> World {
    let world = World::new();
    for id in ["1", "2", "3"] {
        world.order(placing(id, "c-1")).await;
    }
    world.order(to_order("1", "c-2", Intent::Complete)).await;
    for (number, time) in [(1, "10:00"), (2, "12:00"), (3, "11:00")] {
        let time = format!("2024-01-15T{time}:00Z");
        world
            .shipment(update("S", &format!("c-{number}"), "x", Some(&time)))
            .await;
    }
    world
}

#[tokio::test]
async fn rows_are_the_fold_of_their_histories() {
    let world = world().await;
    assert_eq!(
        world.deliver(Role::Project, batch(&world.commits())).await,
        None
    );
    let mut expected = Vec::new();
    for id in ["1", "2", "3"] {
        expected.push(world.expected_row(id).await);
    }
    assert_eq!(world.rows(Table::ProcessedOrders), expected);
    let log = world.rows(Table::ShipmentLog);
    assert_eq!(log.len(), 4, "three updates and CURRENT");
    assert!(
        log[3].contains(r#""currentTimestamp":"2024-01-15T12:00:00.000Z""#),
        "{}",
        log[3]
    );
    assert!(log[3].contains(r#""updates":3,"version":3"#), "{}", log[3]);
}

#[tokio::test]
async fn updates_of_one_time_stand_in_the_log_in_the_order_they_came() {
    let world = World::new();
    for number in 1..=12 {
        let text = format!("place {number}");
        let command = update(
            "S",
            &format!("c-{number}"),
            &text,
            Some("2024-01-15T10:00:00Z"),
        );
        world.shipment(command).await;
    }
    world.deliver(Role::Project, batch(&world.commits())).await;
    let log = world.rows(Table::ShipmentLog);
    for (row, number) in log.iter().zip(1..=12) {
        assert!(
            row.contains(&format!("\"location\":\"place {number}\"")),
            "{row}"
        );
    }
    assert!(log[12].contains("\"location\":\"place 12\""), "{}", log[12]);
}

#[tokio::test]
async fn rows_are_the_same_however_the_commits_arrive() {
    let world = world().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    let expected = (
        world.rows(Table::ProcessedOrders),
        world.rows(Table::ShipmentLog),
    );
    let mut orders: Vec<Vec<Vec<Commit>>> = Vec::new();
    let reversed: Vec<Commit> = world.commits().into_iter().rev().collect();
    // In reverse; in reverse and one in each batch; everything twice.
    orders.push(vec![reversed.clone()]);
    orders.push(reversed.iter().map(|commit| vec![commit.clone()]).collect());
    orders.push(vec![
        [world.commits(), reversed.clone()].concat(),
        world.commits(),
    ]);
    for batches in orders {
        let other = World {
            rows: Default::default(),
            ..World::new()
        };
        let mut other = other;
        other.projectors.store = world.projectors.store.clone();
        other.projectors.rows = other.rows.clone();
        for commits in batches {
            assert_eq!(other.deliver(Role::Project, batch(&commits)).await, None);
        }
        assert_eq!(
            (
                other.rows(Table::ProcessedOrders),
                other.rows(Table::ShipmentLog)
            ),
            expected
        );
    }
}

#[tokio::test]
async fn a_row_never_goes_back() {
    let world = world().await;
    let commits = world.commits();
    world.deliver(Role::Project, batch(&commits)).await;
    let rows = world.rows(Table::ProcessedOrders);
    // The first commit of the completed order is delivered again, alone.
    world.deliver(Role::Project, batch(&commits[..1])).await;
    assert_eq!(world.rows(Table::ProcessedOrders), rows);
}

#[tokio::test]
async fn an_unreadable_commit_parks_its_own_aggregate_and_the_others_go_on() {
    let world = world().await;
    let mut items = world.table.all();
    // The second commit of order 1 cannot be read, and order 2 gets an event of an unknown kind.
    let damage = |item: &mut event_store::commit::Item, from: &str, to: &str| {
        let events = item["events"].as_s().unwrap().replace(from, to);
        item.insert(
            "events".to_owned(),
            aws_sdk_dynamodb::types::AttributeValue::S(events),
        );
    };
    damage(&mut items[1], "[", "[{");
    damage(&mut items[2], "OrderPlaced", "OrderTeleported");
    assert_eq!(
        world.deliver(Role::Project, batch_of_items(&items)).await,
        None
    );
    assert_eq!(
        world.parked(),
        [
            "project#order#1 2 unreadable_commit",
            "project#order#2 1 corrupt_history",
        ]
    );
    let rows = world.rows(Table::ProcessedOrders);
    assert_eq!(
        rows.len(),
        2,
        "order 3, and order 1 as far as it can be read"
    );
    assert!(rows[0].contains(r#""status":"PROCESSING""#));
    assert_eq!(world.rows(Table::ShipmentLog).len(), 4);
    // After another delivery they are still parked since the first time.
    let since = || {
        let parked = world.rows.all(Table::Parked).into_iter();
        parked.map(|row| row["since"].clone()).collect::<Vec<_>>()
    };
    let first = since();
    world.deliver(Role::Project, batch_of_items(&items)).await;
    assert_eq!(since(), first);
}

#[tokio::test]
async fn a_refused_row_parks_and_an_unavailable_table_stops_the_batch() {
    let world = world().await;
    let commits = world.commits();
    world
        .rows
        .break_with(Some(RowError::Unavailable("down".to_owned())));
    // The answer names the first record of the batch, so that all of it is delivered again.
    assert_eq!(
        world
            .deliver(Role::Project, batch(&commits))
            .await
            .as_deref(),
        Some("1")
    );
    assert!(world.rows(Table::ProcessedOrders).is_empty() && world.parked().is_empty());
    world
        .rows
        .break_with(Some(RowError::Refused("too large".to_owned())));
    assert_eq!(world.deliver(Role::Project, batch(&commits)).await, None);
    assert_eq!(world.parked().len(), 4, "three orders and the shipment");
    world.rows.break_with(None);
    assert_eq!(world.deliver(Role::Project, batch(&commits)).await, None);
    assert_eq!(world.rows(Table::ProcessedOrders).len(), 3);
}

#[tokio::test]
async fn the_first_record_that_met_an_infrastructure_error_is_named() {
    let world = world().await;
    let commits = world.commits();
    // The batch has not the whole history of order 1, nor of the shipment, so these are loaded from
    // the store, which is unavailable here.
    let late: Vec<Commit> = commits
        .iter()
        .filter(|c| c.sequence > 1 || c.aggregate.to_string() == "order#2")
        .cloned()
        .collect();
    let numbers: Vec<String> = late
        .iter()
        .map(|commit| commit.aggregate.to_string())
        .collect();
    assert_eq!(numbers, ["order#1", "order#2", "shipment#S", "shipment#S"]);
    let empty = World::new();
    let mut elsewhere = world.projectors.clone();
    elsewhere.store = EventStore::new(Arc::new(Unreachable));
    elsewhere.rows = empty.rows.clone();
    let answer = elsewhere
        .handle(Role::Project, batch(&late[1..]), &Invocation::of("request"))
        .await
        .unwrap();
    // Order 2 is in the batch with its whole history; the shipment begins with record 2.
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "2");
    assert_eq!(empty.rows(Table::ProcessedOrders).len(), 1);
}

#[tokio::test]
async fn a_slow_table_ends_no_invocation_and_each_delivery_gets_further() {
    let mut world = World::new();
    for number in 0..100 {
        let id = format!("{number:02}");
        world.order(placing(&id, "c-1")).await;
        world.order(to_order(&id, "c-2", Intent::Complete)).await;
    }
    let mut late = world.commits();
    late.retain(|commit| commit.sequence > 1);
    let clock = Arc::new(PausedClock::default());
    let slow = Slow::new(world.table.clone(), clock.clone(), Duration::from_secs(10));
    world.projectors.store = EventStore::new(Arc::new(slow));
    world.projectors.clock = clock.clone();
    let again = world
        .deliver_within_a_minute(&clock, Role::Project, batch(&late))
        .await;
    // Five rounds of sixteen aggregates at the same time fit into 55 s.
    assert_eq!(again.as_deref(), Some("81"));
    assert_eq!(world.rows(Table::ProcessedOrders).len(), 80);
    let again = world
        .deliver_within_a_minute(&clock, Role::Project, batch(&late[80..]))
        .await;
    assert_eq!(again, None);
    assert_eq!(world.rows(Table::ProcessedOrders).len(), 100);
    assert!(world.parked().is_empty());
}

/// A table that is always unavailable.
struct Unreachable;

#[async_trait::async_trait]
impl event_store::table::CommitTable for Unreachable {
    async fn put_new(
        &self,
        _item: event_store::commit::Item,
    ) -> Result<event_store::table::Put, event_store::table::Unavailable> {
        Err(event_store::table::Unavailable("down".to_owned()))
    }

    async fn newest(
        &self,
        _aggregate: &str,
        _before: Option<u64>,
        _limit: u32,
    ) -> Result<event_store::table::Page, event_store::table::Unavailable> {
        Err(event_store::table::Unavailable("down".to_owned()))
    }

    async fn oldest(
        &self,
        _aggregate: &str,
        _from: u64,
        _limit: u32,
    ) -> Result<event_store::table::Page, event_store::table::Unavailable> {
        Err(event_store::table::Unavailable("down".to_owned()))
    }

    async fn segment(
        &self,
        _segment: u32,
        _segments: u32,
        _after: Option<&event_store::commit::Item>,
    ) -> Result<event_store::table::Page, event_store::table::Unavailable> {
        Err(event_store::table::Unavailable("down".to_owned()))
    }
}
