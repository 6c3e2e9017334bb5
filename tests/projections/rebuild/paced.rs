//! The limit of the capacity that rebuilds may use: they wait as long as they must, and no longer.

use std::sync::Arc;

use projectors::rebuild::pace::{CapacityLimit, CapacityLimiter};

use super::whole::{SteppedClock, filled, rebuild, verify};

async fn took(limit: CapacityLimit, repair: bool) -> (u64, super::whole::Done) {
    let mut world = filled().await;
    let clock = SteppedClock::from("2024-02-01T00:00:00Z");
    world.projectors.clock = clock.clone();
    world.projectors.rebuilds.pace = Arc::new(CapacityLimiter::new(limit));
    if repair {
        for (table, row) in super::whole::rows(&world.projectors).await {
            world.projectors.rows.remove(table, row).await.unwrap();
        }
    }
    let before = clock.millis();
    let done = match repair {
        true => rebuild(&world.projectors).await,
        false => verify(&world.projectors).await,
    };
    (u64::try_from(clock.millis() - before).unwrap(), done)
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let (millis, _) = took(CapacityLimit::default(), true).await;
    assert_eq!(millis, 0);
}

#[tokio::test]
async fn reading_keeps_its_limit() {
    for units in [1, 5, 700] {
        let limit = CapacityLimit {
            read: Some(units),
            write: None,
        };
        let (millis, done) = took(limit, false).await;
        let due = done.gathered * 1_000 / (2 * u64::from(units));
        assert!(done.gathered > 10);
        // A wait is rounded up to a millisecond.
        assert!(
            (due..=due + 100).contains(&millis),
            "{millis} ms, {due} due at {units} a second"
        );
    }
}

#[tokio::test]
async fn writing_keeps_its_limit() {
    for units in [1, 5, 9_000] {
        let limit = CapacityLimit {
            read: None,
            write: Some(units),
        };
        let (millis, done) = took(limit, true).await;
        // A row of up to 1 KB, in its table and three indexes.
        assert_eq!(done.counted.written, 9 + 28 + 7);
        let least = done.counted.written * 4 * 1_000 / u64::from(units);
        assert!(
            (least..=2 * least + 60).contains(&millis),
            "{millis} ms at {units} a second"
        );
    }
}

#[tokio::test]
async fn examining_is_paid_for_as_well() {
    let limit = CapacityLimit {
        read: Some(1),
        write: None,
    };
    let (millis, done) = took(limit, true).await;
    let due = (done.gathered + done.counted.half_units) * 500;
    assert!(done.counted.half_units >= 16 * 3);
    assert!(
        (due..=due + 100).contains(&millis),
        "{millis} ms, {due} due"
    );
}

/// Half a unit may need less than a millisecond, but many of them must not be free.
#[tokio::test]
async fn the_smallest_reads_add_up() {
    let clock = SteppedClock::from("2024-02-01T00:00:00Z");
    let pace = CapacityLimiter::new(CapacityLimit {
        read: Some(10_000),
        write: None,
    });
    let before = clock.millis();
    // All at the same time, on a clock that does not advance: the last one waits for all.
    let (mut waits, stands) = (Vec::new(), FrozenClock(clock.clone(), Default::default()));
    for _ in 0..40_000 {
        pace.read(&stands, 1).await;
    }
    waits.append(&mut stands.1.lock().unwrap());
    assert_eq!(clock.millis(), before);
    assert_eq!(waits.last().unwrap().as_millis(), 2_000);
}

#[tokio::test]
async fn a_clock_that_jumps_stops_nobody() {
    let clock = SteppedClock::from("2024-02-01T00:00:00Z");
    let pace = CapacityLimiter::new(CapacityLimit {
        read: Some(10),
        write: None,
    });
    pace.read(clock.as_ref(), 20).await;
    for jump in [-3_600_000, 3_600_000, -1] {
        clock.jump(jump);
        let before = clock.millis();
        pace.read(clock.as_ref(), 20).await;
        let waited = clock.millis() - before;
        assert!(
            (1_000..=2_000).contains(&waited),
            "{waited} ms after {jump}"
        );
    }
}

/// A clock that does not advance, and records the requested sleeps.
struct FrozenClock(
    Arc<SteppedClock>,
    std::sync::Mutex<Vec<std::time::Duration>>,
);

#[async_trait::async_trait]
impl event_store::Clock for FrozenClock {
    fn now(&self) -> domain::Timestamp {
        self.0.now()
    }

    async fn sleep(&self, duration: std::time::Duration) {
        self.1.lock().unwrap().push(duration);
    }

    fn jitter(&self, max: std::time::Duration) -> std::time::Duration {
        max
    }
}
