//! The contract of rows. Each test of it runs over both implementations, in memory and on DynamoDB.

use std::sync::Arc;

use domain::{Json, Number, json::Object};
use projectors::{
    aws::DynamoDbRows,
    indexes::Index,
    ports::{Direction, Row, RowPage, Rows, Start, Table},
};
use support::{embedded::Embedded, rows::MemoryRows};

macro_rules! contract {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $promise() { super::$promise(std::sync::Arc::new(super::MemoryRows::default())).await })*
        }
        mod on_dynamodb {
            $(#[tokio::test]
            async fn $promise() {
                let embedded = super::Embedded::start().await;
                let rows = super::DynamoDbRows::new(embedded.client(), &embedded.names);
                super::$promise(std::sync::Arc::new(rows)).await;
            })*
        }
    };
}

mod rebuilding;

contract!(
    a_row_comes_back_with_every_digit,
    a_newer_row_takes_the_place_and_an_older_one_does_not,
    a_rebuilt_row_takes_the_place_of_what_was_seen,
    a_row_is_removed_unless_it_has_changed,
    the_first_row_stays,
    a_log_is_read_in_order_page_by_page,
    an_index_shows_some_attributes_of_some_rows,
    an_index_is_read_from_any_place_in_both_directions,
    an_order_s_shipments_are_read_from_their_current_rows,
);

pub fn row(text: &str) -> Row {
    Json::parse(text).unwrap().into_object().unwrap()
}

