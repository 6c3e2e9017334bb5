//! The role `notify`: commits become messages, each sent at least once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::order::Intent;
use projectors::{
    Role,
    ports::{Announcement, RowError, Sent},
};
use support::{
    clock::PausedClock,
    envelopes::{placing, to_order, update, update_of},
    outbox::Outbox,
    stream::batch,
};

use crate::World;

fn ids(world: &World) -> BTreeSet<String> {
    world
        .bus
        .accepted()
        .into_iter()
        .map(|message| message.id)
        .collect()
}

fn failed() -> Sent {
    Sent::Failed("InternalFailure".to_owned())
}

async fn orders(count: usize) -> World {
    let world = World::new();
    for number in 0..count {
        world.order(placing(&format!("{number:03}"), "c-1")).await;
    }
    world
}

#[tokio::test]
async fn every_event_is_announced_with_a_stable_id() {
    let world = orders(1).await;
    world
        .order(to_order("000", "c-2", Intent::Cancel { reason: None }))
        .await;
    for _ in 0..2 {
        assert_eq!(
            world.deliver(Role::Notify, batch(&world.commits())).await,
            None
        );
    }
    let expected = ["order#000/1/Order Created", "order#000/2/Order Cancelled"];
    assert_eq!(ids(&world), expected.map(str::to_owned).into());
    assert_eq!(
        world.bus.accepted().len(),
        4,
        "again with every delivery, under the same ids"
    );
    let cancelled = world.bus.accepted()[1].detail.to_string();
    assert!(
        cancelled.contains(r#""previousStatus":"PROCESSING","status":"CANCELLED""#),
        "{cancelled}"
    );
    assert!(!cancelled.contains("items"), "{cancelled}");
}

#[tokio::test]
async fn ten_messages_travel_in_one_call() {
    let world = orders(25).await;
    world.deliver(Role::Notify, batch(&world.commits())).await;
    assert_eq!(world.bus.calls(), [10, 10, 5]);
}

#[tokio::test]
async fn a_failed_entry_is_sent_again_and_the_accepted_ones_are_not() {
    let world = orders(3).await;
    world
        .bus
        .script([Sent::Accepted, failed(), Sent::Accepted, failed()]);
    assert_eq!(
        world.deliver(Role::Notify, batch(&world.commits())).await,
        None
    );
    assert_eq!(world.bus.calls(), [3, 1, 1]);
    assert_eq!((world.bus.accepted().len(), ids(&world).len()), (3, 3));
}

#[tokio::test]
async fn an_entry_that_keeps_failing_stops_the_batch_at_its_record() {
    let world = orders(3).await;
    world.bus.script([
        Sent::Accepted,
        failed(),
        Sent::Accepted,
        failed(),
        failed(),
        failed(),
    ]);
    assert_eq!(
        world
            .deliver(Role::Notify, batch(&world.commits()))
            .await
            .as_deref(),
        Some("2")
    );
    assert_eq!(ids(&world).len(), 2);
    assert!(world.parked().is_empty());
}

#[tokio::test]
async fn a_refused_message_parks_its_own_aggregate_and_the_others_go_on() {
    let world = orders(3).await;
    world
        .bus
        .refuse(|message: &Announcement| message.id.starts_with("order#001/"));
    assert_eq!(
        world.deliver(Role::Notify, batch(&world.commits())).await,
        None
    );
    assert_eq!(world.parked(), ["notify#order#001 1 message_refused"]);
    assert_eq!(ids(&world).len(), 2);
}

#[tokio::test]
async fn large_messages_share_a_call_only_as_far_as_they_fit() {
    let world = World::new();
    for number in 0..6 {
        let id = format!("S{number}");
        world
            .shipment(update(&id, "c-1", &"x".repeat(60_000), None))
            .await;
    }
    world.deliver(Role::Notify, batch(&world.commits())).await;
    assert_eq!(world.bus.calls(), [4, 2]);
}

#[tokio::test]
async fn a_critical_update_alerts_and_a_late_one_says_so() {
    let world = World::new();
    let send = |number: u32, status: &str, time: &str| {
        let mut command = update("S", &format!("c-{number}"), "Memphis\nTN", Some(time));
        update_of(&mut command).status = status.to_owned().try_into().unwrap();
        update_of(&mut command).carrier = Some("FedEx".to_owned());
        command
    };
    world
        .shipment(send(1, "IN_TRANSIT", "2024-01-15T12:00:00Z"))
        .await;
    world
        .shipment(send(2, "LOST", "2024-01-15T11:00:00Z"))
        .await;
    world
        .shipment(send(3, "DELAYED", "2024-01-15T13:00:00Z"))
        .await;
    world
        .shipment(send(4, "DELAYED", "2024-01-15T14:00:00Z"))
        .await;
    world.deliver(Role::Notify, batch(&world.commits())).await;
    let expected = [
        "shipment#S/1/Shipment Status Changed",
        "shipment#S/2/Shipment Alert",
        "shipment#S/3/Shipment Alert",
        "shipment#S/3/Shipment Status Changed",
        "shipment#S/4/Shipment Alert",
    ];
    assert_eq!(ids(&world), expected.map(str::to_owned).into());
    let late: Vec<bool> = world
        .bus
        .accepted()
        .iter()
        .filter(|message| message.detail_type == "Shipment Alert")
        .map(|message| message.detail.to_string().contains("\"late\":true"))
        .collect();
    assert_eq!(late, [true, false, false]);
    let alerts = world.topic.accepted();
    let subjects: Vec<&str> = alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "Logistics Alert: LOST - S",
            "Logistics Alert: DELAYED - S",
            "Logistics Alert: DELAYED - S",
        ]
    );
    assert!(
        alerts[0].body.contains("This update is late"),
        "{}",
        alerts[0].body
    );
    assert!(!alerts[1].body.contains("late:"), "{}", alerts[1].body);
    assert!(alerts[0].body.contains("Memphis TN"), "{}", alerts[0].body);
    assert_eq!(
        alerts[0].attributes,
        [
            ("id", "shipment#S/2/Shipment Alert".to_owned()),
            ("status", "LOST".to_owned()),
            ("carrier", "FedEx".to_owned()),
            ("environment", "test".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_mail_names_the_city_and_never_who_lives_where() {
    let world = World::new();
    let send = |id: &str, location: &str, object: Option<&str>| {
        let mut lost = update(id, "c-1", location, None);
        let said = update_of(&mut lost);
        said.status = "LOST".to_owned().try_into().unwrap();
        said.carrier = Some("x".repeat(60_000));
        if let Some(object) = object {
            let object = domain::Json::parse(object).unwrap();
            said.attributes.insert("location".to_owned(), object);
        }
        lost
    };
    let home = r#"{"name":"Jane Doe","address":"5 Elm St","city":"Memphis","region":"TN","postalCode":"38101","country":"US"}"#;
    let line = "Jane Doe, 5 Elm St, Memphis, TN, 38101, US";
    world.shipment(send("S1", line, Some(home))).await;
    let nameless = r#"{"name":"Jane Doe","address":"5 Elm St"}"#;
    world
        .shipment(send("S2", "Jane Doe, 5 Elm St", Some(nameless)))
        .await;
    let long = format!("a\u{2028}b\n{}", "ü".repeat(60_000));
    world.shipment(send("S3", &long, None)).await;
    world.deliver(Role::Notify, batch(&world.commits())).await;
    let mails = world.topic.accepted();
    let told = |mail: usize, what: &str| {
        let lines = mails[mail].body.lines();
        let mut found = lines.filter_map(|line| line.strip_prefix(what));
        found.next().unwrap().trim().to_owned()
    };
    assert_eq!(told(0, "Location:"), "Memphis, TN, US");
    assert_eq!(told(1, "Location:"), "Unknown");
    assert_eq!(told(2, "Location:"), format!("a b {}", "ü".repeat(200 - 4)));
    assert_eq!(told(2, "Carrier:"), "x".repeat(200));
    for mail in &mails {
        let text = format!("{mail:?}");
        assert!(!text.contains("Jane") && !text.contains("Elm"), "{text}");
    }
    // The event on the bus has the whole location.
    assert!(world.bus.accepted()[0].detail.to_string().contains(line));
}

#[tokio::test]
async fn alerts_do_not_wait_for_a_slow_bus() {
    let (mut world, clock) = many_alerts(Duration::ZERO).await;
    world.bus = Arc::new(Outbox::slow(clock.clone(), Duration::from_secs(8)));
    world.projectors.bus = world.bus.clone();
    let whole = batch(&world.commits());
    let again = world
        .deliver_within_a_minute(&clock, Role::Notify, whole)
        .await;
    // Six calls of ten messages fit into 55 s: the announcements of thirty shipments.
    assert_eq!(
        (again.as_deref(), world.bus.accepted().len()),
        (Some("31"), 60)
    );
    assert_eq!(world.topic.accepted().len(), 100);
}

/// Returns a world with a hundred lost shipments, each of which needs an alert, and its clock. A
/// call of the topic takes `call`.
async fn many_alerts(call: Duration) -> (World, Arc<PausedClock>) {
    let mut world = World::new();
    for number in 0..100 {
        let mut lost = update(&format!("S{number:02}"), "c-1", "x", None);
        update_of(&mut lost).status = "LOST".to_owned().try_into().unwrap();
        world.shipment(lost).await;
    }
    let clock = Arc::new(PausedClock::default());
    world.topic = Arc::new(Outbox::slow(clock.clone(), call));
    world.projectors.topic = world.topic.clone();
    world.projectors.clock = clock.clone();
    (world, clock)
}

#[tokio::test]
async fn a_slow_topic_ends_no_invocation_and_what_was_sent_is_not_sent_again() {
    let (world, clock) = many_alerts(Duration::from_secs(8)).await;
    let commits = world.commits();
    let whole = batch(&commits);
    let again = world
        .deliver_within_a_minute(&clock, Role::Notify, whole)
        .await;
    // Six calls of ten messages fit into 55 s.
    assert_eq!(again.as_deref(), Some("61"));
    assert_eq!(world.topic.accepted().len(), 60);
    let rest = batch(&commits[60..]);
    let again = world
        .deliver_within_a_minute(&clock, Role::Notify, rest)
        .await;
    assert_eq!((again, world.topic.accepted().len()), (None, 100));
}

#[tokio::test]
async fn a_topic_that_hangs_and_fails_ends_no_invocation() {
    let (world, clock) = many_alerts(Duration::from_secs(4)).await;
    // The first ten messages are accepted, and none after them.
    let answers = (0..1_000).map(|place| match place < 10 {
        true => Sent::Accepted,
        false => failed(),
    });
    world.topic.script(answers);
    let whole = batch(&world.commits());
    let again = world
        .deliver_within_a_minute(&clock, Role::Notify, whole)
        .await;
    assert_eq!(again.as_deref(), Some("11"));
    assert_eq!(world.bus.accepted().len(), 200);
}

#[tokio::test]
async fn what_cannot_be_parked_comes_again_without_what_was_done_before_it() {
    let world = orders(3).await;
    world
        .bus
        .refuse(|message: &Announcement| message.id.starts_with("order#001/"));
    let down = RowError::Unavailable("down".to_owned());
    world.rows.break_parking_with(Some(down));
    let again = world.deliver(Role::Notify, batch(&world.commits())).await;
    assert_eq!(again.as_deref(), Some("2"));
    assert!(world.parked().is_empty());
}
