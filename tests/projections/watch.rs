//! Stalled shipments: the role `watch` finds shipments without updates, and the role `bus` marks
//! them as stalled in their histories. Both may be killed at any moment.

mod pages;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::Commands;
use commands::execute::execute;
use domain::{Shipment, Timestamp, shipment::Status};
use event_store::Clock;
use lambda::{Failed, Invocation};
use projectors::{
    Role,
    ports::{Announcement, Row, Sent, Table},
};
use serde_json::{Value, json};
use support::{
    envelopes::{at, update, update_of},
    files::MemoryFiles,
    operator::MemoryOperator,
    stream::batch,
};

use crate::World;

const BEGIN: &str = "2024-01-15T12:00:00Z";
const HOUR: i64 = 60 * 60 * 1_000;

/// A clock that is set by hand.
pub(super) struct SetClock(pub(super) AtomicI64);

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}

    fn jitter(&self, longest: Duration) -> Duration {
        longest
    }
}

/// Both executables over one store in memory.
struct Watching {
    world: World,
    commands: Commands,
    operator: Arc<MemoryOperator>,
    clock: Arc<SetClock>,
    updates: AtomicI64,
    /// The number of announcements that `asked` has returned.
    delivered: usize,
}

impl Watching {
    fn new() -> Self {
        let clock = Arc::new(SetClock(AtomicI64::new(at(BEGIN).millis())));
        let mut world = World::new();
        world.projectors.clock = clock.clone();
        let operator = Arc::new(MemoryOperator::default());
        let commands = Commands {
            store: world.projectors.store.clone(),
            clock: clock.clone(),
            operator: operator.clone(),
            files: Arc::new(MemoryFiles::default()),
            carriers: commands::carriers::Carriers::none(),
            metrics: support::unread_metrics(),
            environment: "test".to_owned(),
        };
        Self {
            world,
            commands,
            operator,
            clock,
            updates: AtomicI64::default(),
            delivered: 0,
        }
    }

    fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sends an update with this status and this timestamp of the carrier. It arrives now.
    async fn update(&self, id: &str, status: &str, time: &str) {
        let number = self.updates.fetch_add(1, Ordering::SeqCst);
        let mut command = update(id, &format!("c-{number}"), "x", Some(time));
        update_of(&mut command).status = status.to_owned().try_into().unwrap();
        let store = &self.world.projectors.store;
        execute::<Shipment>(store, self.clock.as_ref(), command)
            .await
            .unwrap();
    }

    /// Projects all commits.
    async fn project(&self) {
        let all = batch(&self.world.commits());
        assert_eq!(self.world.deliver(Role::Project, all).await, None);
    }

    /// Runs the watcher. Returns the number of stalled shipments that it has found.
    async fn run_watcher(&self) -> Result<u64, Failed> {
        let payload = serde_json::value::to_raw_value(&json!({})).unwrap();
        let invocation = Invocation::of("request");
        let handled = self
            .world
            .projectors
            .handle(Role::Watch, payload, &invocation);
        Ok(handled.await?["silent"].as_u64().unwrap())
    }

    /// Returns the requests of the watcher since the last call.
    fn asked(&mut self) -> Vec<Announcement> {
        let accepted = self.world.bus.accepted();
        let new = accepted[self.delivered..].to_vec();
        self.delivered = accepted.len();
        new.into_iter()
            .filter(|message| message.source == "waybill.watch")
            .collect()
    }

    /// Delivers requests of the watcher to the function `bus`, as EventBridge does.
    async fn deliver(&self, asked: &[Announcement]) {
        for message in asked {
            let event = json!({
                "version": "0", "id": "e-1", "source": message.source, "account": "1",
                "detail-type": message.detail_type, "time": "2024-01-15T12:00:00Z",
                "detail": serde_json::from_str::<Value>(&message.detail.to_string()).unwrap(),
            });
            let payload = serde_json::value::to_raw_value(&event).unwrap();
            let invocation = Invocation::of("request");
            let bus = commands::Role::Bus;
            let answer = self.commands.handle(bus, payload, &invocation).await;
            assert_eq!(answer, Ok(Value::Null));
        }
    }

    /// Projects all commits, runs the watcher, delivers its requests, and projects again. Returns
    /// the number of stalled shipments that the watcher has found.
    async fn round(&mut self) -> u64 {
        self.project().await;
        let found = self.run_watcher().await.unwrap();
        let asked = self.asked();
        assert_eq!(asked.len() as u64, found);
        self.deliver(&asked).await;
        self.project().await;
        found
    }

    fn stalls(&self) -> usize {
        let commits = self.world.commits();
        let events = commits.iter().flat_map(|commit| &commit.events);
        events
            .filter(|event| event.kind == "ShipmentStalled")
            .count()
    }

