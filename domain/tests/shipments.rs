//! Every rule of a shipment: given events, when a command, then events or a refusal.

#![allow(clippy::unwrap_used)]

use cqrs_es::test::TestFramework;
use domain::{EventSourced as _, Refusal, Shipment, Timestamp, aggregate::Intent as _, shipment};

mod samples;
use samples::{LATER, NOON, at, only, update, when};

type Shipments = TestFramework<Shipment>;

fn updated(
    given: Vec<shipment::Event>,
    sent: impl Into<shipment::Intent>,
) -> shipment::ShipmentUpdated {
    let event = only(Shipments::with(()).given(given).when(when(LATER, sent)));
    match event {
        shipment::Event::ShipmentUpdated(update) => *update,
        other => panic!("{other:?}"),
    }
}

fn event(update: shipment::ShipmentUpdated) -> shipment::Event {
    shipment::Event::ShipmentUpdated(Box::new(update))
}

fn folded(events: &[shipment::Event]) -> Shipment {
    domain::EventSourced::folded(Shipment::default(), events.iter().cloned())
}

#[test]
fn the_first_update_is_current_and_changes_the_status() {
    let first = updated(vec![], update("CREATED", Some("2024-01-15T10:00:00Z")));
    assert!(first.current && first.changed_status() && first.previous_status.is_none());
}

#[test]
fn a_late_update_is_logged_and_is_not_current() {
    let first = updated(vec![], update("IN_TRANSIT", Some("2024-01-15T10:00:00Z")));
    let late = updated(
        vec![event(first.clone())],
        update("DELAYED", Some("2024-01-15T09:00:00Z")),
    );
    assert!(!late.current && !late.changed_status());
    let shipment = folded(&[event(first), event(late)]);
    assert_eq!(shipment.current.unwrap().status.as_str(), "IN_TRANSIT");
    assert_eq!(shipment.updates, 2);
}

#[test]
fn of_two_updates_of_one_time_the_later_one_is_current() {
    let time = Some("2024-01-15T10:00:00Z");
    let first = updated(vec![], update("IN_TRANSIT", time));
    let second = updated(vec![event(first)], update("DELIVERED", time));
    assert!(second.changed_status());
    assert_eq!(second.previous_status.unwrap().as_str(), "IN_TRANSIT");
}

#[test]
fn of_two_updates_of_one_time_the_one_further_along_is_current_whichever_comes_first() {
    let time = Some("2024-01-15T10:00:00Z");
    for (behind, ahead) in [
        ("CREATED", "PICKED_UP"),
        ("PICKED_UP", "DELAYED"),
        ("IN_TRANSIT", "OUT_FOR_DELIVERY"),
        ("CUSTOMS_HOLD", "RETURNING"),
        ("OUT_FOR_DELIVERY", "DELIVERED"),
        ("DELIVERY_ATTEMPTED", "LOST"),
    ] {
        let first = updated(vec![], update(ahead, time));
        let second = updated(vec![event(first.clone())], update(behind, time));
        assert!(!second.current && !second.changed_status(), "{behind}");
        let shipment = folded(&[event(first), event(second)]);
        assert_eq!(shipment.current.unwrap().status.as_str(), ahead);
        let first = updated(vec![], update(behind, time));
        let second = updated(vec![event(first)], update(ahead, time));
        assert!(second.current && second.changed_status(), "{ahead}");
    }
}

#[test]
fn what_was_decided_when_the_later_sequence_won_a_tie_folds_as_it_is_now() {
    let time = Some("2024-01-15T10:00:00Z");
    let first = updated(vec![], update("DELIVERED", time));
    let mut second = updated(vec![event(first.clone())], update("OUT_FOR_DELIVERY", time));
    second.current = true;
    let shipment = folded(&[event(first), event(second)]);
    assert_eq!(shipment.current.unwrap().status.as_str(), "DELIVERED");
}

