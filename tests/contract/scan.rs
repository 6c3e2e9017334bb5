//! The contract of a scan of the event store: it returns every aggregate with its whole history,
//! from the beginning of a segment or from where another scan has stopped.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use event_store::{
    Commit, EventStore, StoreError,
    scan::{AggregateHistory, ScanError, ScanPosition},
};
use support::{
    envelopes::{placing, update},
    faulty::FailsOnce,
};

use crate::{
    World,
    event_store_contract::{next, order, send},
};

contract!(
    a_scan_yields_every_aggregate_whole,
    a_scan_goes_on_behind_any_aggregate,
    a_scan_loses_nothing_to_a_table_that_is_unavailable,
    a_scan_passes_over_what_it_cannot_read,
);

async fn a_scan_yields_every_aggregate_whole(world: World) {
    let text = "x".repeat(30_000);
    for number in 0..25 {
        order(&world, placing(&number.to_string(), "c-1"))
            .await
            .unwrap();
        // Histories that cross pages.
        for update_number in 0..number % 7 {
            let id = format!("S{number}");
            let command_id = format!("c-{update_number}");
            send(&world, update(&id, &command_id, &text, None))
                .await
                .unwrap();
        }
    }
    for segments in [1, 4] {
        let mut seen = Vec::new();
        for segment in 0..segments {
            let mut scan = world.store.scan(segment, segments, None);
            while let Some(whole) = scan.next().await {
                let whole = whole.unwrap();
                let stored = world.store.whole_history(&whole.id).await.unwrap();
                let sequences = |history: &[Commit]| -> Vec<u64> {
                    history.iter().map(|commit| commit.sequence).collect()
                };
                assert_eq!(sequences(&whole.history), sequences(&stored));
                seen.push(whole.id);
            }
        }
        let different: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(
            (seen.len(), different.len()),
            (46, 46),
            "{segments} segments"
        );
    }
}

/// Stores orders, and shipments of which some cross pages.
async fn many_aggregates(world: &World) {
    let text = "x".repeat(60_000);
    for number in 0..12 {
        order(world, placing(&number.to_string(), "c-1"))
            .await
            .unwrap();
        for update_number in 0..number % 6 {
            let id = format!("S{number}");
            let command_id = format!("c-{update_number}");
            send(world, update(&id, &command_id, &text, None))
                .await
                .unwrap();
        }
    }
}

/// An aggregate that a scan has returned, and the number of its commits.
type Seen = (String, usize);

fn seen(whole: &AggregateHistory) -> Seen {
    (whole.id.to_string(), whole.history.len())
}

/// Returns the aggregates of a segment that follow `behind`. `place` is the segment's number and
/// the number of segments.
async fn rest(world: &World, place: (u32, u32), behind: Option<ScanPosition>) -> Vec<Seen> {
    let mut scan = world.store.scan(place.0, place.1, behind);
    let mut rest = Vec::new();
    while let Some(whole) = scan.next().await {
        rest.push(seen(&whole.unwrap()));
    }
    rest
}

async fn a_scan_goes_on_behind_any_aggregate(world: World) {
    many_aggregates(&world).await;
    for segments in [1, 3] {
        for segment in 0..segments {
            let place = (segment, segments);
            let all = rest(&world, place, None).await;
            let mut scan = world.store.scan(segment, segments, None);
            assert_eq!(scan.behind(), None);
            for number in 1..=all.len() {
                let last = scan.next().await.unwrap().unwrap();
                let behind = scan.behind().cloned().unwrap();
                let sequence = last.history.last().unwrap().sequence;
                let expected = (last.id.to_string(), sequence);
                assert_eq!((behind.aggregate.clone(), behind.sequence), expected);
                let found = rest(&world, place, Some(behind)).await;
                assert_eq!(found, all[number..], "behind aggregate {number}");
            }
            assert!(scan.next().await.is_none());
            let end = scan.behind().cloned();
            assert_eq!(rest(&world, place, end).await, []);
        }
    }
}

async fn a_scan_loses_nothing_to_a_table_that_is_unavailable(world: World) {
    many_aggregates(&world).await;
    let all = rest(&world, (0, 1), None).await;
    // Pages have three items, so that most histories cross them.
    let mut calls = 0;
    for at in 1.. {
        let flaky = Arc::new(FailsOnce::new(world.table.clone(), at, 3));
        let store = EventStore::new(flaky.clone());
        let mut scan = store.scan(0, 1, None);
        let (mut found, mut failures) = (Vec::new(), 0);
        let mut behind = None;
        while let Some(next) = scan.next().await {
            match next {
                Ok(whole) => {
                    found.push(seen(&whole));
                    behind = scan.behind().cloned();
                }
                Err(error) => {
                    assert!(matches!(
                        error,
                        ScanError::Store(StoreError::Unavailable(_))
                    ));
                    assert_eq!(scan.behind(), behind.as_ref(), "where it was");
                    failures += 1;
                }
            }
        }
        assert_eq!(found, all, "at call {at}");
        // Each page is charged once, except those that are read again.
        assert!(scan.half_units() > 0);
        calls = calls.max(flaky.calls());
        if failures == 0 {
            assert!(at > calls.min(10), "it never failed");
            return;
        }
    }
}

async fn a_scan_passes_over_what_it_cannot_read(world: World) {
    many_aggregates(&world).await;
    let all = rest(&world, (0, 1), None).await;
    let mut item = next(&world, "S5", "c-bad").await.to_item().unwrap();
    item.insert("events".to_owned(), AttributeValue::S("[{]".to_owned()));
    world.table.put_new(item.clone()).await.unwrap();
    item.insert(
        "aggregate".to_owned(),
        AttributeValue::S("nobody".to_owned()),
    );
    world.table.put_new(item).await.unwrap();
    let mut scan = world.store.scan(0, 1, None);
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    while let Some(next) = scan.next().await {
        match next {
            Ok(whole) => found.push(seen(&whole)),
            Err(error) => {
                let behind = scan.behind().unwrap().aggregate.clone();
                match error {
                    ScanError::NoAggregate(name) => assert_eq!(name, behind),
                    ScanError::Store(StoreError::Corrupt { aggregate, .. }) => {
                        assert_eq!(aggregate.to_string(), behind);
                    }
                    other => panic!("{other}"),
                }
                errors.push(behind);
            }
        }
    }
    errors.sort();
    assert_eq!(errors, ["nobody", "shipment#S5"]);
    let mut readable = all;
    readable.retain(|(name, _)| name != "shipment#S5");
    found.sort();
    readable.sort();
    assert_eq!(found, readable);
}
