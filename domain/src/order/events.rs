//! The events of an order. Their names and fields are stored and never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Adjustment, Fulfilment, Item, PlacedAt, Status};
use crate::{
    Json, Number, OrderId, Timestamp,
    event::{EncodedEvent, EventKind},
    json::Object,
    money::Currency,
    personal::Sealed,
};

/// An event of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The order was placed.
    OrderPlaced(Box<OrderPlaced>),
    /// The order was completed.
    OrderProcessed(OrderProcessed),
    /// The order was cancelled.
    OrderCancelled(OrderCancelled),
}

/// An order was placed: everything that was sent, and the computed amounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderPlaced {
    /// The order's id.
    pub order_id: OrderId,
    /// The time at which the command was decided: the row's `createdAt`.
    pub at: Timestamp,
    /// The time at which the customer placed the order, where the sender said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The shop's id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The customer's name, where the event is open: it is never stored so, except in events of
    /// versions 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// Other personal data of the customer, where the event is open: an object, or the text
    /// [`crate::personal::ERASED`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<Json>,
    /// The personal data as they are stored, where the event is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The items in the order in which they were sent.
    pub items: Vec<Item>,
    /// What the whole order costs beside its items, such as shipping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// The exact sum of the items: quantity × price, and the items' own adjustments.
    pub items_amount: Number,
    /// The exact total: the sum of the items and the order's adjustments.
    pub total_amount: Number,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Who completes the order: as the sender said, or the default of the order's source.
    pub fulfilment: Fulfilment,
    /// The file that the order came in, `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_file: Option<String>,
    /// Members that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// An order was completed. The event carries all that its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderProcessed {
    /// The order's id.
    pub order_id: OrderId,
    /// The time at which the command was decided.
    pub at: Timestamp,
    /// The time at which the customer placed the order; missing in events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The order's status before this event.
    pub previous_status: Status,
    /// The shop's id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact total of the order.
    pub total_amount: Number,
    /// The currency of the total.
    pub currency: Currency,
}

/// An order was cancelled. The event carries all that its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderCancelled {
    /// The order's id.
    pub order_id: OrderId,
    /// The time at which the command was decided.
    pub at: Timestamp,
    /// The time at which the customer placed the order; missing in events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The order's status before this event.
    pub previous_status: Status,
    /// The reason that the sender of the command gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The shop's id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact total of the order.
    pub total_amount: Number,
    /// The currency of the total.
    pub currency: Currency,
}

/// Every kind of event of an order, in the order of the variants of [`Event`].
pub(super) const KINDS: [EventKind<Event>; 3] = [
    EventKind {
        name: "OrderPlaced",
        upcasters: &[order_placed_1_to_2, order_placed_2_to_3],
        decode: |data| serde_json::from_str(data).map(Event::OrderPlaced),
    },
    EventKind {
        name: "OrderProcessed",
        upcasters: &[order_closed_1_to_2],
        decode: |data| serde_json::from_str(data).map(Event::OrderProcessed),
    },
    EventKind {
        name: "OrderCancelled",
        upcasters: &[order_closed_1_to_2],
        decode: |data| serde_json::from_str(data).map(Event::OrderCancelled),
    },
];

/// Version 2 added `placedAt`, which is optional: events of version 1 stay without it.
fn order_closed_1_to_2(data: Object) -> Object {
    data
}

/// Version 1 had no adjustments, so the total was the sum of the items. It kept `placedAt` as an
/// attribute, where it stays.
fn order_placed_1_to_2(mut data: Object) -> Object {
    if let Some(total) = data.get("totalAmount").cloned() {
        data.insert("itemsAmount".to_owned(), total);
    }
    let placed_at = match data.get("attributes") {
        Some(Json::Object(attributes)) => attributes.get("placedAt"),
        _ => None,
    };
    if let Some(placed_at) = placed_at.and_then(PlacedAt::read) {
        data.insert("placedAt".to_owned(), placed_at.at.to_string().into());
    }
    data
}

/// Version 3 seals personal data. Those of older events stay as they were sent, in the same
/// members.
fn order_placed_2_to_3(data: Object) -> Object {
    data
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().name.to_owned()
    }

    fn event_version(&self) -> String {
        self.kind().version().to_string()
    }
}

impl Event {
    /// The event's kind. The compiler refuses an index that `KINDS` does not have.
    pub fn kind(&self) -> &'static EventKind<Self> {
        match self {
            Self::OrderPlaced(_) => &KINDS[0],
            Self::OrderProcessed(_) => &KINDS[1],
            Self::OrderCancelled(_) => &KINDS[2],
        }
    }

    /// Encodes the event in the latest version of its kind.
    pub(super) fn encode(&self) -> Result<EncodedEvent, serde_json::Error> {
        match self {
            Self::OrderPlaced(data) if data.is_open() => Err(serde::ser::Error::custom(
                "personal data are stored sealed, and these are not",
            )),
            Self::OrderPlaced(data) => self.kind().encode(data),
            Self::OrderProcessed(data) => self.kind().encode(data),
            Self::OrderCancelled(data) => self.kind().encode(data),
        }
    }
}

impl OrderPlaced {
    /// The event of completing this order at the time `at`.
    pub(super) fn processed(&self, at: Timestamp) -> Event {
        Event::OrderProcessed(OrderProcessed {
            order_id: self.order_id.clone(),
            at,
            placed_at: Some(self.placed_at()),
            previous_status: Status::initial(self.fulfilment),
            customer_id: self.customer_id.clone(),
            total_amount: self.total_amount.clone(),
            currency: self.currency,
        })
    }

    /// The event of cancelling this order at the time `at`.
    pub(super) fn cancelled(&self, at: Timestamp, reason: Option<String>) -> Event {
        Event::OrderCancelled(OrderCancelled {
            order_id: self.order_id.clone(),
            at,
            placed_at: Some(self.placed_at()),
            previous_status: Status::initial(self.fulfilment),
            reason,
            customer_id: self.customer_id.clone(),
            total_amount: self.total_amount.clone(),
            currency: self.currency,
        })
    }

    /// Whether the event holds personal data that are not sealed.
    pub fn is_open(&self) -> bool {
        self.customer_name.is_some() || self.personal.is_some()
    }

    /// The time at which the customer placed the order, or at which it arrived where the sender did
    /// not say.
    pub fn placed_at(&self) -> Timestamp {
        self.placed_at.unwrap_or(self.at)
    }
}