#[test]
fn the_kind_of_an_update_is_part_of_what_makes_two_of_them_one() {
    let time = Some("2024-01-15T10:00:00Z");
    let of = |kind| {
        shipment::Intent::from(shipment::Update {
            kind,
            ..update("DELAYED", time)
        })
    };
    let digests: Vec<_> = shipment::UpdateKind::ALL
        .map(|kind| of(kind).digest())
        .to_vec();
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest));
    }
    // Earlier builds took the detail alone.
    let plain = of(shipment::UpdateKind::Update).digest();
    let delayed = of(shipment::UpdateKind::Delayed);
    assert_eq!(delayed.earlier_digest(), Some(plain));
    let stored = event(updated(vec![], delayed.clone()));
    assert!(Shipment::follows_from(&stored, &delayed));
    let created = of(shipment::UpdateKind::Created);
    assert!(!Shipment::follows_from(&stored, &created));
}

#[test]
fn what_was_stored_under_a_status_that_is_read_otherwise_by_now_is_a_repeat() {
    let sent = update("CANCELLED", Some("2024-01-15T10:00:00Z"));
    let mut stored = updated(vec![], sent.clone());
    stored.status = "CANCELED".to_owned().try_into().unwrap();
    assert!(Shipment::follows_from(&event(stored), &sent.into()));
}

#[test]
fn the_same_status_again_is_no_change() {
    let first = updated(vec![], update("IN_TRANSIT", Some("2024-01-15T10:00:00Z")));
    let second = updated(
        vec![event(first)],
        update("IN_TRANSIT", Some("2024-01-15T11:00:00Z")),
    );
    assert!(second.current && !second.changed_status());
}

#[test]
fn a_tracking_number_is_an_id() {
    let sent = |number: &str| {
        let mut sent = update("CREATED", None);
        sent.tracking_number = Some(number.to_owned());
        let given = Shipments::with(()).given_no_previous_events();
        given.when(when(LATER, sent)).inspect_result()
    };
    assert!(sent("1Z/999 AA").is_ok());
    for number in ["1Z ", "1\\Z", &"1".repeat(129)] {
        let refused = sent(number);
        let is_it = |field: &str| field == "trackingNumber";
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if is_it(&field)));
    }
}

#[test]
fn an_update_without_a_time_takes_that_of_its_event() {
    let update = updated(vec![], update("CREATED", None));
    assert_eq!(update.timestamp, at(samples::EVENT_TIME));
    assert_eq!(update.timestamp_offset, None);
}

#[test]
fn an_offset_is_kept() {
    let update = updated(vec![], update("CREATED", Some("2024-01-15T10:00:00+02:00")));
    assert_eq!(update.timestamp, at("2024-01-15T08:00:00Z"));
    assert_eq!(update.timestamp_offset.as_deref(), Some("+02:00"));
}

#[test]
fn a_time_more_than_a_day_ahead_is_refused() {
    let sent = |time| {
        Shipments::with(())
            .given_no_previous_events()
            .when(when(NOON, update("CREATED", Some(time))))
    };
    assert!(sent("2024-01-16T12:00:00Z").inspect_result().is_ok());
    let refused = sent("2024-01-16T12:00:00.001Z").inspect_result();
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "timestamp"));
}

#[test]
fn what_is_known_of_a_shipment_is_not_forgotten_by_an_update_that_leaves_it_out() {
    let mut first = update("CREATED", Some("2024-01-15T10:00:00Z"));
    first.carrier = Some("FedEx".to_owned());
    first.location = Some("Memphis, TN".to_owned());
    let first = updated(vec![], first);
    let mut second = update("DELIVERED", Some("2024-01-15T11:00:00Z"));
    (second.carrier, second.location) = (None, None);
    let second = updated(vec![event(first.clone())], second);
    let mut late = update("PICKED_UP", Some("2024-01-15T09:00:00Z"));
    late.carrier = Some("another".to_owned());
    late.order_id = Some("536365".parse().unwrap());
    let late = updated(vec![event(first.clone()), event(second.clone())], late);
    let shipment = folded(&[event(first), event(second), event(late)]);
    assert_eq!(shipment.carrier.unwrap().value, "FedEx");
    assert_eq!(shipment.order_id.unwrap().value.as_str(), "536365");
    // A place belongs to its update.
    assert_eq!(shipment.current.unwrap().location, None);
}

