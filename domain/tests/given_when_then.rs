//! Every rule of an order and a shipment: given events, when a command, then events or a refusal.

#![allow(clippy::unwrap_used)]

use cqrs_es::test::TestFramework;
use domain::{
    EventSourced as _, Json, Order, Refusal, Shipment, Timestamp,
    aggregate::{Command, Intent as _},
    order, shipment,
};

mod samples;
use samples::{adjustment, at, item, place, update};

type Orders = TestFramework<Order>;
type Shipments = TestFramework<Shipment>;

const NOON: &str = "2024-01-15T12:00:00Z";
const LATER: &str = "2024-01-15T13:00:00Z";

fn when<I>(time: &str, intent: I) -> Command<I> {
    Command {
        at: at(time),
        intent,
    }
}

fn placed(fulfilment: order::Fulfilment) -> order::Event {
    let mut sent = place();
    sent.fulfilment = Some(fulfilment);
    only(
        Orders::with(())
            .given_no_previous_events()
            .when(when(NOON, sent.into_intent())),
    )
}

fn only<A: cqrs_es::Aggregate>(result: cqrs_es::test::AggregateResultValidator<A>) -> A::Event
where
    A::Error: std::fmt::Debug,
{
    let mut events = result.inspect_result().unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

trait IntoIntent {
    fn into_intent(self) -> order::Intent;
}

impl IntoIntent for order::Place {
    fn into_intent(self) -> order::Intent {
        order::Intent::Place(Box::new(self))
    }
}

/// The field that an order is refused for.
fn refused_field(sent: order::Place) -> String {
    let result = Orders::with(())
        .given_no_previous_events()
        .when(when(NOON, sent.into_intent()));
    match result.inspect_result() {
        Err(Refusal::Invalid { field, .. }) => field,
        other => format!("{other:?}"),
    }
}

fn conflict_code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    match result {
        Err(Refusal::Conflict { code, .. }) => code.to_owned(),
        other => format!("{other:?}"),
    }
}

// ---- An order is placed

#[test]
fn an_order_keeps_the_exact_sum_of_its_items() {
    let event = placed(order::Fulfilment::Merchant);
    let order::Event::OrderPlaced(placed) = event else {
        unreachable!()
    };
    assert_eq!(placed.total_amount.to_string(), "109.97");
    assert_eq!(placed.at, at(NOON));
}

#[test]
fn the_way_that_an_order_came_by_decides_who_completes_it_where_it_does_not_say() {
    let mut sent = place();
    (sent.fulfilment, sent.default_fulfilment) = (None, order::Fulfilment::Automatic);
    let event = only(
        Orders::with(())
            .given_no_previous_events()
            .when(when(NOON, sent.into_intent())),
    );
    let order::Event::OrderPlaced(placed) = event else {
        unreachable!()
    };
    assert_eq!(placed.fulfilment, order::Fulfilment::Automatic);
}

#[test]
fn a_total_counts_in_the_minor_unit_of_its_currency() {
    let mut sent = place();
    sent.total_amount = Some("109.97000000000001".parse().unwrap());
    let _ = only(
        Orders::with(())
            .given_no_previous_events()
            .when(when(NOON, sent.into_intent())),
    );
    let mut sent = place();
    sent.total_amount = Some("109.98".parse().unwrap());
    assert_eq!(refused_field(sent), "totalAmount");
}

#[test]
fn a_total_of_more_than_38_digits_is_refused() {
    let mut sent = place();
    sent.total_amount = None;
    sent.items[0].price = "1e30".parse().unwrap();
    sent.items[1].price = "0.000000001".parse().unwrap();
    assert_eq!(refused_field(sent), "totalAmount");
}

#[test]
fn an_order_has_1_to_2000_items() {
    for (count, refused) in [(0, true), (1, false), (2_000, false), (2_001, true)] {
        let mut sent = place();
        sent.total_amount = None;
        sent.items = vec![item("p", 1, "1"); count];
        assert_eq!(refused_field(sent) == "items", refused, "{count}");
    }
}

#[test]
fn an_item_has_a_name_or_an_id_and_any_price() {
    let mut nameless = place();
    nameless.items[1].product_id = None;
    assert_eq!(refused_field(nameless), "items[1]");
    for price in ["0", "-0.01"] {
        let mut sent = place();
        sent.total_amount = None;
        sent.items[1].price = price.parse().unwrap();
        let _ = only(
            Orders::with(())
                .given_no_previous_events()
                .when(when(NOON, sent.into_intent())),
        );
    }
}

#[test]
fn texts_have_a_length_and_nothing_that_a_terminal_obeys() {
    let mut long = place();
    long.customer_id = Some("x".repeat(129));
    assert_eq!(refused_field(long), "customerId");
    let mut control = place();
    control.customer_name = Some("a\u{1b}[2J".to_owned());
    assert_eq!(refused_field(control), "customerName");
}

