//! Personal data: they are stored sealed, unsealed when events are read, and erased by destroying
//! their key.

use commands::{
    erase::{Erased, erase},
    execute::{Failure, Outcome, execute},
};
use domain::{AggregateId, Digest, EventSourced as _, Json, Order, order, personal::Owner};
use event_store::{Commit, EventStore, Loaded, SystemClock, item::Item, keys::KeyRecord};
use support::envelopes::{cause, placing, placing_for, to_order};

use crate::World;

contract!(
    an_order_is_stored_sealed_and_read_open,
    a_repeat_is_recognised_with_the_key_and_after_it_is_destroyed,
    a_customer_who_comes_back_has_another_key,
    an_order_is_completed_and_cancelled_without_any_key,
    what_an_older_build_stored_openly_is_erased_where_it_is_read,
    an_erasure_is_noted_once_and_can_be_repeated,
    a_key_that_the_table_never_had_is_an_error,
);

const NAME: &str = "Zoe Quill";

async fn send(
    world: &World,
    command: commands::execute::Envelope<order::Intent>,
) -> Result<Outcome, Failure> {
    execute::<Order>(&world.store, &SystemClock, command).await
}

fn customer() -> Owner {
    Owner::Customer("customer123".to_owned())
}

async fn erase_customer(world: &World, command_id: &str) -> Erased {
    let cause = cause(command_id, Digest::of(&Json::Null));
    let erased = erase(&world.store, &SystemClock, &customer(), cause).await;
    erased.unwrap()
}

async fn items(world: &World, id: &str) -> Vec<Item> {
    let page = world.table.oldest(id, 1, 100).await.unwrap();
    page.items
}

/// Returns the stored items of an order as text.
async fn stored(world: &World, id: &str) -> String {
    format!("{:?}", items(world, id).await)
}

async fn opened(store: &EventStore, id: &str) -> Vec<Commit> {
    let id: AggregateId = id.parse().unwrap();
    let history = store.whole_history(&id).await.unwrap();
    store.opened(history).await.unwrap()
}

/// Returns the customer's name and the other personal data of an order's first event, unsealed.
async fn shown(world: &World, id: &str) -> (String, String) {
    let commits = opened(&world.store, id).await;
    let events = commits[0].decoded::<Order>().unwrap();
    let order::Event::OrderPlaced(placed) = &events[0] else {
        panic!("{events:?}")
    };
    let personal = placed.personal.clone().unwrap();
    (placed.customer_name.clone().unwrap(), personal.to_string())
}

