//! The plan of a demonstration: drawn from a seed, so that the same one can be sent again.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::json;

use crate::clock;

/// The statuses of a shipment on its way. Those that cause alerts are rare.
const STATUSES: [&str; 12] = [
    "PICKED_UP",
    "IN_TRANSIT",
    "IN_TRANSIT",
    "IN_TRANSIT",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "OUT_FOR_DELIVERY",
    "DELIVERED",
    "DELIVERED",
    "READY_FOR_PICKUP",
    "DELAYED",
    "EXCEPTION",
];
const PLACES: [&str; 5] = ["Memphis, TN", "Köln", "Rotterdam", "São Paulo", "Osaka"];
const CARRIERS: [&str; 4] = ["FedEx", "UPS", "DHL", "PostNL"];
const UPDATES_OF_A_SHIPMENT: usize = 6;

/// Everything that one run sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The beginning of the id of every order and shipment of the run.
    pub run: String,
    /// The orders, sent over HTTP.
    pub orders: Vec<Order>,
    /// The shipment updates, sent over HTTP and as events.
    pub updates: Vec<Update>,
}

/// An order and the commands that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The id of the order.
    pub id: String,
    /// The body of the request.
    pub body: String,
    /// Whether the body breaks a rule deliberately, so that it is refused.
    pub invalid: bool,
    /// Whether it is sent a second time with the same key.
    pub twice: bool,
    /// The command that follows once the order is placed: `complete` or `cancel`.
    pub then: Option<&'static str>,
}

/// An update of a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The id of the shipment.
    pub shipment: String,
    /// The number of the update, from which its key is made.
    pub number: usize,
    /// Whether it is sent over HTTP, not as an event.
    pub over_http: bool,
    /// The body or detail: a JSON object, or broken JSON.
    pub detail: String,
    /// What refuses the update, where it breaks a rule deliberately.
    pub refused_by: Option<RefusedBy>,
    /// Whether it is sent a second time.
    pub twice: bool,
}

