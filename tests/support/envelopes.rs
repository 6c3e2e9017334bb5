//! Commands with their envelopes, ready for `execute`.

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

/// Parses a time such as `2024-01-15T12:00:00Z`.
pub fn at(text: &str) -> Timestamp {
    SentTime::parse(text).unwrap().at
}

/// Returns the cause of a command with this id and digest.
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

/// Returns a line of an order.
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

/// Returns an intent to place an order with these lines.
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

/// Returns a command for an order.
pub fn to_order(id: &str, command_id: &str, intent: order::Intent) -> Envelope<order::Intent> {
    let id: OrderId = id.parse().unwrap();
    Envelope {
        aggregate: AggregateId::Order(id),
        expected_version: None,
        cause: cause(command_id, intent.digest()),
        intent,
    }
}

/// Returns a command that places an order with personal data: the customer's name, and a mail
/// address made of it.
pub fn placing_for(id: &str, command_id: &str, name: &str) -> Envelope<order::Intent> {
    let mut place = place(id, vec![item("prod1", 2, "29.99")]);
    place.customer_name = Some(name.to_owned());
    let mail = Object::from([("mail".to_owned(), format!("{name}@example.com").into())]);
    place.personal = Some(mail);
    to_order(id, command_id, order::Intent::Place(Box::new(place)))
}

/// Returns a command that places an order of two lines without personal data.
pub fn placing(id: &str, command_id: &str) -> Envelope<order::Intent> {
    let place = place(
        id,
        vec![item("prod1", 2, "29.99"), item("prod2", 1, "49.99")],
    );
    to_order(id, command_id, order::Intent::Place(Box::new(place)))
}

/// Returns a shipment update whose location is `text`. With a `timestamp`, an update with the same
/// content is recognised as known.
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

/// Returns the update of a command, to change it. Panics where the command is no update.
pub fn update_of(command: &mut Envelope<shipment::Intent>) -> &mut shipment::Update {
    match &mut command.intent {
        shipment::Intent::Update(update) => update,
        shipment::Intent::Stall(_) => panic!("no update"),
    }
}

/// Returns the watcher's command to mark a shipment as stalled, which had no update since
/// `last_update_at`.
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
