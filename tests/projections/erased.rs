//! Erasures: the rows of an erased customer show no personal data, in whichever order things
//! happen, and rebuilt rows equal live ones before and after.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use commands::erase::erase;
use domain::{AggregateId, Digest, Json, OrderId, order::Intent, personal::Owner};
use event_store::{Commit, EventStore, SystemClock, commit::Item};
use projectors::{
    Role,
    parked::{self, Resumed},
    ports::{RowError, Rows, Table},
    rebuild::{aggregate::compare, sweep::Sweep},
};
use support::{
    clock::PausedClock,
    envelopes::{cause, placing_for, to_order},
    hooked::{Hooked, Hooks},
    stream::batch,
};

use crate::World;

const NAME: &str = "Zoe Quill";

async fn erase_customer(store: &EventStore) {
    let owner = Owner::Customer("customer123".to_owned());
    let cause = cause("erase", Digest::of(&Json::Null));
    erase(store, &SystemClock, &owner, cause).await.unwrap();
}

/// Returns a world with two orders of one customer and one of another with the same name.
async fn world() -> World {
    let mut world = World::new();
    // The erasure waits until an index is up to date; on this clock that takes no time.
    world.projectors.clock = Arc::new(PausedClock::default());
    for id in ["1", "2"] {
        world.order(placing_for(id, "c", NAME)).await;
    }
    let mut other = placing_for("3", "c", NAME);
    let Intent::Place(place) = &mut other.intent else {
        unreachable!()
    };
    place.customer_id = Some("somebody".to_owned());
    world.order(other).await;
    world
}

fn of(world: &World, aggregate: &str) -> Vec<Commit> {
    let mut commits = world.commits();
    commits.retain(|commit| commit.aggregate.to_string() == aggregate);
    commits
}

