//! Commands in which every text is as long as its limit, or one character shorter or longer. The
//! messages of every accepted one must fit the limits of EventBridge and SNS.

use domain::limits::{DETAIL_BYTES_MAX, ID_MAX, TEXT_MAX};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{
    config, run,
    world::{Entry, World},
};

/// Characters of 1 to 4 bytes in UTF-8, then two that JSON must escape: a quotation mark, and a
/// control character, which ids may not contain.
const FILLS: [char; 6] = ['a', 'é', '€', '😀', '"', '\u{1}'];

/// The length of texts that have no limit of their own, in characters. An event has at most 256
/// KiB.
const ANY_LENGTH: usize = 60_000;

/// A text that repeats one character up to a limit. `beyond` is added to the limit: 0, 1 or -1.
#[derive(Debug, Clone, Copy)]
struct Filled {
    fill: char,
    beyond: i32,
}

impl Filled {
    fn to(self, bound: usize) -> String {
        let length = i32::try_from(bound).unwrap() + self.beyond;
        (0..length).map(|_| self.fill).collect()
    }
}

/// Draws a text that mostly is exactly as long as its limit, so that most commands are accepted.
fn filled() -> impl Strategy<Value = Filled> {
    let beyond = prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1)];
    let fill = prop_oneof![5 => select(&FILLS[..5]), 1 => Just(FILLS[5])];
    (fill, beyond).prop_map(|(fill, beyond)| Filled { fill, beyond })
}

/// The texts that come from a sender and may appear in messages.
#[derive(Debug, Clone)]
struct Sent {
    order_id: Filled,
    shipment_id: Filled,
    customer_id: Filled,
    text: Filled,
    /// The id of the event, and the command id of an invocation.
    event_id: Filled,
    correlation_id: Filled,
    any_length: bool,
    padding: Filled,
    /// The member of an update that fills it up to its limit of bytes.
    padded: &'static str,
    status: &'static str,
    traceparent: bool,
    price: &'static str,
}

fn sent() -> impl Strategy<Value = Sent> {
    let texts = (
        filled(),
        filled(),
        filled(),
        filled(),
        filled(),
        filled(),
        filled(),
    );
    let padded = select(&["location", "carrier", "note", "trackingNumber"][..]);
    let status = select(&["LOST", "DAMAGED", "DELAYED", "EXCEPTION", "IN_TRANSIT"][..]);
    let price = select(
        &[
            "1",
            "99999999999999999999999999999999999999",
            "1E-38",
            "9E+120",
        ][..],
    );
    (texts, any::<bool>(), padded, status, any::<bool>(), price).prop_map(
        |(texts, any_length, padded, status, traceparent, price)| Sent {
            order_id: texts.0,
            shipment_id: texts.1,
            customer_id: texts.2,
            text: texts.3,
            event_id: texts.4,
            correlation_id: texts.5,
            padding: texts.6,
            any_length,
            padded,
            status,
            traceparent,
            price,
        },
    )
}

impl Sent {
    fn detail(&self, mut detail: Value) -> Value {
        if self.traceparent {
            let longest = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
            detail["traceparent"] = longest.into();
        }
        detail
    }

    fn event(&self, source: &str, detail_type: &str, detail: Value) -> String {
        let bound = if self.any_length { ANY_LENGTH } else { 255 };
        json!({
            "id": self.event_id.to(bound),
            "source": source,
            "detail-type": detail_type,
            "detail": self.detail(detail),
        })
        .to_string()
    }

    fn order(&self, fulfilment: &str) -> Value {
        let price: Box<serde_json::value::RawValue> = serde_json::from_str(self.price).unwrap();
        let items: Value = serde_json::from_str(&format!(
            r#"[{{"name":{},"quantity":1,"price":"{price}"}}]"#,
            Value::from(self.text.to(TEXT_MAX)),
        ))
        .unwrap();
        json!({
            "orderId": self.order_id.to(ID_MAX),
            "customerId": self.customer_id.to(ID_MAX),
            "customerName": self.text.to(TEXT_MAX),
            "fulfilment": fulfilment,
            "items": items,
        })
    }