#[test]
fn a_status_is_a_word_in_capitals() {
    for good in ["LOST", "A", "CUSTOMS_HOLD_2", &"X".repeat(40)] {
        assert!(
            shipment::Status::try_from(good.to_owned()).is_ok(),
            "{good}"
        );
    }
    for bad in ["", "lost", "_A", "1A", "A B", "A-B", "Ä", &"X".repeat(41)] {
        assert!(shipment::Status::try_from(bad.to_owned()).is_err(), "{bad}");
    }
    for known in shipment::Status::KNOWN {
        assert!(
            shipment::Status::try_from(known.to_owned()).is_ok(),
            "{known}"
        );
    }
}

#[test]
fn a_status_is_read_in_any_spelling() {
    for (spelled, status) in [
        ("in transit", "IN_TRANSIT"),
        ("in-transit", "IN_TRANSIT"),
        ("InTransit", "IN_TRANSIT"),
        ("in_transit", "IN_TRANSIT"),
        ("INTRANSIT", "IN_TRANSIT"),
        ("Out For Delivery", "OUT_FOR_DELIVERY"),
        ("outForDelivery", "OUT_FOR_DELIVERY"),
        (" Delivered ", "DELIVERED"),
        ("canceled", "CANCELLED"),
        ("customs hold", "CUSTOMS_HOLD"),
        ("customsHold2Days", "CUSTOMS_HOLD2_DAYS"),
        ("CUSTOMS__HOLD", "CUSTOMS__HOLD"),
        ("CUSTOMS-HOLD", "CUSTOMS_HOLD"),
    ] {
        let read = shipment::Status::read(spelled).unwrap();
        assert_eq!(read.as_str(), status, "{spelled}");
    }
    for bad in [
        "",
        " ",
        "_",
        "7",
        "in transit!",
        "3rd try",
        "unterwegs nach Köln",
        &"x".repeat(41),
    ] {
        assert!(shipment::Status::read(bad).is_err(), "{bad}");
    }
    for known in shipment::Status::KNOWN {
        assert_eq!(shipment::Status::read(known).unwrap().as_str(), known);
    }
}

#[test]
fn timestamps_order_as_their_texts_do() {
    let times: Vec<Timestamp> = [
        "2009-12-31T23:59:59.999Z",
        NOON,
        "2024-01-15T12:00:00.001Z",
        LATER,
    ]
    .map(at)
    .to_vec();
    let mut texts: Vec<String> = times.iter().map(Timestamp::to_string).collect();
    texts.sort();
    assert_eq!(
        texts,
        times.iter().map(Timestamp::to_string).collect::<Vec<_>>()
    );
}

// ---- Silence

const HEARD: &str = "2024-01-15T12:00:00Z";

/// What happens when a watcher that has seen an update of `last_update_at` says so at `LATER`.
fn stalled(given: &[shipment::Event], last_update_at: &str) -> Vec<shipment::Event> {
    let stall = shipment::Intent::Stall(shipment::Stall {
        shipment_id: "SHIP-12345".parse().unwrap(),
        last_update_at: at(last_update_at),
    });
    folded(given).decide(&when(LATER, stall)).unwrap()
}

/// An update with this status and time, heard at `HEARD`.
fn heard(given: &[shipment::Event], status: &str, time: &str) -> Vec<shipment::Event> {
    last_update_at(given, HEARD, status, time)
}

fn last_update_at(
    given: &[shipment::Event],
    arrival: &str,
    status: &str,
    time: &str,
) -> Vec<shipment::Event> {
    let update = when(arrival, update(status, Some(time)));
    let new = folded(given).decide(&update).unwrap();
    [given, &new].concat()
}

