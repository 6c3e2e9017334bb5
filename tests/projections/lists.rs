//! Lists over the shards of an index: they are sorted and complete, and have each entry once.

use std::collections::BTreeMap;

use domain::{Json, json::Object};
use lambda::Shards;
use projectors::ports::{Row, Rows, Table};
use proptest::{prelude::*, test_runner::Config};
use serde_json::Value;

use crate::World;

/// The most requests of a list.
const PAGES_MAX: usize = 100;

fn world(shards: u8) -> World {
    let mut world = World::new();
    world.projectors.environment.shards = shards.to_string().parse().unwrap();
    world
}

fn time(second: u8) -> String {
    format!("2024-01-15T10:30:{second:02}.000Z")
}

/// Returns the rows of an order and of a shipment, as they are written with this number of shards.
fn rows(number: usize, second: u8, shards: u8) -> [(Table, Row); 2] {
    let id = format!("A-{number}");
    let shard = shards.to_string().parse::<Shards>().unwrap().of(&id);
    let text = |members: &[(&str, &str)]| -> Row {
        let members = members.iter();
        members
            .map(|(name, value)| ((*name).to_owned(), Json::from(*value)))
            .collect::<Object>()
    };
    let order = text(&[
        ("orderId", &id),
        ("status", "NEW"),
        ("statusShard", &Shards::partition("NEW", shard)),
        ("customerId", "Zoë"),
        ("createdAt", &time(second)),
        ("processedAt", &time(second)),
        (
            "processingDateShard",
            &Shards::partition("2024-01-15", shard),
        ),
    ]);
    let shipment = text(&[
        ("shipmentId", &id),
        ("entry", "CURRENT"),
        ("currentStatus", "LOST"),
        ("currentStatusShard", &Shards::partition("LOST", shard)),
        ("currentTimestamp", &time(second)),
    ]);
    [
        (Table::ProcessedOrders, order),
        (Table::ShipmentLog, shipment),
    ]
}

/// Returns the items of all pages of a list, one page after the other.
async fn whole(world: &World, path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let mut query = query.to_vec();
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let (status, page) = world.ask(path, &query).await;
        assert_eq!(status, 200, "{page}");
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return items,
        }
    }
    panic!("a list without an end");
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future);
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn all_pages_are_the_whole_list_in_order(
        shards in 1_u8..=9,
        // For each row: its second, and the number of shards when it was written, which may have
        // been smaller than today.
        written in proptest::collection::vec((0_u8..6, 1_u8..=9), 0..40),
        limit in 1_usize..=12,
    ) {
        run(async {
            let world = world(shards);
            let mut seconds = BTreeMap::new();
            for (number, (second, under)) in written.into_iter().enumerate() {
                seconds.insert(format!("A-{number}"), time(second));
                for (table, row) in rows(number, second, under.min(shards)) {
                    world.rows.put(table, row).await.unwrap();
                }
            }
            for (path, name, value, id, at) in [
                ("/orders", "status", "NEW", "orderId", "createdAt"),
                ("/orders", "customerId", "Zoë", "orderId", "createdAt"),
                ("/orders", "day", "2024-01-15", "orderId", "processedAt"),
                ("/shipments", "status", "LOST", "shipmentId", "timestamp"),
            ] {
                for sort in ["oldest", "newest"] {
                    let limit = limit.to_string();
                    let query = [(name, value), ("sort", sort), ("limit", &limit)];
                    let items = whole(&world, path, &query).await;
                    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
                    let found: Vec<String> = items.iter().map(|item| text(item, at)).collect();
                    let mut sorted = found.clone();
                    sorted.sort();
                    if sort == "newest" {
                        sorted.reverse();
                    }
                    assert_eq!(found, sorted, "{path} {name} {sort}");
                    let each: BTreeMap<_, _> =
                        items.iter().map(|item| (text(item, id), text(item, at))).collect();
                    assert_eq!(each.len(), items.len(), "one came twice");
                    assert_eq!(each, seconds, "{path} {name} {sort}");
                }
            }
        });
    }
}

