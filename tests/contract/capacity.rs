//! The capacity budget of the design: the number of requests, and the units that DynamoDB reports.

// Units are multiples of 0.5, which a float holds exactly.
#![allow(clippy::float_arithmetic)]

use std::sync::Arc;

use commands::execute::{Failure, execute};
use domain::{
    Order, Shipment,
    order::Intent,
    shipment::{Status, UpdateKind},
};
use event_store::{
    EventStore, Loaded, SystemClock,
    dynamodb::{DynamoDbTable, Usage},
};
use support::{
    embedded::Embedded,
    envelopes::{placing, to_order, update, update_of},
};

/// A store whose costs are counted. `before` is the usage at the last call of `cost`.
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

    /// Returns the requests, write units and read units since the last call.
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
    // A failed condition is charged but not reported: here 1 unit, by the commit's size.
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

/// Sends the updates `numbers` of a shipment, one after the other. Returns the most requests, write
/// units and read units that one of them took.
async fn most(
    meter: &mut Meter,
    text: &str,
    numbers: std::ops::RangeInclusive<u32>,
) -> (u64, f64, f64) {
    let mut most = (0, 0.0, 0.0);
    meter.cost();
    for number in numbers {
        let command = update("S", &format!("command-{number}"), text, None);
        execute::<Shipment>(&meter.store, &SystemClock, command)
            .await
            .unwrap();
        let cost = meter.cost();
        most.0 = most.0.max(cost.0);
        most.1 = f64::max(most.1, cost.1);
        most.2 = f64::max(most.2, cost.2);
    }
    most
}

/// Stores the updates `numbers` after `loaded`, without loading the shipment each time.
async fn written(
    meter: &Meter,
    text: &str,
    numbers: std::ops::RangeInclusive<u32>,
    mut loaded: Loaded<Shipment>,
) -> Loaded<Shipment> {
    for number in numbers {
        let command = update("S", &format!("command-{number}"), text, None);
        let time = support::envelopes::at("2024-01-15T12:00:00Z");
        let decision = domain::aggregate::Command {
            at: time,
            intent: command.intent,
        };
        let events = domain::EventSourced::decide(&loaded.state, &decision).unwrap();
        let commit = loaded.next_commit(events, time, command.cause).unwrap();
        meter.store.append(&commit).await.unwrap();
        loaded = loaded.apply_newest_first(vec![commit]).unwrap();
    }
    loaded
}

#[tokio::test]
async fn what_comes_first_of_a_shipment_is_one_request() {
    let mut meter = Meter::start().await;
    let created = |id: &str, command_id: &str| {
        let mut command = update(id, command_id, "x", Some("2024-01-15T11:00:00Z"));
        update_of(&mut command).status = Status::created();
        command
    };
    let named = |id: &str| {
        let mut command = update(id, "c-1", "x", None);
        update_of(&mut command).kind = UpdateKind::Created;
        command
    };
    for command in [created("S", "c-1"), named("T")] {
        execute::<Shipment>(&meter.store, &SystemClock, command)
            .await
            .unwrap();
        assert_eq!(meter.cost(), (1, 1.0, 0.0), "first");
    }
    execute::<Shipment>(&meter.store, &SystemClock, created("S", "c-1"))
        .await
        .unwrap();
    assert_eq!(meter.cost(), (1, 0.0, 0.0), "repeat of the first");
    // The same content under another id: the history is read before it is known as a repeat.
    let again = execute::<Shipment>(&meter.store, &SystemClock, created("S", "c-2")).await;
    assert!(again.unwrap().repeated);
    assert_eq!(meter.cost(), (2, 0.0, 1.0), "repeat of its content");
    // An update that may be the first but is not costs one request more, which fails.
    execute::<Shipment>(&meter.store, &SystemClock, {
        let mut command = created("S", "c-3");
        command.cause = support::envelopes::cause("c-3", domain::Digest::of(&"other".into()));
        command
    })
    .await
    .unwrap();
    assert_eq!(meter.cost(), (3, 1.0, 1.0), "one that was not the first");
}

