//! What can have happened to an order. These names and fields are stored: they never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Adjustment, Fulfilment, Item, PlacedAt, Status};
use crate::{
    Json, Number, OrderId, Timestamp,
    event::{EncodedEvent, Undecodable, Upcaster},
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

/// An order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderPlaced {
    /// Which one.
    pub order_id: OrderId,
    /// When.
    pub at: Timestamp,
    /// When the customer placed it, where its sender said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// Its lines.
    pub items: Vec<Item>,
    /// What it costs beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// The exact sum of its lines.
    pub items_amount: Number,
    /// The exact total: that sum and the order's adjustments.
    pub total_amount: Number,
    /// In which currency.
    pub currency: Currency,
    /// Who completes it.
    pub fulfilment: Fulfilment,
    /// The file that it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_file: Option<String>,
    /// Whatever else was sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// An order was completed. It carries what its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderProcessed {
    /// Which one.
    pub order_id: OrderId,
    /// When.
    pub at: Timestamp,
    /// When the customer had placed it; unknown of events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// What it was before.
    pub previous_status: Status,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact total.
    pub total_amount: Number,
    /// In which currency.
    pub currency: Currency,
}

/// An order was cancelled. It carries what its message says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderCancelled {
    /// Which one.
    pub order_id: OrderId,
    /// When.
    pub at: Timestamp,
    /// When the customer had placed it; unknown of events of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// What it was before.
    pub previous_status: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact total.
    pub total_amount: Number,
    /// In which currency.
    pub currency: Currency,
}

/// The version that events of every kind are written in.
const VERSION: u32 = 2;

/// Every step from an older version of an event to the next.
const UPCASTERS: &[Upcaster] = &[
    Upcaster {
        kind: "OrderPlaced",
        from: 1,
        up: placed_without_adjustments,
    },
    // Version 2 may say when the customer placed the order.
    Upcaster {
        kind: "OrderProcessed",
        from: 1,
        up: std::convert::identity,
    },
    Upcaster {
        kind: "OrderCancelled",
        from: 1,
        up: std::convert::identity,
    },
];

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
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        VERSION.to_string()
    }
}

impl Event {
    /// What happened, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OrderPlaced(_) => "OrderPlaced",
            Self::OrderProcessed(_) => "OrderProcessed",
            Self::OrderCancelled(_) => "OrderCancelled",
        }
    }

    /// Writes it down.
    pub(super) fn encode(&self) -> Result<EncodedEvent, serde_json::Error> {
        match self {
            Self::OrderPlaced(data) => EncodedEvent::new(self.kind(), VERSION, data),
            Self::OrderProcessed(data) => EncodedEvent::new(self.kind(), VERSION, data),
            Self::OrderCancelled(data) => EncodedEvent::new(self.kind(), VERSION, data),
        }
    }

    /// Reads one, of any version ever written.
    pub(super) fn decode(event: &EncodedEvent) -> Result<Self, Undecodable> {
        match event.kind.as_str() {
            "OrderPlaced" => event.read(VERSION, UPCASTERS).map(Self::OrderPlaced),
            "OrderProcessed" => event.read(VERSION, UPCASTERS).map(Self::OrderProcessed),
            "OrderCancelled" => event.read(VERSION, UPCASTERS).map(Self::OrderCancelled),
            _ => Err(event.unknown("no such event of an order")),
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
