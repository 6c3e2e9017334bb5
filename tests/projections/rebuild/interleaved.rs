//! Commands and live projection run during a rebuild, between any two of its calls.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use commands::execute::execute;
use domain::{Order, Shipment, order::Intent};
use event_store::{Clock as _, Commit, SystemClock};
use lambda::Invocation;
use projectors::{
    Projectors, Role,
    ports::{Row, RowError, Rows, Table},
    row,
};
use support::{
    envelopes::{placing, to_order, update},
    hooked::{Hooked, Hooks},
    stream::batch,
};

use super::{
    corrupted::tamper,
    whole::{SteppedClock, filled, rebuild, rows, verify},
};
use crate::World;

/// Senders of commands while a rebuild runs, and a stream that delivers late.
struct Activity {
    projectors: Projectors,
    random: Mutex<fastrand::Rng>,
    /// The commits that the stream has not delivered yet.
    waiting: Mutex<Vec<Commit>>,
    next: AtomicU32,
    /// Whether no row was changed by hand.
    untampered: bool,
}

impl Activity {
    fn chance(&self, of: u32) -> bool {
        self.random.lock().unwrap().u32(..of) == 0
    }

    fn any(&self, of: u32) -> u32 {
        self.random.lock().unwrap().u32(..of)
    }

    /// Sends commands and delivers commits, by chance.
    async fn act(&self) {
        while self.chance(2) {
            match self.any(6) {
                0 => self.order().await,
                1 | 2 => self.shipment().await,
                _ => self.delivery(1).await,
            }
        }
    }

    async fn order(&self) {
        let id = format!("A-{}", self.any(12));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let command = match self.any(3) {
            0 => placing(&id, "c-1"),
            1 => to_order(&id, &format!("live-{number}"), Intent::Complete),
            _ => to_order(
                &id,
                &format!("live-{number}"),
                Intent::Cancel { reason: None },
            ),
        };
        let aggregate = command.aggregate.clone();
        // Many are refused, because the order is closed already.
        if let Ok(outcome) = execute::<Order>(&self.projectors.store, &SystemClock, command).await
            && outcome.event.is_some()
        {
            self.wait_for(&aggregate, outcome.version).await;
        }
    }

    async fn shipment(&self) {
        // Where no row was changed by hand, there are few shipments that change often, so that one
        // changes while a rebuild examines it.
        let shipments = if self.untampered { 2 } else { 10 };
        let id = format!("SHIP-{}", self.any(shipments));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let time = format!("2024-01-{:02}T10:00:00Z", 1 + self.any(28));
        let command = update(
            &id,
            &format!("live-{number}"),
            &format!("{number}"),
            Some(&time),
        );
        let aggregate = command.aggregate.clone();
        let done = execute::<Shipment>(&self.projectors.store, &SystemClock, command).await;
        self.wait_for(&aggregate, done.unwrap().version).await;
    }

    /// Puts a commit into the stream.
    async fn wait_for(&self, aggregate: &domain::AggregateId, version: u64) {
        let history = self.projectors.store.history(aggregate, version, 1).await;
        self.waiting
            .lock()
            .unwrap()
            .extend(history.unwrap().commits);
    }

    /// Delivers up to `most` commits of the stream, in random order.
    async fn delivery(&self, most: usize) {
        for _ in 0..most {
            let commit = {
                let mut waiting = self.waiting.lock().unwrap();
                if waiting.is_empty() {
                    return;
                }
                let place = self.random.lock().unwrap().usize(..waiting.len());
                waiting.swap_remove(place)
            };
            let invocation = Invocation::of("request");
            let batch = batch(&[commit]);
            let answer = self.projectors.handle(Role::Project, batch, &invocation);
            assert_eq!(
                answer.await.unwrap()["batchItemFailures"],
                serde_json::json!([])
            );
        }
    }
}

/// Rows with random activity before and after each call.
struct BusyRows(Arc<Activity>);

impl Hooks for BusyRows {
    fn rows(&self) -> &Arc<dyn Rows> {
        &self.0.projectors.rows
    }

