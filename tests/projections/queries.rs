//! Queries of one order or shipment: at an earlier time, and from a minimum version on.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Timestamp, order::Intent};
use event_store::Clock;
use lambda::Invocation;
use projectors::{Projectors, Role};
use serde_json::Value;
use support::{
    envelopes::{placing, to_order, update},
    stream::batch,
};

use crate::World;

/// A clock whose time passes only by sleeping, and which records the sleeps. After a number of
/// them, the projector processes what is waiting.
struct RecordingClock {
    waits: Mutex<Vec<Duration>>,
    catches_up: Option<(usize, Projectors, Mutex<Option<lambda::Payload>>)>,
}

#[async_trait]
impl Clock for RecordingClock {
    fn now(&self) -> Timestamp {
        let waited: Duration = self.waits.lock().unwrap().iter().sum();
        Timestamp::from_millis(waited.as_millis().try_into().unwrap()).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        let waits = {
            let mut waits = self.waits.lock().unwrap();
            waits.push(duration);
            waits.len()
        };
        let Some((after, projectors, batch)) = &self.catches_up else {
            return;
        };
        let due = (*after == waits).then(|| batch.lock().unwrap().take());
        if let Some(batch) = due.flatten() {
            let invocation = Invocation::of("late");
            let late = projectors.handle(Role::Project, batch, &invocation);
            late.await.unwrap();
        }
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

/// Returns a world whose projector catches up after this number of sleeps, or never, and its clock.
fn slow(mut world: World, after: Option<usize>) -> (World, Arc<RecordingClock>) {
    let commits = batch(&world.commits());
    let clock = Arc::new(RecordingClock {
        waits: Mutex::default(),
        catches_up: after.map(|after| (after, world.projectors.clone(), Mutex::new(Some(commits)))),
    });
    world.projectors.clock = clock.clone();
    (world, clock)
}

async fn placed() -> World {
    let world = World::new();
    world.order(placing("1", "c-1")).await;
    world.shipment(update("S", "c-1", "x", None)).await;
    world
}

#[tokio::test]
async fn a_version_that_is_there_is_not_waited_for() {
    let world = placed().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    let (world, clock) = slow(world, None);
    for path in ["/orders/1", "/shipments/S"] {
        let (status, row) = world.ask(path, &[("minVersion", "1")]).await;
        assert_eq!((status, &row["version"]), (200, &1.into()), "{path}");
    }
    assert!(clock.waits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_version_is_waited_for_until_the_row_has_caught_up() {
    for (path, after) in [("/orders/1", 1), ("/shipments/S", 16)] {
        let (world, clock) = slow(placed().await, Some(after));
        assert_eq!(world.ask(path, &[]).await.0, 404, "without it nobody waits");
        let (status, row) = world.ask(path, &[("minVersion", "1")]).await;
        assert_eq!((status, &row["version"]), (200, &1.into()), "{path}");
        assert_eq!(clock.waits.lock().unwrap().len(), after);
    }
}

#[tokio::test]
async fn a_version_is_waited_for_five_seconds_and_no_longer() {
    let (world, clock) = slow(placed().await, None);
    let (status, problem) = world.ask("/orders/1", &[("minVersion", "1")]).await;
    assert_eq!((status, &problem["code"]), (503, &"not_caught_up".into()));
    let waits = clock.waits.lock().unwrap().clone();
    assert_eq!(waits.iter().sum::<Duration>(), Duration::from_secs(5));
    assert_eq!(waits[..4], [25, 50, 100, 200].map(Duration::from_millis));
    assert!(waits.len() <= 17, "{} looks and one", waits.len());
}

#[tokio::test]
async fn nobody_waits_for_what_does_not_exist() {
    let (world, clock) = slow(placed().await, None);
    for path in ["/orders/2", "/shipments/T"] {
        assert_eq!(world.ask(path, &[("minVersion", "1")]).await.0, 404);
    }
    assert!(clock.waits.lock().unwrap().is_empty());
}

/// Returns the answers to all queries about an order and a shipment, of now or of the time `at`.
async fn answers(world: &World, at: Option<&str>) -> Vec<(u64, Value)> {
    let mut answers = Vec::new();
    for path in [
        "/orders/1",
        "/orders/1/history",
        "/shipments/S",
        "/shipments/S/log",
    ] {
        let query: Vec<(&str, &str)> = at.map(|at| ("at", at)).into_iter().collect();
        answers.push(world.ask(path, &query).await);
    }
    answers
}

#[tokio::test]
async fn every_version_is_told_later_as_it_was_told_then() {
    let world = World::new();
    let mut then = Vec::new();
    // Times are exact to the millisecond, so no two steps may be in the same one.
    let pause = || tokio::time::sleep(Duration::from_millis(3));
    for step in 0..12 {
        pause().await;
        if step == 2 {
            world.order(placing("1", "c-1")).await;
        } else if step == 7 {
            world.order(to_order("1", "c-2", Intent::Complete)).await;
        }
        let time = format!("2024-01-15T{:02}:00:00Z", (step * 5) % 12);
        let command = update("S", &format!("c-{step}"), &step.to_string(), Some(&time));
        world.shipment(command).await;
        pause().await;
        world.deliver(Role::Project, batch(&world.commits())).await;
        then.push((world.projectors.clock.now(), answers(&world, None).await));
    }
    for (at, expected) in &then {
        for at in [at.to_string(), at.millis().to_string()] {
            assert_eq!(&answers(&world, Some(&at)).await, expected, "at {at}");
        }
    }
    let before = answers(&world, Some("2020-01-01T00:00:00Z")).await;
    assert!(
        before.iter().all(|(status, _)| *status == 404),
        "{before:?}"
    );
}

#[tokio::test]
async fn a_log_of_then_is_read_page_by_page() {
    let world = World::new();
    for step in 0..20 {
        let time = format!("2024-01-15T{:02}:00:00Z", (step * 7) % 20);
        let command = update("S", &format!("c-{step}"), &step.to_string(), Some(&time));
        world.shipment(command).await;
    }
    let at = world.projectors.clock.now().to_string();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..7 {
        let mut query = vec![("at", at.as_str()), ("limit", "3")];
        if !cursor.is_empty() {
            query.push(("cursor", &cursor));
        }
        let (_, page) = world.ask("/shipments/S/log", &query).await;
        let items = page["items"].as_array().unwrap().iter();
        seen.extend(items.map(|item| item["timestamp"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert!(
        cursor.is_empty() && seen.len() == 20 && seen.is_sorted(),
        "{seen:?}"
    );
    // The cursor of a log of one time is refused for the log of now and for one of another time.
    let (_, page) = world
        .ask("/shipments/S/log", &[("at", &at), ("limit", "1")])
        .await;
    let cursor = page["cursor"].as_str().unwrap();
    assert_eq!(
        world.ask("/shipments/S/log", &[("cursor", cursor)]).await.0,
        400
    );
    let other = [("cursor", cursor), ("at", "2100-01-01T00:00:00Z")];
    assert_eq!(world.ask("/shipments/S/log", &other).await.0, 400);
}

#[tokio::test]
async fn what_cannot_be_asked_of_one_is_refused() {
    let world = placed().await;
    let at = ("at", "2024-01-15T10:30:00Z");
    for (path, query, field) in [
        ("/orders/1", vec![("at", "yesterday")], "at"),
        ("/orders/1", vec![("at", "")], "at"),
        ("/orders/1", vec![("at", "1999-12-31")], "at"),
        ("/orders/1", vec![("minVersion", "0")], "minVersion"),
        ("/orders/1", vec![("minVersion", "x")], "minVersion"),
        ("/orders/1", vec![("minVersion", "1000001")], "minVersion"),
        ("/orders/1", vec![at, ("minVersion", "1")], "minVersion"),
        ("/shipments/S", vec![at, ("minVersion", "1")], "minVersion"),
        ("/orders/1/history", vec![("minVersion", "1")], "minVersion"),
        ("/shipments/S/log", vec![("minVersion", "1")], "minVersion"),
    ] {
        let (status, problem) = world.ask(path, &query).await;
        assert_eq!(
            (status, &problem["field"]),
            (400, &field.into()),
            "{path} {query:?}"
        );
    }
}
