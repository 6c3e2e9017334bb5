//! What can have happened to an order. These names and fields are stored: they never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Adjustment, Fulfilment, Item, PlacedAt, Status};
use crate::{
    Json, Number, OrderId, Timestamp,
    event::{EncodedEvent, Kind},
    json::Object,
    money::Currency,
};

/// What has happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was placed.
    OrderPlaced(Box<OrderPlaced>),
    /// It was completed.
    OrderProcessed(OrderProcessed),
    /// It was cancelled.
    OrderCancelled(OrderCancelled),
}

/// An order was placed: everything that was sent, and the amounts that it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderPlaced {
    /// The order's id.
    pub order_id: OrderId,
    /// When the command was decided; the row's `createdAt`.
    pub at: Timestamp,
    /// When the customer placed it, where its sender said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The shop's id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The customer's name: personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The items in the order in which they were sent.
    pub items: Vec<Item>,
    /// What the whole order costs beside its items, such as shipping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// The exact sum of the items: quantity × price, with the items' own adjustments.
    pub items_amount: Number,
    /// The exact total: that sum and the order's adjustments.
    pub total_amount: Number,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// Who completes it: its sender's word, or else what its trigger makes of an order.
    pub fulfilment: Fulfilment,
    /// The file that it came in, `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_file: Option<String>,
    /// Members that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// An order was completed. It carries what its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderProcessed {
    /// The order's id.
    pub order_id: OrderId,
    /// When the command was decided.
    pub at: Timestamp,
    /// When the customer had placed it; unknown of events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The status that it had until then.
    pub previous_status: Status,
    /// The shop's id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact total of the order.
    pub total_amount: Number,
    /// The currency of the total.
    pub currency: Currency,
}

/// An order was cancelled. It carries what its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderCancelled {
    /// The order's id.
    pub order_id: OrderId,
    /// When the command was decided.
    pub at: Timestamp,
    /// When the customer had placed it; unknown of events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// The status that it had until then.
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
pub(super) const KINDS: [Kind<Event>; 3] = [
    Kind {
        name: "OrderPlaced",
        upcasters: &[placed_without_adjustments],
        read: |data| serde_json::from_str(data).map(Event::OrderPlaced),
    },
    Kind {
        name: "OrderProcessed",
        upcasters: &[may_say_when_it_was_placed],
        read: |data| serde_json::from_str(data).map(Event::OrderProcessed),
    },
    Kind {
        name: "OrderCancelled",
        upcasters: &[may_say_when_it_was_placed],
        read: |data| serde_json::from_str(data).map(Event::OrderCancelled),
    },
];

/// Version 2 may say when the customer placed the order; of version 1 that is not known.
fn may_say_when_it_was_placed(data: Object) -> Object {
    data
}

/// Version 1 had no adjustments, so the total was the sum of the items; and when the customer
/// placed the order was an attribute, which it stays beside.
fn placed_without_adjustments(mut data: Object) -> Object {
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

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().name.to_owned()
    }

    fn event_version(&self) -> String {
        self.kind().version().to_string()
    }
}

impl Event {
    /// Its kind. An index that [`KINDS`] does not have is refused by the compiler.
    pub fn kind(&self) -> &'static Kind<Self> {
        match self {
            Self::OrderPlaced(_) => &KINDS[0],
            Self::OrderProcessed(_) => &KINDS[1],
            Self::OrderCancelled(_) => &KINDS[2],
        }
    }

    /// Writes it down.
    pub(super) fn encode(&self) -> Result<EncodedEvent, serde_json::Error> {
        match self {
            Self::OrderPlaced(data) => self.kind().write(data),
            Self::OrderProcessed(data) => self.kind().write(data),
            Self::OrderCancelled(data) => self.kind().write(data),
        }
    }
}

impl OrderPlaced {
    /// The order is completed.
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

    /// The order is cancelled.
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

    /// When the customer placed it; when it arrived, where its sender did not say.
    pub fn placed_at(&self) -> Timestamp {
        self.placed_at.unwrap_or(self.at)
    }
}
