//! The repeated announcing of the commits of a range of time.

use std::collections::BTreeSet;

use commands::execute::execute;
use domain::{Order, Timestamp, order::Intent};
use projectors::{
    Projectors,
    announce::{Announce, Announced},
    ports::Announcement,
    rebuild::RebuildError,
};
use support::envelopes::{at, placing, to_order};

use super::{
    trap::{Mode, Trap, trapped},
    whole::{SteppedClock, unhurried},
};
use crate::World;

const NOON: &str = "2024-01-15T12:00:00.000Z";
const ONE: &str = "2024-01-15T13:00:00.000Z";

/// Returns a world with orders that were placed in the morning, exactly at noon, within the hour
/// after noon, and at one o'clock. Some of the morning were completed within that hour.
async fn day() -> World {
    let world = unhurried();
    for number in 0..120 {
        let id = format!("A-{number:03}");
        let placed = match number % 4 {
            0 => "2024-01-15T11:59:59.999Z",
            1 => NOON,
            2 => "2024-01-15T12:59:59.999Z",
            _ => ONE,
        };
        act(
            &world,
            SteppedClock::from(placed).as_ref(),
            placing(&id, "c-1"),
        )
        .await;
        if number % 8 == 0 {
            let clock = SteppedClock::from("2024-01-15T12:30:00Z");
            let complete = to_order(&id, "c-2", Intent::Complete);
            act(&world, clock.as_ref(), complete).await;
        }
    }
    world
}

async fn act(world: &World, clock: &SteppedClock, command: commands::execute::Envelope<Intent>) {
    let done = execute::<Order>(&world.projectors.store, clock, command).await;
    assert!(done.unwrap().event.is_some());
}

/// Returns the ids of the messages from noon to before one o'clock.
fn due() -> BTreeSet<String> {
    let mut due = BTreeSet::new();
    for number in 0..120 {
        if matches!(number % 4, 1 | 2) {
            due.insert(format!("order#A-{number:03}/1/Order Created"));
        }
        if number % 8 == 0 {
            due.insert(format!("order#A-{number:03}/2/Order Processed"));
        }
    }
    due
}

fn ids(world: &World) -> BTreeSet<String> {
    let accepted = world.bus.accepted().into_iter();
    accepted.map(|message| message.id).collect()
}

fn segments() -> impl Iterator<Item = Announce> {
    let hour: (Timestamp, Timestamp) = (at(NOON), at(ONE));
    (0..3).map(move |segment| Announce::new((segment, 3), hour.0, hour.1))
}

/// Announces the hour again. A piece that fails continues from the state that it has reached.
async fn announced(projectors: &Projectors, trap: &Trap, enough: bool) -> Announced {
    let mut sum = Announced::default();
    for mut announce in segments() {
        while !announce.done {
            match announce.step(projectors, || enough).await {
                Ok(()) => {}
                Err(RebuildError::Unavailable(_)) => trap.take_away(),
                Err(error) => panic!("{error}"),
            }
        }
        sum.add(&announce.counted);
    }
    sum
}

#[tokio::test]
async fn the_messages_of_a_time_are_sent_again_and_no_others() {
    for enough in [false, true] {
        let world = day().await;
        let counted = announced(&world.projectors, &Trap::none(), enough).await;
        assert_eq!(ids(&world), due());
        let number = due().len() as u64;
        assert_eq!((counted.messages, counted.commits), (number, number));
        assert_eq!((counted.read, counted.refused), (120 + 15, 0));
        assert_eq!(world.bus.accepted().len() as u64, number, "each once");
        let one_scan = {
            let mut scan = world.projectors.store.scan(0, 1, None);
            while scan.next().await.is_some() {}
            scan.half_units()
        };
        assert!(enough || counted.half_units * 10 <= one_scan * 11 + 30);
    }
}

#[tokio::test]
async fn each_aggregate_with_a_refused_message_is_counted_and_the_others_go_out() {
    let world = day().await;
    world.bus.refuse(|message: &Announcement| {
        [
            "order#A-001/",
            "order#A-002/",
            "order#A-008/2",
            "order#A-117/",
        ]
        .iter()
        .any(|refused| message.id.starts_with(refused))
    });
    let mut item = world.table.all().remove(8);
    assert_eq!(item["aggregate"].as_s().unwrap(), "order#A-007");
    let events = aws_sdk_dynamodb::types::AttributeValue::S("[{]".to_owned());
    item.insert("events".to_owned(), events);
    world.table.overwrite(item).unwrap();
    let counted = announced(&world.projectors, &Trap::none(), false).await;
    let number = due().len() as u64;
    assert_eq!(counted.refused, 4 + 1, "one more cannot be read");
    assert_eq!(counted.messages, number - 4);
    assert_eq!(ids(&world).len() as u64, number - 4);
    assert!(ids(&world).is_subset(&due()));
    assert_eq!(world.parked(), Vec::<String>::new());
}

#[tokio::test]
async fn it_goes_on_wherever_it_failed() {
    let world = day().await;
    let count = Trap::none();
    let counting = trapped(&world.projectors, world.table.clone(), &count);
    announced(&counting, &count, true).await;
    for mode in [Mode::Fails, Mode::Outage] {
        for call in (1..=count.calls()).step_by(2) {
            let world = World {
                bus: Default::default(),
                projectors: world.projectors.clone(),
                table: world.table.clone(),
                rows: world.rows.clone(),
                topic: world.topic.clone(),
            };
            let mut projectors = world.projectors.clone();
            projectors.bus = world.bus.clone();
            let trap = Trap::at(call, mode);
            let failing = trapped(&projectors, world.table.clone(), &trap);
            let counted = announced(&failing, &trap, call % 4 == 1).await;
            assert_eq!(ids(&world), due(), "{mode:?} at call {call}");
            let number = due().len() as u64;
            assert_eq!((counted.messages, counted.commits), (number, number));
            assert_eq!(counted.read, 120 + 15, "{mode:?} at call {call}");
        }
    }
}