#[tokio::test]
async fn a_cursor_is_refused_by_every_other_list() {
    let world = world(3);
    for number in 0..4 {
        for (table, row) in rows(number, 1, 3) {
            world.rows.put(table, row).await.unwrap();
        }
    }
    let first = [("status", "NEW"), ("limit", "1")];
    let (_, page) = world.ask("/orders", &first).await;
    let cursor = page["cursor"].as_str().unwrap();
    let with = |query: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static str)> {
        query.to_vec()
    };
    for (path, query) in [
        ("/orders", with(&[("status", "PROCESSED")])),
        ("/orders", with(&[("status", "NEW"), ("sort", "newest")])),
        ("/orders", with(&[("customerId", "NEW")])),
        ("/orders", with(&[("day", "2024-01-15")])),
        ("/shipments", with(&[("status", "NEW")])),
        ("/shipments", with(&[("orderId", "NEW")])),
        ("/shipments/NEW/log", vec![]),
        ("/orders/NEW/history", vec![]),
    ] {
        let mut query: Vec<(&str, &str)> = query;
        query.push(("cursor", cursor));
        let (status, problem) = world.ask(path, &query).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &"invalid_cursor".into()),
            "{path} {query:?}"
        );
    }
    // Its own list accepts it, also with another limit, until the number of shards grows.
    let query = [("status", "NEW"), ("limit", "3"), ("cursor", cursor)];
    assert_eq!(world.ask("/orders", &query).await.0, 200);
    let mut grown = world;
    grown.projectors.environment.shards = "4".parse().unwrap();
    assert_eq!(grown.ask("/orders", &query).await.0, 400);
}

#[tokio::test]
async fn a_list_shows_nothing_that_only_its_index_wants() {
    let world = world(2);
    for (table, row) in rows(1, 1, 2) {
        world.rows.put(table, row).await.unwrap();
    }
    for (path, query) in [
        ("/orders", ("status", "NEW")),
        ("/shipments", ("status", "LOST")),
    ] {
        let (_, page) = world.ask(path, &[query]).await;
        let text = page.to_string();
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert!(
            !text.contains("Shard") && !text.contains("urrent"),
            "{text}"
        );
        assert!(
            !text.contains("entry") && page["cursor"].is_null(),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_no_list_is_asked_for_is_refused() {
    let world = world(1);
    for (path, query, field) in [
        ("/orders", vec![("status", "NEW"), ("customerId", "c")], ""),
        ("/orders", vec![("status", "new")], "status"),
        ("/orders", vec![("status", "")], "status"),
        ("/orders", vec![("customerId", "")], "customerId"),
        ("/orders", vec![("day", "2024-1-15")], "day"),
        ("/orders", vec![("day", "2024-02-30")], "day"),
        ("/orders", vec![("status", "NEW"), ("sort", "up")], "sort"),
        ("/orders", vec![("status", "NEW"), ("limit", "0")], "limit"),
        (
            "/orders",
            vec![("status", "NEW"), ("limit", "101")],
            "limit",
        ),
        (
            "/orders",
            vec![("status", "NEW"), ("cursor", "x")],
            "cursor",
        ),
        (
            "/orders",
            vec![("status", "NEW"), ("at", "2024-01-15T10:00:00Z")],
            "at",
        ),
        (
            "/orders",
            vec![("status", "NEW"), ("minVersion", "1")],
            "minVersion",
        ),
        ("/shipments", vec![("status", "lost")], "status"),
        ("/shipments", vec![("orderId", "a/b")], "orderId"),
        (
            "/shipments",
            vec![("orderId", "a"), ("sort", "newest")],
            "sort",
        ),
        ("/shipments", vec![("customerId", "a")], ""),
    ] {
        let (status, problem) = world.ask(path, &query).await;
        assert_eq!(status, 400, "{path} {query:?} {problem}");
        assert_eq!(
            problem["field"].as_str().unwrap_or_default(),
            field,
            "{query:?}"
        );
    }
    // Unknown parameters are ignored.
    let query = [("status", "NEW"), ("utm_source", "mail")];
    assert_eq!(world.ask("/orders", &query).await.0, 200);
}
