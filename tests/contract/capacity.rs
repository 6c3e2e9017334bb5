//! The capacity budget of the design: requests counted, units as DynamoDB reports them.

// Units are wholes and halves: exact in a float.
#![allow(clippy::float_arithmetic)]

use std::sync::Arc;

use commands::execute::{Failure, execute};
use domain::{Order, Shipment, order::Intent};
use event_store::{
    EventStore, SystemClock,
    dynamodb::{DynamoDbTable, Usage},
};
use support::{
    embedded::Embedded,
    envelopes::{placing, to_order, update},
};

/// Counts what one command costs.
struct Meter {
    table: Arc<DynamoDbTable>,
    store: EventStore,
    before: Usage,
    _embedded: Embedded,
}

impl Meter {
    async fn start() -> Self {
        let embedded = Embedded::start().await;
        let table = embedded.events();
        let store = EventStore::new(table.clone());
        Self {
            table,
            store,
            before: Usage::default(),
            _embedded: embedded,
        }
    }

    /// Requests, write units and read units since the last look.
    fn cost(&mut self) -> (u64, f64, f64) {
        let now = self.table.usage();
        let before = std::mem::replace(&mut self.before, now);
        (
            now.requests - before.requests,
            now.write_units - before.write_units,
            now.read_units - before.read_units,
        )
    }
}

#[tokio::test]
async fn an_order_costs_what_the_budget_says() {
    let mut meter = Meter::start().await;
    let clock = SystemClock;
    execute::<Order>(&meter.store, &clock, placing("1", "c-1"))
        .await
        .unwrap();
    assert_eq!(meter.cost(), (1, 1.0, 0.0), "create");
    execute::<Order>(&meter.store, &clock, placing("1", "c-1"))
        .await
        .unwrap();
    // A failed condition is charged, and not reported: 1 unit here, the commit's size.
    assert_eq!(meter.cost(), (1, 0.0, 0.0), "repeat of a create");
    let complete = || to_order("1", "c-2", Intent::Complete);
    execute::<Order>(&meter.store, &clock, complete())
        .await
        .unwrap();
    assert_eq!(meter.cost(), (2, 1.0, 1.0), "change");
    execute::<Order>(&meter.store, &clock, complete())
        .await
        .unwrap();
    assert_eq!(meter.cost(), (1, 0.0, 1.0), "repeat of a change");
    let refused =
        execute::<Order>(&meter.store, &clock, to_order("1", "c-3", Intent::Complete)).await;
    assert!(matches!(refused, Err(Failure::Refused { .. })));
    assert_eq!(meter.cost(), (1, 0.0, 1.0), "refusal");
}

#[tokio::test]
async fn a_shipment_update_costs_what_the_budget_says() {
    let mut meter = Meter::start().await;
    // Commits of almost 1 KB, the most that the budget is made for.
    let text = "x".repeat(350);
    let (mut most_read, mut most_written) = (0.0, 0.0);
    for number in 1..=250 {
        let command = update("S", &format!("command-{number}"), &text, None);
        execute::<Shipment>(&meter.store, &SystemClock, command)
            .await
            .unwrap();
        let (requests, written, read) = meter.cost();
        assert_eq!(requests, 2, "update {number}");
        assert!(read <= 3.0, "update {number} read {read} units");
        if number % 8 != 0 {
            assert_eq!(written, 1.0, "update {number}");
        }
        most_read = f64::max(most_read, read);
        most_written = f64::max(most_written, written);
    }
    assert_eq!(most_read, 3.0);
    // The last snapshot: 250 traces of 8 bytes, and the state.
    assert_eq!(most_written, 4.0);
    let young = update("S", "command-250", &text, None);
    execute::<Shipment>(&meter.store, &SystemClock, young)
        .await
        .unwrap();
    assert_eq!(meter.cost().0, 1, "repeat of a young update");
    let old = update("S", "command-3", &text, None);
    execute::<Shipment>(&meter.store, &SystemClock, old)
        .await
        .unwrap();
    assert_eq!(
        meter.cost().0,
        2,
        "repeat of an old update: its trace is confirmed"
    );
}

#[tokio::test]
async fn a_full_history_is_loaded_within_eight_read_units() {
    let mut meter = Meter::start().await;
    let text = "x".repeat(350);
    let id = update("S", "c", "x", None).aggregate;
    let mut loaded = event_store::Loaded::<Shipment>::new(id.clone());
    for number in 1..2_000 {
        let command = update("S", &format!("command-{number}"), &text, None);
        let time = support::envelopes::at("2024-01-15T12:00:00Z");
        let decision = domain::aggregate::Command {
            at: time,
            intent: command.intent,
        };
        let events = domain::EventSourced::decide(&loaded.state, &decision).unwrap();
        let commit = loaded.next_commit(events, time, command.cause).unwrap();
        meter.store.append(&commit).await.unwrap();
        loaded = loaded.followed_by(vec![commit]).unwrap();
    }
    meter.cost();
    let command = update("S", "command-2000", &text, None);
    execute::<Shipment>(&meter.store, &SystemClock, command)
        .await
        .unwrap();
    let (requests, _, read) = meter.cost();
    assert_eq!(requests, 2);
    assert!(read <= 8.0, "{read} units");
}

/// A snapshot is a short cut: an update that fits alone is stored without one.
#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_left_out() {
    let meter = Meter::start().await;
    // Its state takes the current location with it, so that a commit holds it twice.
    let text = "x".repeat(180 * 1024);
    for number in 1..=20 {
        let command = update("S", &format!("command-{number}"), &text, None);
        let outcome = execute::<Shipment>(&meter.store, &SystemClock, command).await;
        assert_eq!(outcome.unwrap().version, number);
    }
    let id = update("S", "c", "x", None).aggregate;
    let history = meter.store.whole_history(&id).await.unwrap();
    assert!(history.iter().all(|commit| commit.snapshot.is_none()));
    let loaded = meter.store.load::<Shipment>(&id).await.unwrap();
    assert_eq!((loaded.version, loaded.state.updates), (20, 20));
}

/// Whatever a sender writes into an event, what a commit says of its cause has a bound.
#[tokio::test]
async fn what_caused_a_commit_is_bounded_whoever_names_it() {
    let meter = Meter::start().await;
    let long = "z".repeat(261_850);
    let mut command = placing("1", &long);
    command.cause.correlation_id = long.clone();
    command.cause.traceparent = Some(long.clone());
    execute::<Order>(&meter.store, &SystemClock, command.clone())
        .await
        .unwrap();
    let again = execute::<Order>(&meter.store, &SystemClock, command.clone())
        .await
        .unwrap();
    assert!(again.repeated);
    let history = meter.store.whole_history(&command.aggregate).await.unwrap();
    let cause = &history[0].cause;
    assert!(cause.command_id.starts_with("sha256/") && cause.command_id.len() < 64);
    assert_eq!(cause.correlation_id, cause.command_id);
    assert_eq!(cause.traceparent, None);
}