    fn current(&self, id: &str) -> Row {
        let rows = self.world.rows.all(Table::ShipmentLog);
        let is = |row: &Row| row["shipmentId"] == id.into() && row["entry"] == "CURRENT".into();
        rows.into_iter().find(is).unwrap()
    }

    /// Checks that the row equals the fold of the whole history.
    async fn assert_row_is_the_fold(&self, id: &str) {
        let aggregate = format!("shipment#{id}").parse().unwrap();
        let store = &self.world.projectors.store;
        let loaded = store.load::<Shipment>(&aggregate).await.unwrap();
        let environment = &self.world.projectors.environment;
        let row = projectors::shipment_log::current(&loaded.state, loaded.version, environment);
        assert_eq!(Some(self.current(id)), row);
    }
}

#[tokio::test]
async fn what_falls_silent_is_stalled_once_and_the_next_update_ends_it() {
    let mut watching = Watching::new();
    watching
        .update("S", "IN_TRANSIT", "2024-01-15T11:00:00Z")
        .await;
    // After exactly 72 hours it is not stalled, and a millisecond later it is.
    watching.pass(72 * HOUR);
    assert_eq!(watching.round().await, 0);
    assert_eq!(watching.current("S").get("stalledSince"), None);
    watching.pass(1);
    assert_eq!(watching.round().await, 1);
    assert_eq!(watching.stalls(), 1);
    let row = watching.current("S");
    assert_eq!(row["stalledSince"], at(BEGIN).to_string().into());
    assert!(row["watchShard"].to_string().contains("STALLED#"));
    assert_eq!(row["heardAt"], row["stalledSince"]);
    assert_eq!(row["updates"].to_string(), "1");
    watching.assert_row_is_the_fold("S").await;
    // It is not marked again, however long no update arrives.
    watching.pass(10_000 * HOUR);
    assert_eq!(watching.round().await, 0);
    watching
        .update("S", "IN_TRANSIT", "2024-01-18T11:00:00Z")
        .await;
    assert_eq!(watching.round().await, 0);
    let row = watching.current("S");
    assert_eq!(row.get("stalledSince"), None);
    assert!(row["watchShard"].to_string().contains("IN_TRANSIT#"));
    // After an update it can stall again.
    watching.pass(72 * HOUR + 1);
    assert_eq!(watching.round().await, 1);
    assert_eq!(watching.stalls(), 2);
    watching.assert_row_is_the_fold("S").await;
    // The log has two updates, and no entry for the stall.
    assert_eq!(watching.world.rows.all(Table::ShipmentLog).len(), 3);
    assert_eq!(watching.world.parked(), Vec::<String>::new());
}

#[tokio::test]
async fn silence_is_measured_from_the_arrival_and_a_late_scan_ends_it() {
    let mut watching = Watching::new();
    // An update that arrives now counts from now, also with a timestamp of last year.
    watching
        .update("S", "IN_TRANSIT", "2023-01-15T11:00:00Z")
        .await;
    assert_eq!(watching.round().await, 0);
    // A timestamp in the future does not count either.
    watching
        .update("T", "IN_TRANSIT", "2024-01-16T11:00:00Z")
        .await;
    watching.pass(72 * HOUR + 1);
    assert_eq!(watching.round().await, 2);
    // A late update that does not become current ends the stall. The current update has been marked
    // once, so the shipment is not marked again.
    watching
        .update("T", "PICKED_UP", "2024-01-14T11:00:00Z")
        .await;
    assert_eq!(watching.round().await, 0);
    assert_eq!(watching.current("T").get("stalledSince"), None);
    watching.pass(1_000 * HOUR);
    assert_eq!(watching.round().await, 0);
    watching.assert_row_is_the_fold("T").await;
    // A late update counts also for a shipment that is not stalled yet.
    watching
        .update("U", "IN_TRANSIT", "2024-01-16T11:00:00Z")
        .await;
    watching.pass(71 * HOUR);
    watching
        .update("U", "PICKED_UP", "2024-01-14T11:00:00Z")
        .await;
    watching.pass(71 * HOUR);
    assert_eq!(watching.round().await, 0);
    watching.pass(2 * HOUR);
    assert_eq!(watching.round().await, 1);
}

#[tokio::test]
async fn an_update_between_the_look_and_the_command_wins() {
    let mut watching = Watching::new();
    watching
        .update("S", "CREATED", "2024-01-15T11:00:00Z")
        .await;
    watching.pass(121 * HOUR);
    watching.project().await;
    // The watcher sees the old row, while an update arrives that is not projected yet.
    watching
        .update("S", "IN_TRANSIT", "2024-01-20T11:00:00Z")
        .await;
    assert_eq!(watching.run_watcher().await, Ok(1));
    let asked = watching.asked();
    watching.deliver(&asked).await;
    assert_eq!(watching.stalls(), 0);
    assert_eq!(watching.operator.messages().dead_letters, []);
    assert_eq!(watching.round().await, 0);
}