#[test]
fn an_order_whose_row_would_not_fit_is_refused() {
    let mut sent = place();
    // Short numbers: 2 bytes each as JSON, more as a list of DynamoDB.
    let numbers = vec![Json::from(1_u64); 100_000];
    sent.attributes
        .insert("numbers".to_owned(), Json::Array(numbers));
    let result = Orders::with(())
        .given_no_previous_events()
        .when(when(NOON, sent.into_intent()));
    let refused = result.inspect_result();
    assert!(
        matches!(
            refused,
            Err(Refusal::Invalid {
                code: "too_large",
                ..
            })
        ),
        "{refused:?}"
    );
}

/// What differs between an order that was placed and `sent`; none where it is the same order.
fn differing(order: order::Event, sent: order::Place) -> String {
    let result = Orders::with(())
        .given(vec![order])
        .when(when(LATER, sent.into_intent()));
    match result.inspect_result() {
        Ok(events) if events.is_empty() => String::new(),
        Err(Refusal::Conflict {
            code: "order_exists",
            message,
        }) => message.split_once(": ").unwrap().1.to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_order_placed_over_another_is_refused_by_what_differs() {
    let merchant = || placed(order::Fulfilment::Merchant);
    let mut other = place();
    other.customer_id = None;
    other.total_amount = None;
    other.items[1].quantity = "3".parse().unwrap();
    other.attributes = Json::parse(r#"{"zoe@example.org":1}"#)
        .unwrap()
        .into_object()
        .unwrap();
    assert_eq!(
        differing(merchant(), other),
        "customerId, items, attributes"
    );
    let mut other = place();
    other.total_amount = Some("1".parse().unwrap());
    other.currency = domain::money::Currency::parse("EUR").unwrap();
    other.placed_at = order::PlacedAt::read(&"2024-01-15T08:00:00Z".into());
    other.fulfilment = Some(order::Fulfilment::Automatic);
    other.adjustments = vec![adjustment(order::AdjustmentType::Tip, "1")];
    assert_eq!(
        differing(merchant(), other),
        "adjustments, totalAmount, currency, placedAt, fulfilment"
    );
}

#[test]
fn an_order_that_says_the_same_is_the_same() {
    // As it was placed, who completes it was named; here its source decides on the same.
    let same = place();
    assert_eq!(differing(placed(order::Fulfilment::Merchant), same), "");
    // A member that is null says as much as a missing one.
    let mut nulls = place();
    nulls.attributes.insert("note".to_owned(), Json::Null);
    nulls.items[0].attributes = nulls.attributes.clone();
    assert_eq!(differing(placed(order::Fulfilment::Merchant), nulls), "");
}

#[test]
fn a_name_that_is_nearly_one_of_ours_is_refused() {
    let refused = |change: &dyn Fn(&mut order::Place)| {
        let mut sent = place();
        change(&mut sent);
        refused_field(sent)
    };
    let with = |name: &'static str, value: Json| {
        move |sent: &mut order::Place| {
            sent.attributes.insert(name.to_owned(), value.clone());
        }
    };
    for name in [
        "curency",
        "total_amount",
        "Items",
        "TOTAL-AMOUNT",
        "fulfillment",
        "placed_at",
        "orderID",
        "customer name",
        "adjustment",
        "snackItem",
        "currecny",
        "itemss",
        "traceParent",
    ] {
        assert_eq!(refused(&with(name, "x".into())), name);
        assert!(
            refused(&with(name, Json::Null)).starts_with("Ok("),
            "{name}"
        );
    }
    for name in [
        "country",
        "status",
        "note",
        "items2",
        "placed",
        "total",
        "name",
        "price",
        "itemsAmount",
        "tags",
        "commandId",
        "currencyCode",
        "customer",
    ] {
        assert!(
            refused(&with(name, "x".into())).starts_with("Ok("),
            "{name}"
        );
    }
    let of_item = |name: &'static str| {
        move |sent: &mut order::Place| {
            let attributes = [(name.to_owned(), Json::from(1))];
            sent.items[1].attributes = attributes.into();
        }
    };
    for name in ["prices", "Name", "quantitiy", "product_id", "game"] {
        assert_eq!(refused(&of_item(name)), format!("items[1].{name}"));
    }
    for name in ["price2", "colour", "items", "sku", "names_of_all"] {
        assert!(refused(&of_item(name)).starts_with("Ok("), "{name}");
    }
    let of_adjustment = |name: &'static str| {
        move |sent: &mut order::Place| {
            let attributes = [(name.to_owned(), Json::from(1))];
            sent.adjustments = vec![order::Adjustment {
                attributes: attributes.into(),
                ..adjustment(order::AdjustmentType::Other, "0")
            }];
        }
    };
    for name in ["ammount", "include", "Type", "tape"] {
        assert_eq!(
            refused(&of_adjustment(name)),
            format!("adjustments[0].{name}")
        );
    }
    assert!(refused(&of_adjustment("rate")).starts_with("Ok("));
}

