//! Commands on their way.

use commands::execute::Envelope;
use domain::{
    AggregateId, Digest, OrderId, Timestamp,
    aggregate::Intent as _,
    json::Object,
    money::Currency,
    order::{self, Fulfilment, Item, PlaceOrder},
    shipment::{self, Origin, UpdateKind},
    time::SentTime,
};
use event_store::Cause;

/// A time.
pub fn at(text: &str) -> Timestamp {
    SentTime::parse(text).unwrap().at
}

/// A cause of a command with this id and content.
pub fn cause(command_id: &str, digest: Digest) -> Cause {
    Cause {
        command_id: command_id.to_owned(),
        digest,
        actor: "tester".to_owned(),
        source: "test".to_owned(),
        correlation_id: "correlation".to_owned(),
        causation_id: "causation".to_owned(),
        traceparent: None,
    }
}

/// A line.
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

/// An order of these lines.
pub fn place(id: &str, items: Vec<Item>) -> PlaceOrder {
    PlaceOrder {
        order_id: id.parse().unwrap(),
        customer_id: Some("customer123".to_owned()),
        customer_name: None,
        personal: None,
        sealed: None,
        items,
        adjustments: vec![],
        total_amount: None,
        currency: Currency::DEFAULT,
        placed_at: None,
        fulfilment: None,
        default_fulfilment: Fulfilment::Merchant,
        source_file: None,
        attributes: Object::new(),
    }
}

/// A command to an order.
pub fn to_order(id: &str, command_id: &str, intent: order::Intent) -> Envelope<order::Intent> {
    let id: OrderId = id.parse().unwrap();
    Envelope {
        aggregate: AggregateId::Order(id),
        expected_version: None,
        cause: cause(command_id, intent.digest()),
        intent,
    }
}

/// An order with personal data, placed.
pub fn placing_for(id: &str, command_id: &str, name: &str) -> Envelope<order::Intent> {
    let mut place = place(id, vec![item("prod1", 2, "29.99")]);
    place.customer_name = Some(name.to_owned());
    let mail = Object::from([("mail".to_owned(), format!("{name}@example.com").into())]);
    place.personal = Some(mail);
    to_order(id, command_id, order::Intent::Place(Box::new(place)))
}

/// A small order, placed.
pub fn placing(id: &str, command_id: &str) -> Envelope<order::Intent> {
    let place = place(
        id,
        vec![item("prod1", 2, "29.99"), item("prod2", 1, "49.99")],
    );
    to_order(id, command_id, order::Intent::Place(Box::new(place)))
}

/// A shipment update that says `text`; with `timestamp` it is known by what it says.
pub fn update(
    id: &str,
    command_id: &str,
    text: &str,
    timestamp: Option<&str>,
) -> Envelope<shipment::Intent> {
    let detail = Object::from([
        ("location".to_owned(), text.into()),
        ("timestamp".to_owned(), timestamp.unwrap_or_default().into()),
    ]);
    let intent = shipment::Intent::from(shipment::Update {
        shipment_id: id.parse().unwrap(),
        kind: UpdateKind::Update,
        status: "IN_TRANSIT".to_owned().try_into().unwrap(),
        carrier_status: None,
        location: Some(text.to_owned()),
        carrier: None,
        tracking_number: None,
        order_id: None,
        timestamp: timestamp.map(|text| SentTime::parse(text).unwrap()),
        origin: Origin {
            id: command_id.to_owned(),
            source: "logistics.shipments".to_owned(),
            time: at("2024-01-15T12:00:00Z"),
        },
        attributes: Object::new(),
        detail,
    });
    Envelope {
        aggregate: AggregateId::Shipment(id.parse().unwrap()),
        expected_version: None,
        cause: cause(command_id, intent.digest()),
        intent,
    }
}

/// The update that a command wants, to change it.
pub fn update_of(command: &mut Envelope<shipment::Intent>) -> &mut shipment::Update {
    match &mut command.intent {
        shipment::Intent::Update(update) => update,
        shipment::Intent::Stall(_) => panic!("no update"),
    }
}

/// A watcher says that nothing was heard of a shipment since `last_update_at`.
pub fn stall(id: &str, last_update_at: Timestamp) -> Envelope<shipment::Intent> {
    let intent = shipment::Intent::Stall(shipment::Stall {
        shipment_id: id.parse().unwrap(),
        last_update_at,
    });
    Envelope {
        aggregate: AggregateId::Shipment(id.parse().unwrap()),
        expected_version: None,
        cause: cause(&format!("stalled/{last_update_at}"), intent.digest()),
        intent,
    }
}
