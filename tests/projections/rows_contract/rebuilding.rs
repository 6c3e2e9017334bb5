//! The part of the contract of rows that rebuilds need.

use std::sync::Arc;

use projectors::{
    aws::DynamoDbRows,
    ports::{Row, Rows, Table},
    row::written_version,
};
use support::{embedded::Embedded, rows::MemoryRows};

use super::row;

contract!(
    a_version_that_no_projection_writes_keeps_no_rebuild_off,
    all_rows_of_a_partition_are_read_page_by_page,
    segments_pass_over_every_row_once,
    a_segment_goes_on_behind_any_key,
);

/// A rebuild replaces and removes rows whatever somebody has made of their version; live projection
/// leaves such rows as they are.
async fn a_version_that_no_projection_writes_keeps_no_rebuild_off(rows: Arc<dyn Rows>) {
    let table = Table::ProcessedOrders;
    let key = || row(r#"{"orderId":"1"}"#);
    let good = row(r#"{"orderId":"1","version":2,"text":"good"}"#);
    for version in ["\"2\"", "true", "null", "[]", "2.5", "1e90", "-3", "0"] {
        let wrong = row(&format!(r#"{{"orderId":"1","version":{version}}}"#));
        rows.put(table, wrong.clone()).await.unwrap();
        let seen = written_version(&wrong);
        rows.put_rebuilt(table, good.clone(), 2, seen.clone())
            .await
            .unwrap();
        let there = rows.get(table, key()).await.unwrap();
        assert_eq!(there, Some(good.clone()), "{version}");
        // Also where the row's aggregate does not exist.
        rows.put(table, wrong.clone()).await.unwrap();
        rows.remove(table, wrong.clone()).await.unwrap();
        assert_eq!(rows.get(table, key()).await, Ok(None), "{version}");
        // A row that was put meanwhile stays.
        rows.put(table, good.clone()).await.unwrap();
        rows.remove(table, wrong.clone()).await.unwrap();
        assert_eq!(
            rows.get(table, key()).await,
            Ok(Some(good.clone())),
            "{version}"
        );
        // Live projection replaces only versions that are lower numbers.
        rows.put(table, wrong.clone()).await.unwrap();
        rows.put_newer(table, good.clone(), 2).await.unwrap();
        let expected = match version {
            "-3" | "0" => good.clone(),
            _ => wrong,
        };
        assert_eq!(
            rows.get(table, key()).await,
            Ok(Some(expected)),
            "{version}"
        );
    }
    // A rebuild that has seen another version.
    let ahead = row(r#"{"orderId":"1","version":2.5}"#);
    rows.put(table, ahead.clone()).await.unwrap();
    rows.put_rebuilt(table, good, 2, Some("2.25".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(rows.get(table, key()).await, Ok(Some(ahead)));
}

/// Puts rows of a few shipments, some with ids of the same beginning, and entries that sort after
/// `CURRENT`. Returns them.
async fn put_log(rows: &Arc<dyn Rows>) -> Vec<Row> {
    let mut all = Vec::new();
    for id in ["S", "S1", "Ä", "a b", "#", "order#1"] {
        for entry in ["0", "2024-01#000001", "CURRENT", "CURRENT ", "~", "é", "😀"] {
            let row = Table::ShipmentLog.key(id, entry);
            rows.put(Table::ShipmentLog, row.clone()).await.unwrap();
            all.push(row);
        }
    }
    all.sort_by_key(|row| Table::ShipmentLog.key_of(row));
    all
}

async fn all_rows_of_a_partition_are_read_page_by_page(rows: Arc<dyn Rows>) {
    let all = put_log(&rows).await;
    let table = Table::ShipmentLog;
    for id in ["S", "S1", "Ä", "a b", "nobody"] {
        let of = |row: &&Row| table.key_of(row)[0] == id;
        let expected: Vec<Row> = all.iter().filter(of).cloned().collect();
        for limit in [1, 3, 7, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            for _ in 0..20 {
                let page = rows
                    .query_partition(table, id, after.as_deref(), limit)
                    .await;
                let page = page.unwrap();
                assert!(page.rows.len() <= limit as usize);
                after = page.rows.last().map(|row| table.key_of(row)[1].clone());
                found.extend(page.rows);
                if !page.more {
                    break;
                }
            }
            assert_eq!(found, expected, "{id}, {limit} at a time");
        }
    }
    // An order has one row, and the rows next to it are of other orders.
    let table = Table::ProcessedOrders;
    for id in ["1", "10", "11"] {
        rows.put(table, table.key(id, "")).await.unwrap();
    }
    let page = rows.query_partition(table, "1", None, 100).await.unwrap();
    assert_eq!((page.rows, page.more), (vec![table.key("1", "")], false));
}

/// Returns all rows of a table, read in this number of segments.
async fn scanned(rows: &Arc<dyn Rows>, table: Table, segments: u32) -> Vec<Row> {
    let mut all = Vec::new();
    for segment in 0..segments {
        let mut after = None;
        loop {
            let page = rows.segment(table, segment, segments, after).await.unwrap();
            assert!(page.rows.is_empty() || page.half_units > 0);
            all.extend(page.rows);
            after = page.last;
            if after.is_none() {
                break;
            }
        }
    }
    all
}

async fn segments_pass_over_every_row_once(rows: Arc<dyn Rows>) {
    let all = put_log(&rows).await;
    rows.put(Table::Parked, Table::Parked.key("notify#order#1", ""))
        .await
        .unwrap();
    for segments in [1, 2, 5] {
        let mut found = scanned(&rows, Table::ShipmentLog, segments).await;
        // The rows of one partition follow each other, ordered by their sort keys.
        let keys: Vec<[String; 2]> = found
            .iter()
            .map(|row| Table::ShipmentLog.key_of(row))
            .collect();
        let runs = keys.chunk_by(|one, next| one[0] == next[0]);
        assert_eq!(runs.clone().count(), 6, "{segments} segments");
        assert!(runs.into_iter().all(|run| run.is_sorted()));
        found.sort_by_key(|row| Table::ShipmentLog.key_of(row));
        assert_eq!(found, all, "{segments} segments");
        assert_eq!(scanned(&rows, Table::ProcessedOrders, segments).await, []);
        assert_eq!(scanned(&rows, Table::Parked, segments).await.len(), 1);
    }
}

async fn a_segment_goes_on_behind_any_key(rows: Arc<dyn Rows>) {
    put_log(&rows).await;
    let table = Table::ShipmentLog;
    let all = scanned(&rows, table, 1).await;
    for (place, row) in all.iter().enumerate() {
        // A scan can continue behind the key of a row that was removed meanwhile.
        rows.remove(table, row.clone()).await.unwrap();
        let (mut rest, mut after) = (Vec::new(), Some(row.clone()));
        while let Some(behind) = after {
            let page = rows.segment(table, 0, 1, Some(behind)).await.unwrap();
            rest.extend(page.rows);
            after = page.last;
        }
        assert_eq!(rest, all[place + 1..], "behind {row:?}");
        rows.put(table, row.clone()).await.unwrap();
    }
}
