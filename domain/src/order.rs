//! An order: placed once, then processed or cancelled, and so it stays.
//!
//! ```text
//!              ┌─ automatic: NEW ────────┐   ┌─ PROCESSED
//! OrderPlaced ─┤                         ├──▶┤
//!              └─ merchant: PROCESSING ──┘   └─ CANCELLED
//! ```

use std::num::NonZeroU64;

use bigdecimal::BigDecimal;
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Json, Number, OrderId, Refusal, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, Undecodable, Upcaster},
    json::{Object, object_dynamodb_bytes},
    limits::{FOREIGN_ID_MAX, ITEM_BYTES_MAX, ITEMS_MAX, ROW_OVERHEAD_BYTES, TEXT_MAX},
    money::Currency,
};

// ---- What can be wanted

/// A command to an order.
pub type Command = aggregate::Command<Intent>;

/// What can be wanted of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Place it.
    Place(Box<Place>),
    /// The shop has completed it.
    Complete,
    /// Cancel it.
    Cancel {
        /// Why, in up to 1,024 characters.
        reason: Option<String>,
    },
    /// Waybill completes an `automatic` order by itself. Where that is not called for any more it
    /// does nothing, since the notification that asks for it comes at least once.
    Fulfil,
}

/// An order as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub order_id: OrderId,
    /// Whose it is, up to 128 characters.
    pub customer_id: Option<String>,
    /// What they are called, up to 1,024 characters.
    pub customer_name: Option<String>,
    /// 1 to 2,000 items.
    pub items: Vec<Item>,
    /// The sum that the sender came to, in `currency`.
    pub total_amount: Option<Number>,
    /// What prices and total are in.
    pub currency: Currency,
    /// Who completes it, as the sender named it.
    pub fulfilment: Option<Fulfilment>,
    /// Who completes it where the sender did not say: its source decides.
    pub default_fulfilment: Fulfilment,
    /// The file that it came in, `s3://bucket/key`.
    pub source_file: Option<String>,
    /// Whatever else was sent.
    pub attributes: Object,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// What it is, by id; up to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// What it is, by name; up to 1,024 characters. An item has one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub quantity: NonZeroU64,
    /// Each, in the order's currency; zero or more.
    pub price: Number,
    /// Whatever else was sent with it.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// Who completes an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fulfilment {
    /// The shop, by a command.
    Merchant,
    /// Waybill, as soon as it is placed.
    Automatic,
}

impl Fulfilment {
    /// As it is written in commands and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Automatic => "automatic",
        }
    }
}

impl Item {
    /// As it stands in rows and answers.
    pub fn to_json(&self) -> Json {
        let mut members = Object::new();
        let mut text = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.clone().into());
            }
        };
        text("productId", &self.product_id);
        text("name", &self.name);
        members.insert("quantity".to_owned(), self.quantity.get().into());
        members.insert("price".to_owned(), self.price.clone().into());
        if !self.attributes.is_empty() {
            members.insert(
                "attributes".to_owned(),
                Json::Object(self.attributes.clone()),
            );
        }
        Json::Object(members)
    }
}

impl aggregate::Intent for Intent {
    fn digest(&self) -> Digest {
        let mut content = Object::new();
        match self {
            Self::Place(place) => return Digest::of(&place.content()),
            Self::Complete => content.insert("complete".to_owned(), Json::Null),
            Self::Cancel { reason } => content.insert("cancel".to_owned(), optional(reason)),
            Self::Fulfil => content.insert("fulfil".to_owned(), Json::Null),
        };
        Digest::of(&Json::Object(content))
    }

    fn known_by_content(&self) -> bool {
        self.creates()
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Place(_))
    }
}

fn optional(text: &Option<String>) -> Json {
    text.as_ref().map_or(Json::Null, |text| text.clone().into())
}

impl Place {
    /// What makes two orders the same one: everything but id, source and caller. A right total
    /// follows from the items; a wrong one makes it another order, which is none.
    fn content(&self) -> Json {
        let wrong_total = self
            .total_amount
            .clone()
            .filter(|_| self.exact_total().is_err());
        let mut content = Object::from([
            ("customerId".to_owned(), optional(&self.customer_id)),
            ("customerName".to_owned(), optional(&self.customer_name)),
            (
                "items".to_owned(),
                Json::Array(self.items.iter().map(Item::to_json).collect()),
            ),
            ("currency".to_owned(), self.currency.to_string().into()),
            (
                "fulfilment".to_owned(),
                self.fulfilment
                    .map_or(Json::Null, |named| named.as_str().into()),
            ),
            (
                "attributes".to_owned(),
                Json::Object(self.attributes.clone()),
            ),
        ]);
        content.extend(wrong_total.map(|sent| ("totalAmount".to_owned(), sent.into())));
        Json::Object(content)
    }
}