    /// Returns an update that is as large as its limit, or a character less or more.
    fn update(&self) -> Value {
        let mut update = json!({
            "shipmentId": self.shipment_id.to(ID_MAX),
            "orderId": self.order_id.to(ID_MAX),
            "status": self.status,
        });
        update[self.padded] = "".into();
        let bytes = Value::from(self.padding.fill.to_string()).to_string().len() - 2;
        let room = DETAIL_BYTES_MAX - update.to_string().len();
        update[self.padded] = self.padding.to(room / bytes).into();
        update
    }

    fn correlation(&self) -> String {
        let bound = if self.any_length { ANY_LENGTH } else { 2_048 };
        self.correlation_id.to(bound)
    }

    /// Returns the payloads with their entry points, in the order in which they arrive.
    fn payloads(&self) -> Vec<(Entry, String)> {
        let id = self.order_id.to(ID_MAX);
        let named = || json!({ "orderId": id });
        let cancel = json!({ "orderId": id, "reason": self.text.to(TEXT_MAX) });
        let created = json!({
            "orderId": id,
            "id": self.event_id.to(ANY_LENGTH),
            "correlationId": self.correlation(),
            "status": "NEW",
        });
        let orders = "orders.commands";
        let place = |fulfilment| self.event(orders, "Place Order", self.order(fulfilment));
        let close = match self.any_length {
            true => self.event(orders, "Complete Order", named()),
            false => self.event(orders, "Cancel Order", cancel),
        };
        let mut invoked = self.order("merchant");
        invoked["orderId"] = "invoked".into();
        invoked["commandId"] = self.event_id.to(255).into();
        let mut request: Value =
            serde_json::from_str(include_str!("../fuzz/seeds/api/placing_an_order.json")).unwrap();
        let mut body = self.order("merchant");
        body["orderId"] = "requested".into();
        request["body"] = body.to_string().into();
        // Only these characters are allowed in a header.
        if self.correlation_id.fill.is_ascii_graphic() {
            request["headers"]["x-correlation-id"] = self.correlation_id.to(255).into();
        }
        let update = self.event("logistics.shipments", "Shipment Update", self.update());
        vec![
            (Entry::Bus, place("automatic")),
            (
                Entry::Bus,
                self.event("waybill.orders", "Order Created", created),
            ),
            (Entry::Bus, close),
            (Entry::Bus, update),
            (Entry::Api, invoked.to_string()),
            (Entry::Api, request.to_string()),
        ]
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_accepted_makes_messages_that_are_taken(sent in sent()) {
        run(async {
            let world = World::new();
            for (entry, payload) in sent.payloads() {
                // Where the order was refused, the commands for it fail, to be delivered again.
                drop(world.check(entry, &payload).await);
            }
            world.check_downstream().await;
        });
    }
}

/// The property above is not empty: with every text at its limit, every command is accepted.
#[test]
fn texts_at_their_bounds_are_accepted() {
    for fill in ['a', 'é', '€', '😀'] {
        let filled = Filled { fill, beyond: 0 };
        let sent = Sent {
            order_id: filled,
            shipment_id: filled,
            customer_id: filled,
            text: filled,
            event_id: filled,
            correlation_id: filled,
            any_length: true,
            padding: filled,
            padded: "location",
            status: "LOST",
            traceparent: true,
            price: "99999999999999999999999999999999999999",
        };
        run(async {
            let world = World::new();
            for (entry, payload) in sent.payloads() {
                drop(world.check(entry, &payload).await);
            }
            world.check_downstream().await;
            // An order that is placed and completed by Waybill, an order by invocation, one by
            // request, and an update.
            assert_eq!(world.commits().len(), 5, "{fill}");
        });
    }
}