#[tokio::test]
async fn killed_between_any_two_steps_it_is_stalled_once() {
    let mut watching = Watching::new();
    watching
        .update("S", "IN_TRANSIT", "2024-01-15T11:00:00Z")
        .await;
    watching.project().await;
    watching.pass(73 * HOUR);
    // The bus is unavailable, as after a kill before any request: the run fails, and the next one
    // finds the shipment.
    watching
        .world
        .bus
        .script(vec![Sent::Failed("away".to_owned()); 4]);
    let failed = Failed("temporarily unavailable".to_owned());
    assert_eq!(watching.run_watcher().await, Err(failed));
    assert_eq!(watching.asked(), []);
    // The request was sent, and is lost.
    assert_eq!(watching.run_watcher().await, Ok(1));
    watching.asked();
    // Two runs send a request each, and each request is delivered twice.
    assert_eq!(watching.run_watcher().await, Ok(1));
    assert_eq!(watching.run_watcher().await, Ok(1));
    let asked = watching.asked();
    assert_eq!(asked.len(), 2);
    watching.deliver(&asked).await;
    watching.deliver(&asked).await;
    assert_eq!(watching.stalls(), 1);
    // The mark is in the history but not projected yet, so the watcher finds the shipment again.
    assert_eq!(watching.run_watcher().await, Ok(1));
    let again = watching.asked();
    watching.deliver(&again).await;
    assert_eq!(watching.round().await, 0);
    // An old request that is delivered after another update has no effect.
    watching
        .update("S", "IN_TRANSIT", "2024-01-18T14:00:00Z")
        .await;
    watching.deliver(&asked).await;
    assert_eq!(watching.stalls(), 1);
    assert_eq!(watching.operator.messages().dead_letters, []);
    watching.project().await;
    watching.assert_row_is_the_fold("S").await;
}

#[tokio::test]
async fn it_alerts_once_on_the_bus_and_on_the_topic() {
    let mut watching = Watching::new();
    let long = "S".repeat(120);
    watching
        .update(&long, "OUT_FOR_DELIVERY", "2024-01-15T11:00:00Z")
        .await;
    watching.pass(25 * HOUR);
    assert_eq!(watching.round().await, 1);
    let all = batch(&watching.world.commits());
    watching.world.deliver(Role::Notify, all).await;
    let said = watching.world.bus.accepted();
    let said = said
        .iter()
        .filter(|said| said.detail_type == "Shipment Stalled");
    let said: Vec<_> = said.collect();
    let [said] = said[..] else { panic!("{said:?}") };
    assert_eq!(said.id, format!("shipment#{long}/2/Shipment Stalled"));
    let detail: Value = serde_json::from_str(&said.detail.to_string()).unwrap();
    assert_eq!(detail["stalledSince"], at(BEGIN).to_string());
    assert_eq!(detail["status"], "OUT_FOR_DELIVERY");
    assert_eq!(detail["version"], 2);
    assert_eq!(detail["occurredAt"], "2024-01-16T13:00:00.000Z");
    let alerts = watching.world.topic.accepted();
    let [alert] = &alerts[..] else {
        panic!("{alerts:?}")
    };
    assert!(alert.subject.starts_with("Logistics Alert: STALLED - SSS"));
    assert_eq!(alert.subject.len(), 100);
    assert!(
        alert.body.contains("Last heard:  2024-01-15T12:00:00.000Z"),
        "{}",
        alert.body
    );
}

#[tokio::test]
async fn each_status_has_a_time_of_its_own_and_some_have_none() {
    let mut watching = Watching::new();
    let set = "CREATED=0,RETURNING=1,OUT_FOR_DELIVERY=2".parse().unwrap();
    watching.world.projectors.stalled_after = set;
    watching.world.projectors.environment.shards = "4".parse().unwrap();
    for status in Status::KNOWN.into_iter().chain(["CUSTOMS_HOLD"]) {
        watching
            .update(status, status, "2024-01-15T11:00:00Z")
            .await;
    }
    let mut found = Vec::new();
    for hours in [1, 1, 70, 24, 10_000] {
        watching.pass(hours * HOUR + 1);
        watching.project().await;
        watching.run_watcher().await.unwrap();
        let mut asked = watching.asked();
        asked.sort_by(|one, other| one.id.cmp(&other.id));
        watching.deliver(&asked).await;
        let id = |said: &Announcement| said.id.split(['#', '/']).nth(1).unwrap().to_owned();
        found.push(asked.iter().map(id).collect::<Vec<_>>().join(" "));
    }
    let later = "DELAYED DELIVERY_ATTEMPTED PICKED_UP READY_FOR_PICKUP";
    assert_eq!(
        found,
        ["RETURNING", "OUT_FOR_DELIVERY", "IN_TRANSIT", later, ""]
    );
}