// ---- What can have happened. These names and fields are stored: they never change, see `event`.

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
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// Its lines.
    pub items: Vec<Item>,
    /// The exact sum.
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
    /// What it was before.
    pub previous_status: Status,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact sum.
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
    /// What it was before.
    pub previous_status: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The exact sum.
    pub total_amount: Number,
    /// In which currency.
    pub currency: Currency,
}

/// Every step from an older version of an event to the next; all are of version 1 so far.
const UPCASTERS: &[Upcaster] = &[];

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
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
}

// ---- What it is now

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Nobody has placed it.
    #[default]
    Unplaced,
    /// It waits for its completion.
    Open(Box<OrderPlaced>),
    /// It is completed.
    Processed {
        /// The order.
        order: Box<OrderPlaced>,
        /// When it was completed.
        at: Timestamp,
    },
    /// It is cancelled.
    Cancelled {
        /// The order.
        order: Box<OrderPlaced>,
        /// When it was cancelled.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Waybill is going to complete it.
    New,
    /// The shop is going to complete it.
    Processing,
    /// Completed.
    Processed,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Processing => "PROCESSING",
            Self::Processed => "PROCESSED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// What may be done next, in the words of the HTTP API.
    pub fn allowed_actions(self) -> &'static [&'static str] {
        match self {
            Self::New | Self::Processing => &["complete", "cancel"],
            Self::Processed | Self::Cancelled => &[],
        }
    }

    /// Where a placed order begins.
    pub fn initial(fulfilment: Fulfilment) -> Self {
        match fulfilment {
            Fulfilment::Automatic => Self::New,
            Fulfilment::Merchant => Self::Processing,
        }
    }
}

impl Order {
    /// Where it stands, `None` before it is placed.
    pub fn standing(&self) -> Option<Status> {
        match self {
            Self::Unplaced => None,
            Self::Open(order) => Some(Status::initial(order.fulfilment)),
            Self::Processed { .. } => Some(Status::Processed),
            Self::Cancelled { .. } => Some(Status::Cancelled),
        }
    }
}

// ---- How it decides

impl EventSourced for Order {
    type Intent = Intent;

    const SHAPE: &'static str = "order/1";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let at = command.at;
        match (self, &command.intent) {
            (Self::Unplaced, Intent::Place(place)) => place.accepted(at).map(|event| vec![event]),
            (Self::Unplaced, _) => Err(Refusal::NotFound {
                message: "there is no such order".to_owned(),
            }),
            (_, Intent::Place(_)) => Err(Refusal::Conflict {
                code: "order_exists",
                message: "an order with this id and other content exists".to_owned(),
            }),
            (Self::Open(order), Intent::Complete) => Ok(vec![order.processed(at)]),
            (Self::Open(order), Intent::Fulfil) => match order.fulfilment {
                Fulfilment::Automatic => Ok(vec![order.processed(at)]),
                Fulfilment::Merchant => Ok(vec![]),
            },
            (Self::Open(order), Intent::Cancel { reason }) => {
                check_text("reason", reason, TEXT_MAX)?;
                Ok(vec![order.cancelled(at, reason.clone())])
            }
            (_, Intent::Fulfil) => Ok(vec![]),
            (Self::Processed { .. }, _) => Err(closed(Status::Processed)),
            (Self::Cancelled { .. }, _) => Err(closed(Status::Cancelled)),
        }
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        match event {
            Event::OrderPlaced(data) => EncodedEvent::new(event.kind(), 1, data),
            Event::OrderProcessed(data) => EncodedEvent::new(event.kind(), 1, data),
            Event::OrderCancelled(data) => EncodedEvent::new(event.kind(), 1, data),
        }
    }

    fn decode(event: &EncodedEvent) -> Result<Event, Undecodable> {
        match event.kind.as_str() {
            "OrderPlaced" => event.read(1, UPCASTERS).map(Event::OrderPlaced),
            "OrderProcessed" => event.read(1, UPCASTERS).map(Event::OrderProcessed),
            "OrderCancelled" => event.read(1, UPCASTERS).map(Event::OrderCancelled),
            _ => Err(event.undecodable("no such event of an order")),
        }
    }

    fn status_of(event: &Event) -> &str {
        match event {
            Event::OrderPlaced(placed) => Status::initial(placed.fulfilment).as_str(),
            Event::OrderProcessed(_) => Status::Processed.as_str(),
            Event::OrderCancelled(_) => Status::Cancelled.as_str(),
        }
    }

    fn status(&self) -> Option<&str> {
        self.standing().map(Status::as_str)
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        self.standing().map_or(&[], Status::allowed_actions)
    }
}

fn closed(status: Status) -> Refusal {
    Refusal::Conflict {
        code: "order_closed",
        message: format!("the order is {} and stays it", status.as_str()),
    }
}