fn row(world: &World, id: &str) -> String {
    let mut rows = world.rows(Table::ProcessedOrders);
    rows.retain(|row| row.contains(&format!(r#""orderId":"{id}""#)));
    assert_eq!(rows.len(), 1, "{id}");
    rows.remove(0)
}

fn is_erased(row: &str) -> bool {
    let erased = row.contains(r#""customerName":"[erased]""#)
        && row.contains(r#""personal":"[erased]""#)
        && !row.contains("Zoe");
    let open = row.contains(&format!(r#""customerName":"{NAME}""#))
        && row.contains("example.com")
        && !row.contains("[erased]");
    assert!(erased || open, "half: {row}");
    erased
}

/// Checks that all rows agree with the histories.
async fn verified(world: &World) {
    for id in ["1", "2", "3"] {
        let compared = compare(&world.projectors, &format!("order#{id}")).await;
        assert_eq!(compared.unwrap().findings, [], "{id}");
    }
}

#[tokio::test]
async fn rows_of_an_erased_customer_are_rewritten_and_no_other() {
    let world = world().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    assert!(!is_erased(&row(&world, "1")));
    verified(&world).await;
    let before = row(&world, "1");
    erase_customer(&world.projectors.store).await;
    let erasure = of(&world, "erasure#customer#customer123");
    assert_eq!(world.deliver(Role::Project, batch(&erasure)).await, None);
    let rows = ["1", "2", "3"].map(|id| is_erased(&row(&world, id)));
    assert_eq!(rows, [true, true, false]);
    let mail = format!("{NAME}@example.com");
    let expected = before
        .replace(&format!(r#"{{"mail":"{mail}"}}"#), r#""[erased]""#)
        .replace(NAME, "[erased]");
    assert_eq!(row(&world, "1"), expected, "everything else is as before");
    verified(&world).await;
    // Neither a late delivery nor a later command writes the name again.
    world.order(to_order("1", "d", Intent::Complete)).await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    assert!(is_erased(&row(&world, "1")) && row(&world, "1").contains("PROCESSED"));
    verified(&world).await;
    // Nothing is announced.
    world.deliver(Role::Notify, batch(&erasure)).await;
    assert!(world.bus.accepted().is_empty() && world.topic.accepted().is_empty());
    assert_eq!(world.parked(), [] as [String; 0]);
}

#[tokio::test]
async fn without_keys_nothing_is_written_and_nothing_is_parked() {
    let mut world = world().await;
    let bare = EventStore::new(world.table.clone());
    let with_keys = std::mem::replace(&mut world.projectors.store, bare);
    let again = world.deliver(Role::Project, batch(&world.commits())).await;
    assert!(again.is_some(), "the batch comes again");
    assert_eq!(world.rows(Table::ProcessedOrders), [] as [String; 0]);
    assert_eq!(world.parked(), [] as [String; 0]);
    world.projectors.store = with_keys;
    assert_eq!(
        world.deliver(Role::Project, batch(&world.commits())).await,
        None
    );
    assert!(!is_erased(&row(&world, "1")));
}

/// Rows that erase the customer just before a row is put that has the customer's name.
struct ErasesFirst {
    rows: Arc<dyn Rows>,
    store: EventStore,
}

impl Hooks for ErasesFirst {
    fn rows(&self) -> &Arc<dyn Rows> {
        &self.rows
    }

    async fn around<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, RowError>> + Send,
    ) -> Result<T, RowError> {
        if call == "rows put_newer" {
            erase_customer(&self.store).await;
        }
        work.await
    }
}

#[tokio::test]
async fn a_row_that_is_written_while_its_customer_is_erased_is_written_again() {
    let mut world = world().await;
    let store = world.projectors.store.clone();
    let rows = world.rows.clone();
    world.projectors.rows = Arc::new(Hooked(ErasesFirst { rows, store }));
    let commits = of(&world, "order#1");
    assert_eq!(world.deliver(Role::Project, batch(&commits)).await, None);
    assert!(is_erased(&row(&world, "1")));
}

#[tokio::test]
async fn an_order_without_a_customer_is_erased_by_itself() {
    let world = world().await;
    let mut alone = placing_for("9", "c", NAME);
    let Intent::Place(place) = &mut alone.intent else {
        unreachable!()
    };
    place.customer_id = None;
    world.order(alone).await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    assert!(!is_erased(&row(&world, "9")));
    let id: OrderId = "9".parse().unwrap();
    let owner = Owner::Order(id);
    let cause = cause("erase", Digest::of(&Json::Null));
    let erased = erase(&world.projectors.store, &SystemClock, &owner, cause).await;
    assert!(!erased.unwrap().before);
    world.deliver(Role::Project, batch(&world.commits())).await;
    let rows = ["1", "9"].map(|id| is_erased(&row(&world, id)));
    assert_eq!(rows, [false, true]);
}

#[tokio::test]
async fn an_erasure_that_was_only_noted_is_carried_out() {
    let world = world().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    // The state after a crash between the entry in the history and the rest of the erasure.
    let owner = Owner::Customer("customer123".to_owned());
    let intent = domain::erasure::Intent {
        owner: owner.clone(),
        key: 1,
    };
    let envelope = commands::execute::Envelope {
        aggregate: AggregateId::Erasure(owner),
        expected_version: None,
        cause: cause("erase", Digest::of(&Json::Null)),
        intent,
    };
    let store = &world.projectors.store;
    commands::execute::execute::<domain::Erasures>(store, &SystemClock, envelope)
        .await
        .unwrap();
    assert!(!is_erased(&row(&world, "1")));
    world.deliver(Role::Project, batch(&world.commits())).await;
    let rows = ["1", "2", "3"].map(|id| is_erased(&row(&world, id)));
    assert_eq!(rows, [true, true, false]);
}

/// Makes the aggregate's only commit unreadable. Returns its item as it was before.
fn make_unreadable(world: &World, aggregate: &str) -> Item {
    let is_its = |item: &Item| {
        let commit = Commit::from_item(item.clone()).unwrap();
        commit.aggregate.to_string() == aggregate
    };
    let mut items = world.table.all();
    items.retain(is_its);
    let mut item = items[0].clone();
    let events = item["events"].as_s().unwrap().replace('[', "[{");
    item.insert("events".to_owned(), AttributeValue::S(events));
    world.table.overwrite(item).unwrap();
    items.remove(0)
}

#[tokio::test]
async fn one_unreadable_order_does_not_keep_the_others_of_its_customer_from_being_rewritten() {
    let world = world().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    erase_customer(&world.projectors.store).await;
    let erasure = of(&world, "erasure#customer#customer123");
    for unreadable in ["order#1", "order#2"] {
        let right = make_unreadable(&world, unreadable);
        assert_eq!(world.deliver(Role::Project, batch(&erasure)).await, None);
        let rows = ["order#1", "order#2"].map(|id| is_erased(&row(&world, &id[6..])));
        let [first, second] = ["order#1", "order#2"].map(|id| id != unreadable);
        assert!(
            rows[0] >= first && rows[1] >= second,
            "{unreadable}: {rows:?}"
        );
        assert_eq!(world.parked().len(), 1, "the unreadable order is parked");
        world.table.overwrite(right).unwrap();
    }
    let parked = parked::all(&world.projectors).await.unwrap();
    let resumed = parked::resume(&world.projectors, &parked[0]).await;
    assert_eq!(resumed, Ok(Resumed::Done));
    let rows = ["1", "2", "3"].map(|id| is_erased(&row(&world, id)));
    assert_eq!(rows, [true, true, false]);
}

#[tokio::test]
async fn a_sweep_goes_on_past_an_erasure_that_cannot_be_carried_out() {
    let world = world().await;
    world.deliver(Role::Project, batch(&world.commits())).await;
    erase_customer(&world.projectors.store).await;
    make_unreadable(&world, "order#1");
    let wrong = row(&world, "3").replace("prod1", "prod9");
    let wrong = serde_json::from_str(&wrong).unwrap();
    world.rows.put(Table::ProcessedOrders, wrong).await.unwrap();
    let mut sweep = Sweep::new(0, 1, true);
    while !sweep.done {
        sweep.step(&world.projectors, || false).await.unwrap();
    }
    assert_eq!(sweep.counted.unreadable, 1);
    let rows = ["1", "2"].map(|id| is_erased(&row(&world, id)));
    assert_eq!(rows, [false, true], "what can be rewritten is");
    assert!(
        !row(&world, "3").contains("prod9"),
        "the segment is swept to its end"
    );
}
