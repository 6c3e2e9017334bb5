//! Commands and live projection in the middle of a rebuild, between any two of its calls.

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
    whole::{Waited, filled, rebuild, rows, verify},
};
use crate::World;

/// Somebody who sends commands while a rebuild runs, and a stream that is in no hurry.
struct Life {
    projectors: Projectors,
    random: Mutex<fastrand::Rng>,
    /// Commits that the stream has not delivered yet.
    waiting: Mutex<Vec<Commit>>,
    next: AtomicU32,
    /// Has nobody been at the rows?
    honest: bool,
}

impl Life {
    fn chance(&self, of: u32) -> bool {
        self.random.lock().unwrap().u32(..of) == 0
    }

    fn any(&self, of: u32) -> u32 {
        self.random.lock().unwrap().u32(..of)
    }

    /// Something happens, or not.
    async fn goes_on(&self) {
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
        // Many are refused: the order is closed already.
        if let Ok(outcome) = execute::<Order>(&self.projectors.store, &SystemClock, command).await
            && outcome.event.is_some()
        {
            self.wait_for(&aggregate, outcome.version).await;
        }
    }

    async fn shipment(&self) {
        // Where rows are honest, few shipments that change all the time: so that one does while it
        // is looked at.
        let shipments = if self.honest { 2 } else { 10 };
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

    /// The stream will bring this commit.
    async fn wait_for(&self, aggregate: &domain::AggregateId, version: u64) {
        let history = self.projectors.store.history(aggregate, version, 1).await;
        self.waiting
            .lock()
            .unwrap()
            .extend(history.unwrap().commits);
    }

    /// The stream brings up to `most` commits, in any order.
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

/// Rows before and after each call of which life goes on.
struct Busy(Arc<Life>);

impl Hooks for Busy {
    fn rows(&self) -> &Arc<dyn Rows> {
        &self.0.projectors.rows
    }

    async fn around<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, RowError>> + Send,
    ) -> Result<T, RowError> {
        assert!(
            !self.0.honest || call != "rows remove",
            "nobody made a row up"
        );
        self.0.goes_on().await;
        let done = work.await;
        self.0.goes_on().await;
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
        if self.0.honest
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

/// The rows that live projection makes of all that is stored.
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
        let honest = seed % 2 == 1;
        if !honest {
            tamper(&world.projectors, &mut random).await;
        }
        let life = Arc::new(Life {
            projectors: world.projectors.clone(),
            random: Mutex::new(random),
            waiting: Mutex::default(),
            next: AtomicU32::new(0),
            honest,
        });
        let mut busy = world.projectors.clone();
        busy.rows = Arc::new(Hooked(Busy(life.clone())));
        rebuild(&busy).await;
        life.delivery(usize::MAX).await;
        // Whatever somebody did to rows has been mended, whatever was live has come.
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
    let life = Life {
        projectors: world.projectors.clone(),
        random: Mutex::new(fastrand::Rng::with_seed(1)),
        waiting: Mutex::default(),
        next: AtomicU32::new(0),
        honest: false,
    };
    for _ in 0..40 {
        life.order().await;
        life.shipment().await;
    }
    // The stream brings it while somebody looks for the second time.
    let (mut looking, life) = (world.projectors.clone(), Arc::new(life));
    looking.clock = Arc::new(Delivering(life.clone(), world.projectors.clock.clone()));
    let done = verify(&looking).await;
    assert!(done.counted.examined > 10, "{:?}", done.counted);
    assert_eq!(done.findings, []);
    // It is, where nothing ever comes.
    life.shipment().await;
    let done = verify(&world.projectors).await;
    assert_eq!(done.counted.examined, 1);
    assert!(done.findings.len() == 2 && done.findings.iter().all(|one| one.may_be_pending()));
}

#[tokio::test]
async fn what_should_have_come_long_ago_is_not_waited_for() {
    let mut world = World::new();
    world.order(placing("1", "c-1")).await;
    let waits = async |world: &mut World, later: i64| {
        let clock = Waited::from(&SystemClock.now().to_string());
        clock.jump(later);
        world.projectors.clock = clock.clone();
        let before = clock.millis();
        assert_eq!(verify(&world.projectors).await.findings.len(), 1);
        clock.millis() > before
    };
    assert!(waits(&mut world, 0).await);
    assert!(!waits(&mut world, 61_000).await);
}

/// A clock by whose waiting the stream goes on.
struct Delivering(Arc<Life>, Arc<dyn event_store::Clock>);

#[async_trait]
impl event_store::Clock for Delivering {
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