#[test]
fn an_order_is_placed_by_its_customer_before_it_arrives() {
    let mut sent = place();
    sent.placed_at = order::PlacedAt::read(&"2024-01-16T12:00:00Z".into());
    assert!(refused_field(sent.clone()).starts_with("Ok("));
    sent.placed_at = order::PlacedAt::read(&"2024-01-16T12:00:01Z".into());
    assert_eq!(refused_field(sent), "placedAt");
}

// ---- It is completed or cancelled, and stays it

#[test]
fn an_open_order_is_completed_or_cancelled() {
    for (fulfilment, status) in [
        (order::Fulfilment::Merchant, order::Status::Processing),
        (order::Fulfilment::Automatic, order::Status::New),
    ] {
        let given = || Orders::with(()).given(vec![placed(fulfilment)]);
        let event = only(given().when(when(LATER, order::Intent::Complete)));
        let order::Event::OrderProcessed(done) = event else {
            unreachable!()
        };
        assert_eq!((done.previous_status, done.at), (status, at(LATER)));
        assert_eq!(done.total_amount.to_string(), "109.97");
        let reason = Some("changed my mind".to_owned());
        let event = only(given().when(when(
            LATER,
            order::Intent::Cancel {
                reason: reason.clone(),
            },
        )));
        let order::Event::OrderCancelled(done) = event else {
            unreachable!()
        };
        assert_eq!((done.previous_status, done.reason), (status, reason));
    }
}

#[test]
fn a_closed_order_stays_as_it_is() {
    for close in [
        order::Intent::Complete,
        order::Intent::Cancel { reason: None },
    ] {
        let first = placed(order::Fulfilment::Merchant);
        let given = Orders::with(()).given(vec![first.clone()]);
        let closed = only(given.when(when(LATER, close)));
        for again in [
            order::Intent::Complete,
            order::Intent::Cancel { reason: None },
        ] {
            let given = Orders::with(()).given(vec![first.clone(), closed.clone()]);
            let result = given.when(when(LATER, again));
            assert_eq!(conflict_code(result.inspect_result()), "order_closed");
        }
        let given = Orders::with(()).given(vec![first, closed]);
        given
            .when(when(LATER, order::Intent::Fulfil))
            .then_expect_events(vec![]);
    }
}

#[test]
fn waybill_completes_automatic_orders_alone() {
    let given = Orders::with(()).given(vec![placed(order::Fulfilment::Automatic)]);
    let event = only(given.when(when(LATER, order::Intent::Fulfil)));
    assert!(matches!(event, order::Event::OrderProcessed(_)));
    let given = Orders::with(()).given(vec![placed(order::Fulfilment::Merchant)]);
    given
        .when(when(LATER, order::Intent::Fulfil))
        .then_expect_events(vec![]);
}

#[test]
fn what_was_never_placed_is_not_found() {
    for intent in [
        order::Intent::Complete,
        order::Intent::Cancel { reason: None },
        order::Intent::Fulfil,
    ] {
        let result = Orders::with(())
            .given_no_previous_events()
            .when(when(NOON, intent));
        assert!(matches!(
            result.inspect_result(),
            Err(Refusal::NotFound { .. })
        ));
    }
}

#[test]
fn a_reason_has_a_length() {
    let given = Orders::with(()).given(vec![placed(order::Fulfilment::Merchant)]);
    let reason = Some("x".repeat(1_025));
    let result = given
        .when(when(LATER, order::Intent::Cancel { reason }))
        .inspect_result();
    assert!(matches!(result, Err(Refusal::Invalid { .. })));
}

// ---- A shipment is updated

fn updated(given: Vec<shipment::Event>, sent: shipment::Intent) -> shipment::ShipmentUpdated {
    let event = only(Shipments::with(()).given(given).when(when(LATER, sent)));
    let shipment::Event::ShipmentUpdated(update) = event;
    *update
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
    let of = |kind| shipment::Intent {
        kind,
        ..update("DELAYED", time)
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
fn the_same_status_again_is_no_change() {
    let first = updated(vec![], update("IN_TRANSIT", Some("2024-01-15T10:00:00Z")));
    let second = updated(
        vec![event(first)],
        update("IN_TRANSIT", Some("2024-01-15T11:00:00Z")),
    );
    assert!(second.current && !second.changed_status());
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
