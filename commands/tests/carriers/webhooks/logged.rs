//! The commits that a webhook's scans become, and their cost; also when the webhook is interrupted,
//! repeated, or sent several times at once.

use std::sync::Arc;

use domain::{AggregateId, Shipment};
use serde_json::{Value, json};

use super::{World, numbers, tracker};

// ---- The cost, and the order

#[tokio::test]
async fn known_scans_cost_one_read_and_new_ones_a_write_for_a_hundred() {
    let world = World::new();
    for (numbers, writes, logged, known) in [
        (0..1, 1, 1, 0),
        (0..1, 0, 0, 1),
        (0..30, 1, 29, 1),
        (0..30, 0, 0, 30),
        (0..31, 1, 1, 30),
        (0..131, 1, 100, 31),
        (0..1_131, 10, 1_000, 131),
        (0..1_131, 0, 0, 1_131),
    ] {
        let (reads, puts, answer) = world.cost(&tracker(numbers.clone())).await;
        assert_eq!((reads, puts), (1, writes), "{numbers:?}");
        assert_eq!(
            (&answer["logged"], &answer["known"]),
            (&json!(logged), &json!(known))
        );
        assert_eq!(answer["version"], numbers.end);
    }
    assert_eq!(world.logged("T-1").await, numbers(0..1_131));
    assert_eq!(world.counted("CarrierWebhooks", "known"), 3);
    assert_eq!(world.counted("CarrierWebhooks", "logged"), 5);
    assert_eq!(world.counted("ShipmentUpdatesProcessed", ""), 1_131);
}

#[tokio::test]
async fn a_commit_is_never_larger_than_a_row_may_be() {
    let world = World::new();
    let mut body = tracker(0..100);
    for scan in body["result"]["tracking_details"].as_array_mut().unwrap() {
        let number = scan["message"].as_str().unwrap().to_owned();
        scan["message"] = json!(number + &"ü".repeat(3_000));
    }
    let (reads, puts, answer) = world.cost(&body).await;
    assert_eq!(answer["logged"], 100);
    assert!((5..=10).contains(&puts) && reads == 1, "{puts}");
}

#[tokio::test]
async fn scans_are_logged_by_their_time_whatever_their_order_in_the_list() {
    let world = World::new();
    let newest_first: Vec<u32> = (0..50).rev().collect();
    world.cost(&tracker(newest_first)).await;
    assert_eq!(world.logged("T-1").await, numbers(0..50));
}

/// A list of scans with these times, each named by its position in the list.
fn listed(times: &[Option<&str>], statuses: &[&str]) -> Value {
    let mut tracker = tracker(0..u32::try_from(times.len()).unwrap());
    let scans = tracker["result"]["tracking_details"].as_array_mut();
    for ((scan, time), status) in scans.unwrap().iter_mut().zip(times).zip(statuses) {
        scan["datetime"] = json!(time);
        scan["status"] = json!(status);
    }
    tracker
}

#[tokio::test]
async fn scans_of_one_minute_are_logged_as_they_happened() {
    let ten = Some("2025-08-01T10:00:00Z");
    let moving = ["in_transit"; 3];
    for (times, expected) in [
        // The newest first, as some providers send them.
        ([Some("2025-08-01T11:00:00Z"), ten, ten], [2, 1, 0]),
        ([ten, ten, Some("2025-08-01T11:00:00Z")], [0, 1, 2]),
    ] {
        let world = World::new();
        world.cost(&listed(&times, &moving)).await;
        let expected: Vec<String> = expected.iter().map(|n: &u32| format!("\"{n}\"")).collect();
        assert_eq!(world.logged("T-1").await, expected);
    }
}

#[tokio::test]
async fn a_scan_without_a_time_does_not_come_before_those_that_have_one() {
    let world = World::new();
    let times = [
        None,
        Some("2025-08-01T10:00:00Z"),
        Some("2025-08-01T11:00:00Z"),
    ];
    let statuses = ["pre_transit", "in_transit", "delivered"];
    let (status, answer) = world.send(&listed(&times, &statuses)).await;
    assert_eq!((status, &answer["logged"]), (200, &json!(3)), "{answer}");
    let id = AggregateId::Shipment("T-1".parse().unwrap());
    let loaded = world.commands.store.load::<Shipment>(&id).await.unwrap();
    assert_eq!(loaded.state.current.unwrap().status.as_str(), "DELIVERED");
}

#[tokio::test]
async fn a_number_with_a_slash_is_called_as_in_a_url() {
    for (code, id) in [
        ("2025/0042", "2025%2F0042"),
        ("/", "%2F"),
        ("A/B/C", "A%2FB%2FC"),
    ] {
        let world = World::new();
        let mut body = tracker(0..2);
        body["result"]["tracking_code"] = json!(code);
        let (status, answer) = world.send(&body).await;
        assert_eq!(
            (status, &answer["shipmentId"]),
            (200, &json!(id)),
            "{answer}"
        );
        assert_eq!(world.logged(id).await, ["\"0\"", "\"1\""]);
        assert!(world.operator.letters.lock().unwrap().is_empty());
        let id = AggregateId::Shipment(id.parse().unwrap());
        let loaded = world.commands.store.load::<Shipment>(&id).await.unwrap();
        assert_eq!(loaded.state.tracking_number.unwrap().value, code);
    }
}

// ---- Interrupted, repeated, concurrent

#[tokio::test]
async fn a_webhook_that_is_broken_off_is_logged_whole_when_it_is_sent_again() {
    // Four commits. The last one was stored, but not answered: the second attempt finds it.
    for (lost_from, answered) in [(1, 503), (2, 503), (3, 503), (4, 200)] {
        let world = World::new();
        *world.table.lost_from.lock().unwrap() = Some(lost_from);
        let (status, _) = world.send(&tracker(0..350)).await;
        assert_eq!(status, answered, "{lost_from}");
        *world.table.lost_from.lock().unwrap() = None;
        let (status, answer) = world.send(&tracker(0..350)).await;
        assert_eq!(
            (status, &answer["version"]),
            (200, &json!(350)),
            "{lost_from}"
        );
        assert_eq!(world.logged("T-1").await, numbers(0..350));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_six_deliveries_from_eight_sides_make_each_scan_one() {
    let world = Arc::new(World::new());
    let mut sides = tokio::task::JoinSet::new();
    for side in 0..8 {
        let world = world.clone();
        sides.spawn(async move {
            for delivery in (side..46).step_by(8) {
                // Some webhooks contain more scans than others.
                let (status, answer) = world.send(&tracker(0..250 + delivery)).await;
                assert_eq!(status, 200, "{answer}");
            }
        });
    }
    while let Some(side) = sides.join_next().await {
        side.unwrap();
    }
    let mut logged = world.logged("T-1").await;
    logged.sort();
    let mut expected = numbers(0..295);
    expected.sort();
    assert_eq!(logged, expected);
    assert_eq!(world.counted("ShipmentUpdatesProcessed", ""), 295);
}

#[tokio::test]
async fn two_webhooks_of_one_parcel_at_once_lose_nothing_of_each_other() {
    let world = World::new();
    // Both read before either writes.
    let (early, late) = (tracker(0..110), tracker(110..220));
    let (one, other) = tokio::join!(world.send(&early), world.send(&late));
    assert_eq!((one.0, other.0), (200, 200));
    let mut logged = world.logged("T-1").await;
    logged.sort();
    let mut expected = numbers(0..220);
    expected.sort();
    assert_eq!(logged, expected);
}