const ERASED: (&str, &str) = ("[erased]", r#""[erased]""#);

fn read(shown: &(String, String)) -> (&str, &str) {
    (&shown.0, &shown.1)
}

async fn an_order_is_stored_sealed_and_read_open(world: World) {
    send(&world, placing_for("1", "a", NAME)).await.unwrap();
    let complete = to_order("1", "b", order::Intent::Complete);
    send(&world, complete).await.unwrap();
    let stored = stored(&world, "order#1").await;
    assert!(
        !stored.contains("Zoe") && !stored.contains("example"),
        "{stored}"
    );
    assert!(
        stored.contains("traces"),
        "its snapshots are looked at, too"
    );
    let mail = r#"{"mail":"Zoe Quill@example.com"}"#;
    assert_eq!(read(&shown(&world, "order#1").await), (NAME, mail));
    // An order without personal data needs no keys.
    send(&world, placing("2", "c")).await.unwrap();
    let bare = EventStore::new(world.table.clone());
    assert_eq!(opened(&bare, "order#2").await.len(), 1);
    let id = "order#1".parse().unwrap();
    let history = bare.whole_history(&id).await.unwrap();
    assert!(bare.opened(history).await.is_err());
}

async fn a_repeat_is_recognised_with_the_key_and_after_it_is_destroyed(world: World) {
    let first = send(&world, placing_for("1", "a", NAME)).await.unwrap();
    let again = send(&world, placing_for("1", "a", NAME)).await.unwrap();
    assert!(again.repeated && again.own && again.version == first.version);
    let known = send(&world, placing_for("1", "other", NAME)).await.unwrap();
    assert!(known.repeated && !known.own);
    let other = send(&world, placing_for("1", "a", "Somebody Else")).await;
    assert_eq!(other, Err(Failure::IdReused));
    let Err(Failure::Refused { refusal, .. }) =
        send(&world, placing_for("1", "other", "Somebody Else")).await
    else {
        panic!("it is another order")
    };
    assert_eq!(refusal.code(), "order_exists");

    erase_customer(&world, "e").await;
    let again = send(&world, placing_for("1", "a", NAME)).await.unwrap();
    assert!(again.repeated && again.own && again.version == first.version);
    let known = send(&world, placing_for("1", "other", NAME)).await.unwrap();
    assert!(known.repeated && !known.own);
    let mut changed = placing_for("1", "a", NAME);
    let order::Intent::Place(place) = &mut changed.intent else {
        unreachable!()
    };
    place.items.push(support::envelopes::item("p3", 1, "1"));
    assert_eq!(send(&world, changed).await, Err(Failure::IdReused));
    assert_eq!(read(&shown(&world, "order#1").await), ERASED);
}

async fn a_customer_who_comes_back_has_another_key(world: World) {
    send(&world, placing_for("1", "a", NAME)).await.unwrap();
    erase_customer(&world, "e").await;
    send(&world, placing_for("2", "b", NAME)).await.unwrap();
    assert_eq!(read(&shown(&world, "order#1").await), ERASED);
    assert_eq!(shown(&world, "order#2").await.0, NAME);
    // A repeat of the first erasure erases nothing that was stored after it.
    erase_customer(&world, "e").await;
    assert_eq!(shown(&world, "order#2").await.0, NAME);
    let second = erase_customer(&world, "f").await;
    assert!(!second.before);
    assert_eq!(read(&shown(&world, "order#2").await), ERASED);
}

async fn an_order_is_completed_and_cancelled_without_any_key(world: World) {
    send(&world, placing_for("1", "a", NAME)).await.unwrap();
    let bare = EventStore::new(world.table.clone());
    let complete = to_order("1", "b", order::Intent::Complete);
    let done = execute::<Order>(&bare, &SystemClock, complete).await;
    assert_eq!(done.unwrap().status, "PROCESSED");
    // Without keys an order with personal data cannot be placed: nothing is stored in plain text.
    let placed = execute::<Order>(&bare, &SystemClock, placing_for("2", "c", NAME)).await;
    assert!(matches!(placed, Err(Failure::Unavailable(_))), "{placed:?}");
    assert!(items(&world, "order#2").await.is_empty());
}

async fn what_an_older_build_stored_openly_is_erased_where_it_is_read(world: World) {
    send(&world, placing("1", "a")).await.unwrap();
    let mut item = items(&world, "order#1").await.remove(0);
    let text = |item: &Item| item["events"].as_s().unwrap().clone();
    let older = text(&item).replace(r#""version":3"#, r#""version":2"#);
    let older = older.replace(r#","items""#, r#","customerName":"Zoe Quill","items""#);
    assert!(older.contains("Zoe"), "{older}");
    let set = |item: &mut Item, name: &str, value: String| {
        let value = aws_sdk_dynamodb::types::AttributeValue::S(value);
        item.insert(name.to_owned(), value);
    };
    set(
        &mut item,
        "events",
        older.replace(r#""orderId":"1""#, r#""orderId":"7""#),
    );
    set(&mut item, "aggregate", "order#7".to_owned());
    item.remove("snapshot");
    world.table.put_new(item).await.unwrap();
    let name = async || {
        let commits = opened(&world.store, "order#7").await;
        Loaded::<Order>::from_history("order#7".parse().unwrap(), commits).unwrap()
    };
    let open = format!("{:?}", name().await.state);
    assert!(open.contains(NAME), "{open}");
    // Completing the order writes no further copy of the name.
    let complete = to_order("7", "b", order::Intent::Complete);
    send(&world, complete).await.unwrap();
    let second = items(&world, "order#7").await.remove(1);
    assert!(!format!("{second:?}").contains("Zoe"));
    erase_customer(&world, "e").await;
    let erased = name().await.state;
    assert_eq!(erased.status(), Some("PROCESSED"));
    let erased = format!("{erased:?}");
    assert!(
        !erased.contains("Zoe") && erased.contains("[erased]"),
        "{erased}"
    );
}

async fn an_erasure_is_noted_once_and_can_be_repeated(world: World) {
    send(&world, placing_for("1", "a", NAME)).await.unwrap();
    let first = erase_customer(&world, "e").await;
    assert!(!first.before);
    let again = erase_customer(&world, "e").await;
    assert_eq!((again.before, again.erased_at), (true, first.erased_at));
    erase_customer(&world, "another").await;
    let noted = opened(&world.store, "erasure#customer#customer123").await;
    assert_eq!(noted.len(), 1, "{noted:?}");
    let text = noted[0].events[0].data.get().to_owned();
    assert!(
        text.contains("customer#customer123") && text.contains(r#""key":1"#),
        "{text}"
    );
}

async fn a_key_that_the_table_never_had_is_an_error(world: World) {
    send(&world, placing_for("1", "a", NAME)).await.unwrap();
    let elsewhere = EventStore::new(world.table.clone()).with_keys(event_store::Keys::in_memory());
    let history = elsewhere
        .whole_history(&"order#1".parse().unwrap())
        .await
        .unwrap();
    let opened = elsewhere.opened(history).await;
    assert!(
        matches!(opened, Err(event_store::StoreError::Corrupt { .. })),
        "{opened:?}"
    );
    assert_eq!(
        elsewhere.keys().unwrap().record(&customer()).await,
        Ok(None::<KeyRecord>)
    );
}
