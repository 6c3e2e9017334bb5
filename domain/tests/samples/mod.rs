//! Commands to begin with.

#![allow(clippy::unwrap_used, dead_code)]

use cqrs_es::{Aggregate, test::AggregateResultValidator};
use domain::{
    Timestamp,
    aggregate::Command,
    json::Object,
    order::{Adjustment, AdjustmentType, Fulfilment, Item, PlaceOrder},
    shipment::{Origin, Update, UpdateKind},
    time::SentTime,
};

pub const NOON: &str = "2024-01-15T12:00:00Z";
pub const LATER: &str = "2024-01-15T13:00:00Z";

/// The time of the event that brings [`update`].
pub const EVENT_TIME: &str = "2024-01-15T11:59:58Z";

pub fn at(text: &str) -> Timestamp {
    SentTime::parse(text).unwrap().at
}

pub fn item(product_id: &str, quantity: u64, price: &str) -> Item {
    Item {
        product_id: Some(product_id.to_owned()),
        name: None,
        quantity: quantity.into(),
        price: price.parse().unwrap(),
        adjustments: vec![],
        attributes: Object::new(),
    }
}

pub fn adjustment(kind: AdjustmentType, amount: &str) -> Adjustment {
    Adjustment {
        kind,
        amount: amount.parse().unwrap(),
        name: None,
        included: false,
        attributes: Object::new(),
    }
}

pub fn place() -> PlaceOrder {
    PlaceOrder {
        order_id: "536365".parse().unwrap(),
        customer_id: Some("customer123".to_owned()),
        customer_name: None,
        personal: None,
        sealed: None,
        items: vec![item("prod1", 2, "29.99"), item("prod2", 1, "49.99")],
        adjustments: vec![],
        total_amount: Some("109.97".parse().unwrap()),
        currency: domain::money::Currency::DEFAULT,
        placed_at: None,
        fulfilment: None,
        default_fulfilment: Fulfilment::Merchant,
        source_file: None,
        attributes: Object::new(),
    }
}

pub fn update(status: &str, timestamp: Option<&str>) -> Update {
    Update {
        shipment_id: "SHIP-12345".parse().unwrap(),
        kind: UpdateKind::Update,
        status: status.to_owned().try_into().unwrap(),
        carrier_status: None,
        location: None,
        carrier: None,
        tracking_number: None,
        order_id: None,
        timestamp: timestamp.map(|text| SentTime::parse(text).unwrap()),
        origin: Origin {
            id: "event-1".to_owned(),
            source: "logistics.shipments".to_owned(),
            time: at(EVENT_TIME),
        },
        attributes: Object::new(),
        detail: Object::from([("status".to_owned(), status.into())]),
    }
}

pub fn when<I>(time: &str, intent: impl Into<I>) -> Command<I> {
    Command {
        at: at(time),
        intent: intent.into(),
    }
}

/// The one event that a command had.
pub fn only<A: Aggregate>(result: AggregateResultValidator<A>) -> A::Event
where
    A::Error: std::fmt::Debug,
{
    let mut events = result.inspect_result().unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0)
}
