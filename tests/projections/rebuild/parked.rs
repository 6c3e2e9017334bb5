//! Parked aggregates: how they are listed, and how they are resumed.

use commands::execute::execute;
use domain::{Order, order::Intent};
use event_store::{SystemClock, commit::Item};
use futures::FutureExt;
use lambda::Invocation;
use projectors::{
    Projectors, Role, parked,
    parked::{Parked, Resumed},
    ports::{Announcement, RowError, Rows as _, Table},
    rebuild::RebuildError,
};
use serde_json::json;
use support::{
    envelopes::{placing, to_order, update},
    stream::{batch, batch_of_items},
};

use super::{
    trap::{Mode, Trap, trapped},
    whole::{SteppedClock, rows, unhurried, verify},
};
use crate::World;

fn unreadable(item: &Item) -> Item {
    let events = item["events"].as_s().unwrap().replace('[', "[{");
    let mut item = item.clone();
    let events = aws_sdk_dynamodb::types::AttributeValue::S(events);
    item.insert("events".to_owned(), events);
    item
}

/// Returns a world with a completed order and a shipment, and their readable items. The order's
/// second commit and the shipment's first cannot be read, so both consumers have parked both.
async fn stopped() -> (World, Vec<Item>) {
    let mut world = unhurried();
    let clock = SteppedClock::passing("2024-02-01T00:00:00Z", 1_000);
    world.projectors.clock = clock;
    world.order(placing("1", "c-1")).await;
    world.order(to_order("1", "c-2", Intent::Complete)).await;
    world.order(placing("2", "c-1")).await;
    world.shipment(update("S", "c-1", "x", None)).await;
    let right = world.table.all();
    let mut items = right.clone();
    items[1] = unreadable(&right[1]);
    items[3] = unreadable(&right[3]);
    for item in &items {
        world.table.overwrite(item.clone()).unwrap();
    }
    for role in [Role::Project, Role::Notify] {
        assert_eq!(world.deliver(role, batch_of_items(&items)).await, None);
    }
    (world, right)
}

async fn all(world: &World) -> Vec<Parked> {
    parked::all(&world.projectors).await.unwrap()
}

fn said(parked: &[Parked]) -> Vec<String> {
    let line = |one: &Parked| {
        let (consumer, aggregate) = (&one.consumer, &one.aggregate);
        format!("{consumer} {aggregate} {} {}", one.sequence, one.code)
    };
    parked.iter().map(line).collect()
}

fn ids(world: &World) -> Vec<String> {
    let accepted = world.bus.accepted().into_iter();
    accepted.map(|message| message.id).collect()
}

#[tokio::test]
async fn all_that_is_parked_is_listed_oldest_first() {
    let (world, _) = stopped().await;
    let parked = all(&world).await;
    let expected = [
        "project order#1 2 unreadable_commit",
        "project shipment#S 1 unreadable_commit",
        "notify order#1 2 unreadable_commit",
        "notify shipment#S 1 unreadable_commit",
    ];
    assert_eq!(said(&parked), expected);
    assert!(parked.is_sorted_by_key(|one| one.since.clone()));
    assert!(parked[0].since.starts_with("2024-02-01T00:00:"));
    // More parked rows than a page has.
    for number in 0..30 {
        let row = Table::Parked.key(&format!("notify#order#{number}"), "");
        world.rows.put(Table::Parked, row).await.unwrap();
    }
    assert_eq!(all(&world).await.len(), 4 + 30 - 1);
}

#[tokio::test]
async fn what_still_cannot_be_read_stays() {
    let (world, _) = stopped().await;
    let (before, heard) = (all(&world).await, ids(&world));
    for parked in &before {
        let resumed = parked::resume(&world.projectors, parked).await;
        assert!(matches!(resumed, Ok(Resumed::Stays(_))), "{resumed:?}");
    }
    assert_eq!((all(&world).await, ids(&world)), (before, heard));
}

#[tokio::test]
async fn what_can_be_read_again_goes_on_from_where_it_stopped() {
    let (world, right) = stopped().await;
    for item in right {
        world.table.overwrite(item).unwrap();
    }
    assert_eq!(
        ids(&world),
        ["order#1/1/Order Created", "order#2/1/Order Created"]
    );
    for parked in all(&world).await {
        let resumed = parked::resume(&world.projectors, &parked).await;
        assert_eq!(resumed, Ok(Resumed::Done));
        if parked.consumer == "project" {
            assert_eq!(ids(&world).len(), 2, "rows notify nobody");
        }
    }
    assert_eq!(all(&world).await, []);
    // The first commit of the order is not announced again.
    let expected = [
        "order#1/2/Order Processed",
        "shipment#S/1/Shipment Status Changed",
    ];
    assert_eq!(ids(&world)[2..], expected);
    assert_eq!(verify(&world.projectors).await.findings, []);
    assert_eq!(rows(&world.projectors).await.len(), 2 + 2);
}

