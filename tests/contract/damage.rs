//! Damaged items. A snapshot that cannot be used is ignored, a commit that cannot be read is an
//! error, and a load never returns a part of a history as the whole.

use aws_sdk_dynamodb::types::AttributeValue;
use commands::execute::Failure;
use domain::Shipment;
use event_store::{Append, Snapshot, StoreError};
use support::envelopes::update;

use crate::{
    World,
    event_store_contract::{assert_whole, next, send, shipment},
};

contract!(
    a_snapshot_of_another_schema_is_passed_over,
    a_damaged_snapshot_is_passed_over,
    an_unreadable_item_is_an_error_never_a_short_history,
    a_gap_is_an_error_never_a_short_history,
);

/// Writes 20 updates, whose snapshots `damage` changes. Returns the number of changed snapshots.
async fn with_snapshots(world: &World, damage: fn(&mut Snapshot)) -> usize {
    let mut damaged = 0;
    for number in 1..=20 {
        let mut commit = next(world, "S", &format!("c-{number}")).await;
        if let Some(snapshot) = &mut commit.snapshot {
            damage(snapshot);
            damaged += 1;
        }
        assert!(matches!(
            world.store.append(&commit).await,
            Ok(Append::Done)
        ));
    }
    damaged
}

async fn a_snapshot_of_another_schema_is_passed_over(world: World) {
    let damaged = with_snapshots(&world, |snapshot| {
        // It can be parsed, but it means something else.
        snapshot.schema = "shipment/0".to_owned();
        snapshot.state = snapshot.state.replace("\"updates\":", "\"updates\":1");
    });
    assert_eq!(damaged.await, 20, "of small commits each has one");
    assert_whole(&world, &shipment("S"), 20).await;
    // The next snapshot has this code's schema again, and is complete.
    for number in 21..=25 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    assert_whole(&world, &shipment("S"), 25).await;
    let again = send(&world, update("S", "c-21", "x", None)).await.unwrap();
    assert_eq!(again.version, 21);
}

async fn a_damaged_snapshot_is_passed_over(world: World) {
    with_snapshots(&world, |snapshot| snapshot.state.truncate(10)).await;
    assert_whole(&world, &shipment("S"), 20).await;
    let world = World::in_memory();
    with_snapshots(&world, |snapshot| snapshot.fingerprints.truncate(9)).await;
    assert_whole(&world, &shipment("S"), 20).await;
}

async fn an_unreadable_item_is_an_error_never_a_short_history(world: World) {
    for number in 1..=3 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    let mut item = next(&world, "S", "c-4").await.to_item().unwrap();
    item.insert("events".to_owned(), AttributeValue::S("[{]".to_owned()));
    world.table.put_new(item).await.unwrap();
    let id = shipment("S");
    let corrupt = |error: StoreError| matches!(error, StoreError::Corrupt { sequence: 4, .. });
    assert!(corrupt(
        world.store.load::<Shipment>(&id).await.unwrap_err()
    ));
    assert!(corrupt(world.store.whole_history(&id).await.unwrap_err()));
    let refused = send(&world, update("S", "c-5", "x", None)).await;
    assert!(matches!(refused, Err(Failure::Corrupt(_))), "{refused:?}");
}

async fn a_gap_is_an_error_never_a_short_history(world: World) {
    // A gap at the beginning, and one in the middle.
    for (id, before) in [("S", 0), ("T", 2)] {
        for number in 1..=before {
            let command = update(id, &format!("c-{number}"), "x", None);
            send(&world, command).await.unwrap();
        }
        let mut ahead = next(&world, id, "ahead").await;
        ahead.sequence += 1;
        ahead.ordinal += 1;
        world.store.append(&ahead).await.unwrap();
        let id = shipment(id);
        let loaded = world.store.load::<Shipment>(&id).await;
        assert!(matches!(loaded, Err(StoreError::Corrupt { .. })));
        let read = world.store.whole_history(&id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })));
    }
}