#[test]
fn silence_is_noted_once_and_counts_from_the_arrival_of_the_last_update() {
    // The carrier's own time is two days before.
    let history = heard(&[], "IN_TRANSIT", "2024-01-13T08:00:00Z");
    assert_eq!(folded(&history).watched_since(), Some(at(HEARD)));
    let new = stalled(&history, HEARD);
    let [shipment::Event::ShipmentStalled(event)] = &new[..] else {
        panic!("{new:?}")
    };
    assert_eq!((event.at, event.stalled_since), (at(LATER), at(HEARD)));
    assert_eq!(event.status.as_str(), "IN_TRANSIT");
    let history = [history, new].concat();
    let shipment = folded(&history);
    assert_eq!(shipment.stalled_since(), Some(at(HEARD)));
    assert_eq!((shipment.updates, shipment.watched_since()), (1, None));
    assert_eq!(shipment.status(), Some("IN_TRANSIT"));
    assert_eq!(stalled(&history, HEARD), []);
}

#[test]
fn an_update_that_came_since_the_watcher_looked_makes_it_nothing() {
    let history = heard(&[], "IN_TRANSIT", "2024-01-15T08:00:00Z");
    for time in ["2024-01-15T09:00:00Z", "2024-01-15T07:00:00Z"] {
        let history = last_update_at(&history, "2024-01-15T12:00:00.001Z", "IN_TRANSIT", time);
        assert_eq!(stalled(&history, HEARD), [], "{time}");
        assert_eq!(stalled(&history, "2024-01-15T12:00:00.001Z").len(), 1);
    }
    assert_eq!(stalled(&[], HEARD), [], "there is no such shipment");
}

#[test]
fn the_next_update_ends_it_a_late_one_too_and_it_is_noted_once_for_a_current_update() {
    let given = heard(&[], "IN_TRANSIT", "2024-01-15T08:00:00Z");
    let given = [given.clone(), stalled(&given, HEARD)].concat();
    // A late one ends it, and is not current: this current update has had its event.
    let late = heard(&given, "CREATED", "2024-01-14T08:00:00Z");
    assert_eq!(folded(&late).stalled_since(), None);
    assert_eq!(folded(&late).watched_since(), None);
    assert_eq!(stalled(&late, HEARD), []);
    // One that becomes current may be followed by silence of its own.
    let next = heard(&late, "IN_TRANSIT", "2024-01-15T09:00:00Z");
    assert_eq!(folded(&next).stalled_since(), None);
    assert_eq!(stalled(&next, HEARD).len(), 1);
}

#[test]
fn only_what_is_under_way_can_stall() {
    let stalls = |status: &str| {
        let history = heard(&[], status, "2024-01-15T08:00:00Z");
        !stalled(&history, HEARD).is_empty()
    };
    let known = shipment::Status::KNOWN.into_iter();
    let silent: Vec<&str> = known.filter(|status| !stalls(status)).collect();
    let ended = [
        "DELIVERED",
        "LOST",
        "DAMAGED",
        "EXCEPTION",
        "RETURNED",
        "CANCELLED",
    ];
    assert_eq!(silent, ended);
    assert!(!stalls("CUSTOMS_HOLD"));
}

#[test]
fn a_stall_looks_like_no_update_and_like_no_other_stall() {
    let stall = |last_update_at: &str| {
        shipment::Intent::Stall(shipment::Stall {
            shipment_id: "SHIP-12345".parse().unwrap(),
            last_update_at: at(last_update_at),
        })
    };
    assert_ne!(stall(HEARD).digest(), stall(LATER).digest());
    let detail = domain::json::Object::from([("heardAt".to_owned(), at(HEARD).to_string().into())]);
    let alike = shipment::Intent::from(shipment::Update {
        detail,
        ..update("CREATED", None)
    });
    assert_ne!(stall(HEARD).digest(), alike.digest());
    let event = heard(&[], "IN_TRANSIT", "2024-01-15T08:00:00Z");
    assert!(!Shipment::follows_from(&event[0], &stall(HEARD)));
}
