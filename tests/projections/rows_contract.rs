//! The contract of rows, held against memory and DynamoDB alike.

use std::sync::Arc;

use domain::{Json, json::Object};
use projectors::{
    aws::DynamoDbRows,
    ports::{Row, RowPage, Rows, Table},
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

contract!(
    a_row_comes_back_with_every_digit,
    a_newer_row_takes_the_place_and_an_older_one_does_not,
    a_rebuilt_row_takes_the_place_of_what_was_seen,
    a_row_is_removed_unless_it_has_changed,
    the_first_row_stays,
    a_log_is_read_in_order_page_by_page,
);

fn row(text: &str) -> Row {
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
    for since in ["first", "second"] {
        rows.put_first(Table::Parked, at(since)).await.unwrap();
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