/// What refuses an invalid update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// EventBridge does not accept the entry.
    Bus,
    /// The function refuses the update.
    Function,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(run: String, seed: u64, orders: usize, updates: usize, now: DateTime<Utc>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let orders = (0..orders)
            .map(|number| order(&mut rng, &run, number))
            .collect();
        let shipments = updates.div_ceil(UPDATES_OF_A_SHIPMENT).max(1);
        let updates = (0..updates)
            .map(|number| update(&mut rng, &run, number, shipments, now))
            .collect();
        Self {
            run,
            orders,
            updates,
        }
    }

    /// Returns the number of requests and events to send.
    pub fn sends(&self) -> usize {
        let orders = self
            .orders
            .iter()
            .map(|order| 1 + usize::from(order.twice) + usize::from(order.then.is_some()));
        let updates = self
            .updates
            .iter()
            .map(|update| 1 + usize::from(update.twice));
        orders.sum::<usize>() + updates.sum::<usize>()
    }

    /// Returns the number of shipments with at least one valid update.
    pub fn shipments(&self) -> usize {
        let right = self
            .updates
            .iter()
            .filter(|update| update.refused_by.is_none());
        right
            .map(|update| update.shipment.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// The price of shipping in cents, where the order pays for it.
const SHIPPING_CENTS: u64 = 499;

fn order(rng: &mut Rng, run: &str, number: usize) -> Order {
    let id = format!("{run}-o{number}");
    let (mut items, mut total) = (Vec::new(), 0);
    for _ in 0..rng.u64(1..=5) {
        let (quantity, cents) = (rng.u64(1..=4), rng.u64(99..=19_999));
        total += quantity * cents;
        let product = rng.u32(1..=500);
        let price = money(cents);
        items.push(format!(
            r#"{{"productId":"prod{product}","quantity":{quantity},"price":{price}}}"#
        ));
    }
    let mut adjustments = String::new();
    if chance(rng, 30) {
        total += SHIPPING_CENTS;
        let amount = money(SHIPPING_CENTS);
        adjustments = format!(r#""adjustments":[{{"type":"shipping","amount":{amount}}}],"#);
    }
    let mut currency = "USD";
    let invalid = chance(rng, 4);
    if invalid {
        match rng.u32(0..4) {
            0 => total += 1,
            1 => currency = "QQQ",
            2 => items.clear(),
            _ => items.push(r#"{"quantity":1,"price":0}"#.to_owned()),
        }
    }
    let automatic = chance(rng, 30);
    let fulfilment = if automatic { "automatic" } else { "merchant" };
    let body = format!(
        r#"{{"orderId":"{id}","customerId":"customer{}","items":[{}],{adjustments}"totalAmount":{},"currency":"{currency}","fulfilment":"{fulfilment}"}}"#,
        rng.u32(1..=200),
        items.join(","),
        money(total),
    );
    let then = match rng.u32(0..100) {
        _ if invalid || automatic => None,
        0..40 => Some("complete"),
        40..50 => Some("cancel"),
        _ => None,
    };
    Order {
        id,
        body,
        invalid,
        twice: !invalid && chance(rng, 5),
        then,
    }
}

/// Draws an update. The shipments take turns, because a parcel is hardly scanned twice at the same
/// moment.
fn update(rng: &mut Rng, run: &str, number: usize, shipments: usize, now: DateTime<Utc>) -> Update {
    let shipment = format!("{run}-s{}", number % shipments);
    let over_http = chance(rng, 20);
    let refused_by = match rng.u32(0..100) {
        0..3 => Some(RefusedBy::Function),
        3..5 if !over_http => Some(RefusedBy::Bus),
        _ => None,
    };
    // The updates of a shipment are one minute apart, so that no two are equal.
    let minutes = i64::try_from(number / shipments).unwrap_or(0);
    let time = now - TimeDelta::minutes(60 - minutes);
    let pick = |rng: &mut Rng, list: &[&'static str]| rng.choice(list).copied().unwrap_or_default();
    let mut detail = json!({
        "shipmentId": shipment,
        "status": pick(rng, &STATUSES),
        "location": pick(rng, &PLACES),
        "carrier": pick(rng, &CARRIERS),
        "timestamp": clock::text(time),
    });
    if refused_by == Some(RefusedBy::Function) {
        match rng.u32(0..3) {
            0 => detail["status"] = json!("lost, it seems"),
            1 => detail["status"] = json!(""),
            _ => detail["timestamp"] = json!(clock::text(now + TimeDelta::days(3))),
        }
    }
    let detail = if refused_by == Some(RefusedBy::Bus) {
        "{".to_owned()
    } else {
        detail.to_string()
    };
    let twice = refused_by.is_none() && chance(rng, 5);
    Update {
        shipment,
        number,
        over_http,
        detail,
        refused_by,
        twice,
    }
}

/// Returns true with this probability, in percent.
fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::draw("demo-1".to_owned(), seed, 500, 500, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn a_plan_has_some_of_everything() {
        let plan = plan(7);
        assert!(plan.orders.iter().any(|order| order.invalid));
        assert!(plan.orders.iter().any(|order| order.twice));
        assert!(plan.orders.iter().any(|order| order.then == Some("cancel")));
        for refused_by in [None, Some(RefusedBy::Bus), Some(RefusedBy::Function)] {
            assert!(
                plan.updates
                    .iter()
                    .any(|update| update.refused_by == refused_by)
            );
        }
        assert!(
            plan.updates
                .iter()
                .any(|update| update.twice && update.over_http)
        );
        assert!(plan.sends() > 1_000);
    }

    #[test]
    fn money_has_two_decimals() {
        assert_eq!(
            [money(5), money(199), money(12_300)],
            ["0.05", "1.99", "123.00"]
        );
    }
}