    async fn around<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, RowError>> + Send,
    ) -> Result<T, RowError> {
        assert!(
            !self.0.untampered || call != "rows remove",
            "nobody made a row up"
        );
        self.0.act().await;
        let done = work.await;
        self.0.act().await;
        done
    }

    async fn rebuilt(
        &self,
        table: Table,
        row: &Row,
        put: impl Future<Output = Result<(), RowError>> + Send,
    ) -> Result<(), RowError> {
        let rows = self.rows();
        let key = table.key_of(row);
        let key = || table.key(&key[0], &key[1]);
        let there = rows.get(table, key()).await?;
        let done = put.await;
        if self.0.untampered
            && let Some(there) = there
        {
            let put = rows.get(table, key()).await?.unwrap();
            assert!(
                row::version(&put) >= row::version(&there),
                "{there:?} went back"
            );
        }
        done
    }
}

/// Returns the rows that live projection makes of all stored commits.
async fn live(world: &World) -> Vec<(Table, Row)> {
    let other = World::new();
    other.deliver(Role::Project, batch(&world.commits())).await;
    rows(&other.projectors).await
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_live_projection_go_on_and_all_ends_right() {
    for seed in 0..300 {
        let world = filled().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let untampered = seed % 2 == 1;
        if !untampered {
            tamper(&world.projectors, &mut random).await;
        }
        let activity = Arc::new(Activity {
            projectors: world.projectors.clone(),
            random: Mutex::new(random),
            waiting: Mutex::default(),
            next: AtomicU32::new(0),
            untampered,
        });
        let mut busy = world.projectors.clone();
        busy.rows = Arc::new(Hooked(BusyRows(activity.clone())));
        rebuild(&busy).await;
        activity.delivery(usize::MAX).await;
        // All changes by hand were repaired, and all commits were projected.
        assert_eq!(
            rows(&world.projectors).await,
            live(&world).await,
            "seed {seed}"
        );
        assert_eq!(verify(&world.projectors).await.counted.examined, 0);
        assert!(world.bus.calls().is_empty() && world.topic.calls().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_on_its_way_is_not_said_to_be_wrong() {
    let world = filled().await;
    let activity = Activity {
        projectors: world.projectors.clone(),
        random: Mutex::new(fastrand::Rng::with_seed(1)),
        waiting: Mutex::default(),
        next: AtomicU32::new(0),
        untampered: false,
    };
    for _ in 0..40 {
        activity.order().await;
        activity.shipment().await;
    }
    // The stream delivers the commits before the verification examines the rows a second time.
    let (mut looking, activity) = (world.projectors.clone(), Arc::new(activity));
    looking.clock = Arc::new(DeliveringClock(
        activity.clone(),
        world.projectors.clock.clone(),
    ));
    let done = verify(&looking).await;
    assert!(done.counted.examined > 10, "{:?}", done.counted);
    assert_eq!(done.findings, []);
    // A row is reported where the stream never delivers its commit.
    activity.shipment().await;
    let done = verify(&world.projectors).await;
    assert_eq!(done.counted.examined, 1);
    assert!(done.findings.len() == 2 && done.findings.iter().all(|one| one.may_be_pending()));
}

#[tokio::test]
async fn what_should_have_come_long_ago_is_not_waited_for() {
    let mut world = World::new();
    world.order(placing("1", "c-1")).await;
    let waits = async |world: &mut World, later: i64| {
        let clock = SteppedClock::from(&SystemClock.now().to_string());
        clock.jump(later);
        world.projectors.clock = clock.clone();
        let before = clock.millis();
        assert_eq!(verify(&world.projectors).await.findings.len(), 1);
        clock.millis() > before
    };
    assert!(waits(&mut world, 0).await);
    assert!(!waits(&mut world, 61_000).await);
}

/// A clock whose sleeps let the stream deliver.
struct DeliveringClock(Arc<Activity>, Arc<dyn event_store::Clock>);

#[async_trait]
impl event_store::Clock for DeliveringClock {
    fn now(&self) -> domain::Timestamp {
        self.1.now()
    }

    async fn sleep(&self, duration: std::time::Duration) {
        if !duration.is_zero() {
            self.0.delivery(usize::MAX).await;
        }
    }

    fn jitter(&self, max: std::time::Duration) -> std::time::Duration {
        max
    }
}
