//! What orders come to, and what is refused of it.

#![allow(clippy::unwrap_used)]

use domain::{
    EventSourced, Number, Order, Refusal,
    aggregate::Command,
    order::{self, Adjustment, AdjustmentType, PlaceOrder},
};
use proptest::prelude::*;

mod samples;
use samples::{adjustment, at, item, place};

/// An order of items with a price and a quantity, and adjustments.
fn order(items: &[(&str, &str)], adjustments: &[(AdjustmentType, &str)]) -> PlaceOrder {
    let item = |(quantity, price): &(&str, &str)| order::Item {
        quantity: quantity.parse().unwrap(),
        ..item("p", 1, price)
    };
    PlaceOrder {
        items: items.iter().map(item).collect(),
        adjustments: adjustments
            .iter()
            .map(|(kind, amount)| adjustment(*kind, amount))
            .collect(),
        total_amount: None,
        ..place()
    }
}

fn sent(order: PlaceOrder, total: &str) -> PlaceOrder {
    PlaceOrder {
        total_amount: Some(total.parse().unwrap()),
        ..order
    }
}

fn placed(order: PlaceOrder) -> Result<order::OrderPlaced, Refusal> {
    let command = Command {
        at: at("2024-01-15T12:00:00Z"),
        intent: order::Intent::Place(Box::new(order)),
    };
    let mut events = Order::default().decide(&command)?;
    match events.remove(0) {
        order::Event::OrderPlaced(placed) => Ok(*placed),
        _ => unreachable!(),
    }
}

/// The sum of the items and the total.
fn amounts(order: PlaceOrder) -> (String, String) {
    let placed = placed(order).unwrap();
    (
        placed.items_amount.to_string(),
        placed.total_amount.to_string(),
    )
}

/// Code, field and message.
fn refused(order: PlaceOrder) -> (&'static str, String, String) {
    match placed(order) {
        Err(Refusal::Invalid {
            code,
            field,
            message,
        }) => (code, field, message),
        other => panic!("{other:?}"),
    }
}

use AdjustmentType::{Discount, Rounding, Shipping, Tax};

#[test]
fn shops_name_their_totals() {
    let discounted = order(&[("1", "6.99")], &[(Discount, "-0.70"), (Shipping, "6.99")]);
    assert_eq!(
        amounts(sent(discounted, "13.28")),
        ("6.99".into(), "13.28".into())
    );
    let floats = order(&[("1", "19.99")], &[(Shipping, "6.99"), (Tax, "1.999")]);
    assert_eq!(
        amounts(sent(floats, "28.978999999999996")),
        ("19.99".into(), "28.979".into())
    );
    let weighed = order(&[("0.35", "19.90")], &[]);
    assert_eq!(
        amounts(sent(weighed, "6.97")),
        ("6.965".into(), "6.965".into())
    );
    let returned = order(&[("1", "-0.25"), ("1", "3")], &[]);
    assert_eq!(
        amounts(sent(returned, "2.75")),
        ("2.75".into(), "2.75".into())
    );
    let rounded = order(&[("3", "0.333")], &[(Rounding, "0.001")]);
    assert_eq!(amounts(sent(rounded, "1")), ("0.999".into(), "1".into()));
    let free = order(&[("1", "10")], &[(Discount, "-10")]);
    assert_eq!(amounts(sent(free, "0")), ("10".into(), "0".into()));
    let given_back = order(&[("1", "-5")], &[(Shipping, "7")]);
    assert_eq!(amounts(given_back), ("-5".into(), "2".into()));
}

#[test]
fn what_the_prices_include_is_not_added() {
    let mut order = order(&[("1", "119")], &[(Tax, "19"), (Shipping, "5")]);
    order.adjustments[0].included = true;
    order.items[0].adjustments = vec![
        adjustment(Discount, "-9"),
        Adjustment {
            included: true,
            ..adjustment(Tax, "17.56")
        },
    ];
    assert_eq!(amounts(sent(order, "115")), ("110".into(), "115".into()));
}