#[tokio::test]
async fn a_small_shipment_costs_what_the_budget_says() {
    let mut meter = Meter::start().await;
    let first = most(&mut meter, "x", 1..=1).await;
    assert_eq!(first, (2, 1.0, 1.0), "a first update of another status");
    // Commits of some 540 B: the snapshot costs no unit more, and it is all that a load reads.
    assert_eq!(most(&mut meter, "x", 2..=30).await, (2, 1.0, 1.0));
    let id = update("S", "c", "x", None).aggregate;
    let loaded = meter.store.load::<Shipment>(&id).await.unwrap();
    assert_eq!((loaded.version, loaded.recent.len()), (30, 1));
    assert_eq!(meter.cost(), (1, 0.0, 1.0), "a load");
    // Where a snapshot has no room for all fingerprints, the last full
    // snapshot is read, too. It has 8 bytes for each commit, and the state.
    let (requests, written, read) = most(&mut meter, "x", 31..=250).await;
    assert_eq!((requests, written, read), (3, 3.0, 2.0));
    // Repeats of the latest commit, of one after the full snapshot, and of one in it.
    // Each except the first is confirmed by reading that commit.
    for (number, requests) in [(250, 1), (249, 2), (3, 3)] {
        let repeat = update("S", &format!("command-{number}"), "x", None);
        let outcome = execute::<Shipment>(&meter.store, &SystemClock, repeat).await;
        assert_eq!(outcome.unwrap().version, number);
        let cost = meter.cost();
        assert_eq!(cost.0, requests, "repeat of {number}: {cost:?}");
    }
}

#[tokio::test]
async fn commits_of_a_kilobyte_cost_what_the_budget_says() {
    let mut meter = Meter::start().await;
    // Commits of almost 1 KB, the largest of the budget: each snapshot costs a unit.
    let text = "x".repeat(350);
    let (requests, written, read) = most(&mut meter, &text, 1..=250).await;
    assert_eq!((requests, written, read), (3, 4.0, 4.0));
    let (before, young) = (meter.cost(), update("S", "command-250", &text, None));
    execute::<Shipment>(&meter.store, &SystemClock, young)
        .await
        .unwrap();
    assert_eq!(
        (before.0, meter.cost().0),
        (0, 2),
        "repeat of a young update"
    );
    let old = update("S", "command-3", &text, None);
    execute::<Shipment>(&meter.store, &SystemClock, old)
        .await
        .unwrap();
    assert_eq!(
        meter.cost().0,
        3,
        "repeat of an old update: its fingerprint is confirmed"
    );
}

/// The costs that grow with a history: those of the full snapshot, which every command reads, on
/// average.
#[tokio::test]
async fn a_long_history_costs_what_the_budget_says() {
    for (text, expected) in [("x", [(4, 8.0), (4, 43.0)]), ("", [(4, 7.0), (4, 42.0)])] {
        let text = text.repeat(350);
        let mut meter = Meter::start().await;
        let mut loaded = Loaded::new(update("S", "c", "x", None).aggregate);
        let mut from = 1;
        for (last, (requests, read)) in [2_000, 20_000].into_iter().zip(expected) {
            loaded = written(&meter, &text, from..=last - 51, loaded).await;
            let all = meter.cost();
            let cost = most(&mut meter, &text, last - 50..=last).await;
            assert_eq!((cost.0, cost.2), (requests, read), "{last}");
            // All snapshots together cost less than a commit of 1 KB itself.
            let each = all.1 / f64::from(last - 50 - from);
            println!(
                "{} B: {each:.2} write units each, {last}: {cost:?}",
                text.len()
            );
            assert!(each < 1.7, "{last}: {each} write units each");
            loaded = meter.store.load(&loaded.id).await.unwrap();
            let unknown = meter.store.recognise(&mut loaded, "none", &[], &|_| true);
            assert!(unknown.await.unwrap().is_none());
            from = last + 1;
        }
    }
}

/// A snapshot is optional: an update that fits only without one is stored without.
#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_left_out() {
    let meter = Meter::start().await;
    // The state has the current location, so a commit with a snapshot would hold it twice.
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
    // A history beyond the limit of a load is folded from its beginning, and its commits are not
    // kept.
    let text = &text;
    assert_eq!(written(&meter, text, 21..=100, loaded).await.version, 100);
    let loaded = meter.store.load::<Shipment>(&id).await.unwrap();
    assert_eq!((loaded.version, loaded.state.updates), (100, 100));
    assert!(loaded.recent.is_empty());
    let repeat = update("S", "command-7", text, None);
    let outcome = execute::<Shipment>(&meter.store, &SystemClock, repeat).await;
    assert_eq!(outcome.unwrap().version, 7);
}

/// The texts of a commit's cause have a limit, whatever a sender writes into an event.
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