impl OrderPlaced {
    fn processed(&self, at: Timestamp) -> Event {
        Event::OrderProcessed(OrderProcessed {
            order_id: self.order_id.clone(),
            at,
            previous_status: Status::initial(self.fulfilment),
            customer_id: self.customer_id.clone(),
            total_amount: self.total_amount.clone(),
            currency: self.currency,
        })
    }

    fn cancelled(&self, at: Timestamp, reason: Option<String>) -> Event {
        Event::OrderCancelled(OrderCancelled {
            order_id: self.order_id.clone(),
            at,
            previous_status: Status::initial(self.fulfilment),
            reason,
            customer_id: self.customer_id.clone(),
            total_amount: self.total_amount.clone(),
            currency: self.currency,
        })
    }
}

impl Place {
    /// The event of this order, if it is one that can be kept.
    fn accepted(&self, at: Timestamp) -> Result<Event, Refusal> {
        check_text("customerId", &self.customer_id, FOREIGN_ID_MAX)?;
        check_text("customerName", &self.customer_name, TEXT_MAX)?;
        self.check_items()?;
        let total_amount = self.exact_total()?;
        self.check_size()?;
        Ok(Event::OrderPlaced(Box::new(OrderPlaced {
            order_id: self.order_id.clone(),
            at,
            customer_id: self.customer_id.clone(),
            customer_name: self.customer_name.clone(),
            items: self.items.clone(),
            total_amount,
            currency: self.currency,
            fulfilment: self.fulfilment.unwrap_or(self.default_fulfilment),
            source_file: self.source_file.clone(),
            attributes: self.attributes.clone(),
        })))
    }

    fn check_items(&self) -> Result<(), Refusal> {
        let count = self.items.len();
        if !(1..=ITEMS_MAX).contains(&count) {
            let message = format!("an order has 1 to {ITEMS_MAX} items, this one {count}");
            return Err(Refusal::field("items", message));
        }
        for (index, item) in self.items.iter().enumerate() {
            let field = |name: &str| format!("items[{index}].{name}");
            if item.product_id.is_none() && item.name.is_none() {
                let message = "an item names a productId or a name";
                return Err(Refusal::field(format!("items[{index}]"), message));
            }
            check_text(&field("productId"), &item.product_id, FOREIGN_ID_MAX)?;
            check_text(&field("name"), &item.name, TEXT_MAX)?;
            if item.price.is_negative() {
                return Err(Refusal::field(field("price"), "a price is zero or more"));
            }
        }
        Ok(())
    }

    /// The sum of quantity × price, never rounded, and what the sender came to held against it.
    fn exact_total(&self) -> Result<Number, Refusal> {
        let sum: BigDecimal = self
            .items
            .iter()
            .map(|item| item.price.times(item.quantity.get()))
            .sum();
        let total = Number::exact(sum).map_err(|error| {
            Refusal::field(
                "totalAmount",
                format!("the sum of the items cannot be kept: {error}"),
            )
        })?;
        if let Some(sent) = &self.total_amount
            && !self.currency.same(sent, &total)
        {
            let message = format!(
                "{sent} {currency} is not the sum of the items, {total} {currency}",
                currency = self.currency
            );
            return Err(Refusal::Invalid {
                code: "total_mismatch",
                field: "totalAmount".to_owned(),
                message,
            });
        }
        Ok(total)
    }

    /// Its row must fit, too: DynamoDB counts a short number in a map for more than JSON needs.
    fn check_size(&self) -> Result<(), Refusal> {
        let items: usize = self
            .items
            .iter()
            .map(|item| 1 + item.to_json().dynamodb_bytes())
            .sum();
        let size = ROW_OVERHEAD_BYTES + items + object_dynamodb_bytes(&self.attributes);
        if size > ITEM_BYTES_MAX {
            let message = format!("the order takes {size} bytes of {ITEM_BYTES_MAX}");
            return Err(Refusal::too_large("", message));
        }
        Ok(())
    }
}

/// A text where one is given: not empty, not too long, nothing that a terminal would obey.
fn check_text(field: &str, text: &Option<String>, max: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if !(1..=max).contains(&length) || text.chars().any(char::is_control) {
        let message = format!("1 to {max} characters, none of them a control character");
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

// ---- How it evolves

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        aggregate::handle(self, &command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::OrderPlaced(order)) => Self::Open(order),
            (Self::Open(order), Event::OrderProcessed(event)) => Self::Processed {
                order,
                at: event.at,
            },
            (Self::Open(order), Event::OrderCancelled(event)) => Self::Cancelled {
                order,
                at: event.at,
                reason: event.reason,
            },
            // Decided by nothing above, so it stands in no history that `decide` has written.
            (state, _) => state,
        };
    }
}