#[test]
fn a_wrong_total_is_told_with_both_numbers_and_where_the_rest_goes() {
    let (code, field, message) = refused(sent(order(&[("1", "10")], &[]), "11.9"));
    assert_eq!((code, field.as_str()), ("total_mismatch", "totalAmount"));
    for part in [
        "11.9 USD",
        "10 USD",
        "tax",
        "shipping",
        "discounts",
        "adjustments",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let (code, _, message) = refused(sent(order(&[("1", "10")], &[(Tax, "1.9")]), "11.8"));
    assert_eq!(code, "total_mismatch");
    assert!(
        message.contains("11.8 USD") && message.contains("11.9 USD"),
        "{message}"
    );
    assert!(!message.contains("shipping"), "{message}");
}

#[test]
fn what_is_no_money_is_refused() {
    let (_, field, message) = refused(order(&[("1", "10")], &[(Tax, "1"), (Discount, "0.70")]));
    assert_eq!(field, "adjustments[1].amount");
    assert!(message.contains("a discount is zero or less"), "{message}");
    let mut of_item = order(&[("1", "10"), ("1", "10")], &[]);
    of_item.items[1].adjustments = vec![adjustment(Discount, "1")];
    assert_eq!(refused(of_item).1, "items[1].adjustments[0].amount");
    assert_eq!(refused(order(&[("1", "-0.25")], &[])).1, "totalAmount");
    assert_eq!(
        refused(order(&[("1", "10")], &[(Discount, "-10.01")])).1,
        "totalAmount"
    );
    for quantity in ["0", "-1", "-0.5"] {
        assert_eq!(
            refused(order(&[(quantity, "1")], &[])).1,
            "items[0].quantity"
        );
    }
    let many = order(&[("1", "10")], &[(Tax, "0.01"); 101]);
    assert_eq!(refused(many).1, "adjustments");
    let mut many = order(&[("1", "10")], &[(Tax, "0.01"); 100]);
    assert_eq!(amounts(many.clone()).1, "11");
    many.items[0].adjustments = vec![adjustment(Tax, "0.01"); 101];
    assert_eq!(refused(many).1, "items[0].adjustments");
    let mut gold = order(&[("1", "10")], &[]);
    gold.currency = domain::money::Currency::parse("XAU").unwrap();
    assert_eq!(refused(gold).1, "currency");
}

#[test]
fn beyond_38_digits_is_refused_and_never_rounded() {
    // A product, though the whole sum would fit.
    let digits_20 = "11111111111111111111";
    let product = order(&[(digits_20, "1.1111111111111111111")], &[]);
    assert_eq!(refused(product).1, "items[0]");
    let sum = order(&[("1", "1e30"), ("1", "1e-10")], &[]);
    assert_eq!(refused(sum).1, "totalAmount");
    let total = order(&[("1", "1e30")], &[(Tax, "1e-10")]);
    assert_eq!(refused(total).1, "totalAmount");
    let mut line = order(&[("1", "1e30")], &[]);
    line.items[0].adjustments = vec![adjustment(Tax, "1e-10")];
    assert_eq!(refused(line).1, "items[0]");
    let fits = order(&[("1", "1e30")], &[(Tax, "1e-7")]);
    assert_eq!(amounts(fits).1, "1000000000000000000000000000000.0000001");
}

// ---- Any order

/// A number of up to nine digits with up to four decimals, in ten-thousandths.
fn amount(least: i64) -> impl Strategy<Value = i64> {
    prop_oneof![least..=0, 0..100_000_i64, 0..1_000_000_000_i64]
}

fn text(ten_thousandths: i64) -> Number {
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let size = ten_thousandths.unsigned_abs();
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
        .parse()
        .unwrap()
}

/// A number of ours in 10^-8, counted from its text.
fn units(number: &Number) -> i128 {
    let text = number.to_string();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest.to_owned()),
        None => (1, text),
    };
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    sign * format!("{whole}{part:0<8}").parse::<i128>().unwrap()
}

fn any_adjustments() -> impl Strategy<Value = Vec<(AdjustmentType, i64, bool)>> {
    let kind = prop::sample::select(AdjustmentType::ALL.to_vec());
    let one = (kind, amount(-1_000_000), any::<bool>()).prop_map(|(kind, amount, included)| {
        let amount = if kind == Discount {
            -amount.abs()
        } else {
            amount
        };
        (kind, amount, included)
    });
    prop::collection::vec(one, 0..5)
}

fn adjustments(parts: &[(AdjustmentType, i64, bool)]) -> Vec<Adjustment> {
    let one = |(kind, amount, included): &(AdjustmentType, i64, bool)| Adjustment {
        kind: *kind,
        amount: text(*amount),
        name: None,
        included: *included,
        attributes: Default::default(),
    };
    parts.iter().map(one).collect()
}

/// In 10^-8.
fn added(parts: &[(AdjustmentType, i64, bool)]) -> i128 {
    let parts = parts.iter().filter(|(_, _, included)| !included);
    parts
        .map(|(_, amount, _)| i128::from(*amount) * 10_000)
        .sum()
}

proptest! {
    #[test]
    fn the_parts_of_an_order_sum_to_its_total_to_the_digit(
        lines in prop::collection::vec((1..50_000_i64, amount(-500_000), any_adjustments()), 1..12),
        of_order in any_adjustments(),
    ) {
        let mut order = place();
        order.total_amount = None;
        order.adjustments = adjustments(&of_order);
        order.items = lines.iter().map(|(quantity, price, parts)| order::Item {
            quantity: text(*quantity),
            price: text(*price),
            adjustments: adjustments(parts),
            ..item("p", 1, "0")
        }).collect();
        let items: i128 = lines.iter().map(|(quantity, price, parts)| {
            i128::from(*quantity) * i128::from(*price) + added(parts)
        }).sum();
        let total = items + added(&of_order);
        match placed(order.clone()) {
            Ok(placed) => {
                prop_assert!(total >= 0);
                prop_assert_eq!(units(&placed.items_amount), items);
                prop_assert_eq!(units(&placed.total_amount), total);
                // A cent more is another total; a hundredth of one is the same.
                let cent = |hundredths: &str| {
                    let more = placed.total_amount.as_decimal()
                        + hundredths.parse::<Number>().unwrap().as_decimal();
                    let mut order = order.clone();
                    order.total_amount = Some(Number::exact(more).unwrap());
                    order
                };
                prop_assert_eq!(self::placed(cent("0")), Ok(placed.clone()));
                prop_assert!(self::placed(cent("0.01")).is_err());
                prop_assert!(self::placed(cent("-0.01")).is_err());
            }
            Err(Refusal::Invalid { field, .. }) => {
                prop_assert!(total < 0);
                prop_assert_eq!(field, "totalAmount");
            }
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }
}