async fn a_row_comes_back_with_every_digit(rows: Arc<dyn Rows>) {
    let sent = row(
        r#"{"orderId":"1","totalAmount":12345678901234567890.123456789012345678,
        "items":[{"price":2.55,"name":"Zoë","gift":true,"none":null}],"attributes":{}}"#,
    );
    rows.put(Table::ProcessedOrders, sent.clone())
        .await
        .unwrap();
    let key = row(r#"{"orderId":"1"}"#);
    assert_eq!(rows.get(Table::ProcessedOrders, key).await, Ok(Some(sent)));
    let key = row(r#"{"orderId":"2"}"#);
    assert_eq!(rows.get(Table::ProcessedOrders, key).await, Ok(None));
}

async fn a_newer_row_takes_the_place_and_an_older_one_does_not(rows: Arc<dyn Rows>) {
    let at = |version: u64, text: &str| {
        row(&format!(
            r#"{{"orderId":"1","version":{version},"text":"{text}"}}"#
        ))
    };
    let key = || row(r#"{"orderId":"1"}"#);
    let mut expected = at(2, "first");
    for (version, text, wins) in [
        (2, "first", true),
        (1, "older", false),
        (2, "equal", false),
        (10, "newer", true),
    ] {
        rows.put_newer(Table::ProcessedOrders, at(version, text), version)
            .await
            .unwrap();
        if wins {
            expected = at(version, text);
        }
        let there = rows.get(Table::ProcessedOrders, key()).await;
        assert_eq!(there, Ok(Some(expected.clone())), "{text}");
    }
}

async fn a_rebuilt_row_takes_the_place_of_what_was_seen(rows: Arc<dyn Rows>) {
    let at = |version: u64, text: &str| {
        row(&format!(
            r#"{{"orderId":"1","version":{version},"text":"{text}"}}"#
        ))
    };
    let key = || row(r#"{"orderId":"1"}"#);
    let mut expected = at(3, "first");
    for (version, seen, text, wins) in [
        (3, 3, "first", true),
        (3, 3, "equal", true),
        (2, 2, "older", false),
        (9, 3, "ahead", true),
        (2, 8, "older than what was not seen", false),
        (2, 9, "in place of what was seen", true),
    ] {
        let seen = Some(Number::from(seen));
        rows.put_rebuilt(Table::ProcessedOrders, at(version, text), version, seen)
            .await
            .unwrap();
        if wins {
            expected = at(version, text);
        }
        let there = rows.get(Table::ProcessedOrders, key()).await;
        assert_eq!(there, Ok(Some(expected.clone())), "{text}");
    }
}

async fn a_row_is_removed_unless_it_has_changed(rows: Arc<dyn Rows>) {
    let at = |entry: &str, version: &str| {
        row(&format!(
            r#"{{"shipmentId":"S","entry":"{entry}","orderId":"1"{version}}}"#
        ))
    };
    let key = |entry: &str| row(&format!(r#"{{"shipmentId":"S","entry":"{entry}"}}"#));
    for (entry, there, seen, goes) in [
        ("a", r#","version":2"#, r#","version":2"#, true),
        ("b", r#","version":3"#, r#","version":2"#, false),
        ("c", "", "", true),
        ("d", r#","version":1"#, "", false),
    ] {
        rows.put(Table::ShipmentLog, at(entry, there))
            .await
            .unwrap();
        rows.remove(Table::ShipmentLog, at(entry, seen))
            .await
            .unwrap();
        let left = rows.get(Table::ShipmentLog, key(entry)).await.unwrap();
        assert_eq!(left.is_none(), goes, "{entry}");
    }
}

async fn the_first_row_stays(rows: Arc<dyn Rows>) {
    let at = |since: &str| row(&format!(r#"{{"id":"notify#order#1","since":"{since}"}}"#));
    for (since, there) in [("first", None), ("second", Some(at("first")))] {
        let found = rows.put_first(Table::Parked, at(since)).await;
        assert_eq!(found, Ok(there));
    }
    let key = row(r#"{"id":"notify#order#1"}"#);
    assert_eq!(rows.get(Table::Parked, key).await, Ok(Some(at("first"))));
}

async fn a_log_is_read_in_order_page_by_page(rows: Arc<dyn Rows>) {
    let at = |id: &str, entry: &str| {
        Object::from([
            ("shipmentId".to_owned(), id.into()),
            ("entry".to_owned(), entry.into()),
        ])
    };
    for entry in [
        "2024-02#000002",
        "2024-01#000010",
        "CURRENT",
        "2024-01#000009",
    ] {
        rows.put(Table::ShipmentLog, at("S", entry)).await.unwrap();
    }
    rows.put(Table::ShipmentLog, at("S1", "2024-01#000001"))
        .await
        .unwrap();
    let entries = |page: &RowPage| -> Vec<String> {
        page.rows
            .iter()
            .map(|row| row["entry"].to_string().replace('"', ""))
            .collect()
    };
    let first = rows.log("S", None, 2).await.unwrap();
    assert_eq!(entries(&first), ["2024-01#000009", "2024-01#000010"]);
    assert!(first.more);
    let rest = rows.log("S", Some("2024-01#000010"), 2).await.unwrap();
    assert_eq!(
        (entries(&rest), rest.more),
        (vec!["2024-02#000002".to_owned()], false)
    );
}

const OPEN: &str = "NEW#0";

async fn put_order(rows: &Arc<dyn Rows>, id: &str, partition: &str, created_at: &str) {
    let row = row(&format!(
        r#"{{"orderId":"{id}","statusShard":"{partition}","createdAt":"{created_at}","version":1,
        "status":"NEW","items":[{{"price":1}}],"attributes":{{"gift":true}}}}"#
    ));
    rows.put(Table::ProcessedOrders, row).await.unwrap();
}

/// Returns the ids of a page, and whether more follow.
async fn ids(
    rows: &Arc<dyn Rows>,
    (index, partition): (Index, &str),
    start: Start,
    direction: Direction,
    limit: u32,
) -> (String, bool) {
    let page = rows.list(index, partition, &start, direction, limit).await;
    let page = page.unwrap();
    let ids = page.rows.iter().map(|row| row[index.id()].to_string());
    (ids.collect::<String>().replace('"', ""), page.more)
}

async fn an_index_shows_some_attributes_of_some_rows(rows: Arc<dyn Rows>) {
    put_order(&rows, "a", OPEN, "2024-01").await;
    put_order(&rows, "b", "NEW#1", "2024-01").await;
    let unsorted = row(r#"{"orderId":"c","statusShard":"NEW#0"}"#);
    rows.put(Table::ProcessedOrders, unsorted).await.unwrap();
    let (by_status, up) = (Index::OrdersByStatus, Direction::Up);
    let page = rows.list(by_status, OPEN, &Start::Beginning, up, 9).await;
    let shown = row(
        r#"{"orderId":"a","statusShard":"NEW#0","createdAt":"2024-01","version":1,"status":"NEW"}"#,
    );
    assert_eq!(page.unwrap().rows, [shown]);
    // A row that has lost the index's key leaves the index; one with another key moves within it.
    put_order(&rows, "a", "PROCESSED#0", "2024-01").await;
    for (partition, there) in [(OPEN, ""), ("PROCESSED#0", "a"), ("nobody's", "")] {
        let found = ids(&rows, (by_status, partition), Start::Beginning, up, 9).await;
        assert_eq!(found, (there.to_owned(), false), "{partition}");
    }
}

async fn an_index_is_read_from_any_place_in_both_directions(rows: Arc<dyn Rows>) {
    for (id, created_at) in [("b", "2"), ("a", "2"), ("c", "2"), ("z", "1"), ("y", "3")] {
        put_order(&rows, id, OPEN, created_at).await;
    }
    let at = |text: &str| Start::At(text.to_owned());
    let behind = |text: &str| Start::Behind(text.to_owned());
    let after = |sort: &str, id: &str| Start::After {
        sort: sort.to_owned(),
        id: id.to_owned(),
    };
    // The index itself decides the order of entries of one time, so the middle is read first.
    let of = (Index::OrdersByStatus, OPEN);
    let (all, _) = ids(&rows, of, Start::Beginning, Direction::Up, 9).await;
    let second = &all[2..3];
    let reversed: String = all.chars().rev().collect();
    assert_eq!((&all[..1], &all[4..]), ("z", "y"));
    for (start, direction, expected) in [
        (at("2"), Direction::Up, &all[1..]),
        (at("1.5"), Direction::Up, &all[1..]),
        (behind("2"), Direction::Up, "y"),
        (behind("3"), Direction::Up, ""),
        (after("2", second), Direction::Up, &all[3..]),
        (Start::Beginning, Direction::Down, &reversed),
        (at("2"), Direction::Down, &reversed[1..]),
        (behind("2"), Direction::Down, "z"),
        (after("2", second), Direction::Down, &reversed[3..]),
    ] {
        let found = ids(&rows, of, start.clone(), direction, 9).await;
        assert_eq!(found.0, expected, "{start:?} {direction:?}");
        assert!(!found.1);
    }
    let first = ids(&rows, of, Start::Beginning, Direction::Up, 2).await;
    assert_eq!(first, (all[..2].to_owned(), true));
    // A page can continue behind an entry that was removed.
    put_order(&rows, second, "PROCESSED#0", "2").await;
    let rest = ids(&rows, of, after("2", second), Direction::Up, 9).await;
    assert_eq!(rest.0, &all[3..]);
}

async fn an_order_s_shipments_are_read_from_their_current_rows(rows: Arc<dyn Rows>) {
    for (id, entry) in [
        ("S2", "CURRENT"),
        ("S1", "CURRENT"),
        ("S3", "CURRENT"),
        ("S1", "2024"),
    ] {
        let order = match entry {
            "CURRENT" => r#""currentOrderId":"1","currentStatus":"LOST""#,
            _ => r#""orderId":"1","status":"LOST""#,
        };
        let row = row(&format!(
            r#"{{"shipmentId":"{id}","entry":"{entry}",{order}}}"#
        ));
        rows.put(Table::ShipmentLog, row).await.unwrap();
    }
    let of = (Index::ShipmentsByOrder, "1");
    let (up, down) = (Direction::Up, Direction::Down);
    let after = |id: &str| Start::After {
        sort: id.to_owned(),
        id: id.to_owned(),
    };
    let all = ids(&rows, of, Start::Beginning, up, 9).await;
    assert_eq!(all, ("S1S2S3".to_owned(), false));
    assert_eq!(ids(&rows, of, after("S1"), up, 9).await.0, "S2S3");
    assert_eq!(ids(&rows, of, after("S2"), down, 9).await.0, "S1");
}