#[tokio::test]
async fn a_name_that_is_none_stays() {
    let world = unhurried();
    let row = Table::Parked.key("project#nobody", "");
    world.rows.put(Table::Parked, row).await.unwrap();
    let parked = all(&world).await;
    let resumed = parked::resume(&world.projectors, &parked[0]).await;
    assert!(matches!(resumed, Ok(Resumed::Stays(_))), "{resumed:?}");
    assert_eq!(all(&world).await, parked);
}

#[tokio::test]
async fn an_unavailable_port_is_told_and_it_stays() {
    let (world, right) = stopped().await;
    for item in right {
        world.table.overwrite(item).unwrap();
    }
    let parked = all(&world).await;
    world
        .rows
        .break_with(Some(RowError::Unavailable("down".to_owned())));
    let failed = parked::resume(&world.projectors, &parked[0]).await;
    assert!(matches!(failed, Err(RebuildError::Unavailable(_))));
    world.rows.break_with(None);
    assert_eq!(all(&world).await, parked);
}

/// An attempt to resume that fails at any call can be repeated: it leaves the aggregate parked, or
/// everything is done.
#[tokio::test(flavor = "multi_thread")]
async fn taking_up_is_done_again_wherever_it_failed() {
    for mode in [Mode::Fails, Mode::LosesItsAnswer, Mode::Outage] {
        for call in 1..30 {
            let (world, right) = stopped().await;
            for item in right {
                world.table.overwrite(item).unwrap();
            }
            let trap = Trap::at(call, mode);
            let projectors = trapped(&world.projectors, world.table.clone(), &trap);
            let mut rounds = 0;
            while let [parked, ..] = &all(&world).await[..] {
                rounds += 1;
                assert!(rounds < 12, "{mode:?} at call {call}");
                if parked::resume(&projectors, parked).await.is_err() {
                    trap.take_away();
                }
            }
            let heard = ids(&world);
            for id in [
                "order#1/2/Order Processed",
                "shipment#S/1/Shipment Status Changed",
            ] {
                assert!(
                    heard.iter().any(|heard| heard == id),
                    "{mode:?} at call {call}"
                );
            }
            let verified = verify(&world.projectors).await;
            assert_eq!(verified.findings, [], "{mode:?} at call {call}");
        }
    }
}

// ---- Parked again while it is being resumed

/// A parked order, and a bus that refuses its second message. The second commit arrives, and its
/// message is refused, after `notify` was resumed and before the parked row is removed.
struct Racing {
    world: World,
}

impl Racing {
    async fn new() -> Self {
        let world = unhurried();
        world
            .bus
            .refuse(|message: &Announcement| message.id.starts_with("order#1/"));
        world.order(placing("1", "c-1")).await;
        world.deliver(Role::Notify, batch(&world.commits())).await;
        assert_eq!(world.parked(), ["notify#order#1 1 message_refused"]);
        world
            .bus
            .refuse(|message: &Announcement| message.id.starts_with("order#1/2/"));
        Self { world }
    }

    /// Resumes the order. Meanwhile it is completed, and the bus refuses that message: for good,
    /// or, with `heals`, for this time.
    async fn resumed(&self, heals: bool) -> Result<Resumed, RebuildError> {
        let parked = all(&self.world).await.remove(0);
        let (live, bus) = (self.world.projectors.clone(), self.world.bus.clone());
        let before = move |name| {
            let (live, bus) = (live.clone(), bus.clone());
            async move {
                if name == "rows remove" {
                    complete(&live).await;
                    if heals {
                        bus.refuse(|_| false);
                    }
                }
            }
            .boxed()
        };
        let trap = Trap::before(Box::new(before));
        let events = self.world.table.clone();
        let projectors = trapped(&self.world.projectors, events, &trap);
        parked::resume(&projectors, &parked).await
    }
}

/// Completes the order and delivers the commit to `notify`.
async fn complete(live: &Projectors) {
    let command = to_order("1", "c-2", Intent::Complete);
    let id = command.aggregate.clone();
    let done = execute::<Order>(&live.store, &SystemClock, command).await;
    assert_eq!(done.unwrap().version, 2);
    let page = live.store.history(&id, 2, 1).await.unwrap();
    let invocation = Invocation::of("request");
    let handled = live.handle(Role::Notify, batch(&page.commits), &invocation);
    assert_eq!(handled.await.unwrap()["batchItemFailures"], json!([]));
}

#[tokio::test]
async fn what_is_refused_meanwhile_is_sent_as_well() {
    let racing = Racing::new().await;
    assert_eq!(racing.resumed(true).await, Ok(Resumed::Done));
    assert_eq!(racing.world.parked(), Vec::<String>::new());
    // Each message was sent at least once.
    let mut heard = ids(&racing.world);
    heard.dedup();
    assert_eq!(
        heard,
        ["order#1/1/Order Created", "order#1/2/Order Processed"]
    );
}

#[tokio::test]
async fn what_is_refused_meanwhile_and_still_is_parked_again() {
    let racing = Racing::new().await;
    let resumed = racing.resumed(false).await;
    assert!(matches!(resumed, Ok(Resumed::Stays(_))), "{resumed:?}");
    assert_eq!(racing.world.parked(), ["notify#order#1 2 message_refused"]);
    assert_eq!(ids(&racing.world), ["order#1/1/Order Created"]);
}
