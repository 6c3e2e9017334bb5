//! Every rule of an order: given events, when a command, then events or a refusal.

#![allow(clippy::unwrap_used)]

use cqrs_es::test::TestFramework;
use domain::{Json, Order, Refusal, order};

mod samples;
use samples::{LATER, NOON, adjustment, at, item, only, place, when};

type Orders = TestFramework<Order>;

fn placed(fulfilment: order::Fulfilment) -> order::Event {
    let mut sent = place();
    sent.fulfilment = Some(fulfilment);
    only(
        Orders::with(())
            .given_no_previous_events()
            .when(when(NOON, sent.into_intent())),
    )
}

trait IntoIntent {
    fn into_intent(self) -> order::Intent;
}

impl IntoIntent for order::PlaceOrder {
    fn into_intent(self) -> order::Intent {
        order::Intent::Place(Box::new(self))
    }
}

/// The field that an order is refused for.
fn refused_field(sent: order::PlaceOrder) -> String {
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
fn customers_and_products_are_called_what_others_call_them() {
    let named = |id: &str| {
        let mut customer = place();
        customer.customer_id = Some(id.to_owned());
        let mut product = place();
        product.items[0].product_id = Some(id.to_owned());
        [refused_field(customer), refused_field(product)]
    };
    for id in [
        "a/b",
        "gid://shopify/Customer/7",
        "..",
        "é#%\"'",
        &"x".repeat(128),
    ] {
        let refused = named(id);
        assert!(
            refused.iter().all(|field| field.starts_with("Ok(")),
            "{refused:?}"
        );
    }
    for id in [
        "",
        " a",
        "a\u{a0}",
        "a\\b",
        "e\u{301}",
        "a\nb",
        &"x".repeat(129),
    ] {
        assert_eq!(named(id), ["customerId", "items[0].productId"], "{id:?}");
    }
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
fn differing(order: order::Event, sent: order::PlaceOrder) -> String {
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
    let refused = |change: &dyn Fn(&mut order::PlaceOrder)| {
        let mut sent = place();
        change(&mut sent);
        refused_field(sent)
    };
    let with = |name: &'static str, value: Json| {
        move |sent: &mut order::PlaceOrder| {
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
        move |sent: &mut order::PlaceOrder| {
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
        move |sent: &mut order::PlaceOrder| {
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

// ---- It is completed or cancelled, which is final

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
