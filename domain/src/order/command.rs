//! The commands to an order, and an order as a client sends it.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Json, Number, OrderId, Timestamp, aggregate,
    json::Object,
    money::Currency,
    order::amounts,
    personal::{Field, Owner, Sealed, UnsealedPersonalData},
    time::SentTime,
};

/// A command to an order.
pub type Command = aggregate::Command<Intent>;

/// The content of a command to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Places the order.
    Place(Box<PlaceOrder>),
    /// Completes the order, for the shop.
    Complete,
    /// Cancels the order.
    Cancel {
        /// The reason that the sender gives, up to 1,024 characters.
        reason: Option<String>,
    },
    /// Completes an `automatic` order; sent by Waybill itself. Idempotent, since the message that
    /// triggers it is delivered at least once: an order that is closed, or that the shop completes,
    /// stays as it is.
    Fulfil,
}

/// An order as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOrder {
    /// The order's id.
    pub order_id: OrderId,
    /// The shop's id of the customer, up to 128 characters.
    pub customer_id: Option<String>,
    /// The customer's name, up to 1,024 characters: personal data.
    pub customer_name: Option<String>,
    /// Other personal data of the customer, up to 16 KiB as JSON.
    pub personal: Option<Object>,
    /// The sealed form of `customer_name` and `personal`. It is made before the command is
    /// executed; without it an order with personal data cannot be stored.
    pub sealed: Option<Sealed>,
    /// The items, 1 to 2,000.
    pub items: Vec<Item>,
    /// What the whole order costs beside its items, such as shipping; up to 100 adjustments.
    pub adjustments: Vec<Adjustment>,
    /// The total that the sender has computed, in `currency`. A wrong one is refused.
    pub total_amount: Option<Number>,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The time at which the customer placed the order, where the sender says it.
    pub placed_at: Option<PlacedAt>,
    /// Who completes the order, where the sender says it.
    pub fulfilment: Option<Fulfilment>,
    /// Who completes the order where the sender does not say it. It depends on the order's source.
    pub default_fulfilment: Fulfilment,
    /// The file that the order came in, `s3://bucket/key`.
    pub source_file: Option<String>,
    /// Members that the contract does not name, as they were sent.
    pub attributes: Object,
}

/// The time at which the customer placed an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedAt {
    /// The point in time.
    pub at: Timestamp,
    /// The time as it was sent. Older builds kept it as an attribute, and the order's digest still
    /// has it there, so that an order sent to an older build is the same order today.
    pub sent: Json,
}

impl PlacedAt {
    /// Parses the formats of a shipment's `timestamp` (see [`SentTime`]); `None` of anything else.
    pub fn read(sent: &Json) -> Option<Self> {
        let time = match sent {
            Json::Number(number) => SentTime::from_number(number),
            Json::String(text) => SentTime::parse(text),
            _ => return None,
        };
        let at = time.ok()?.at;
        let sent = sent.clone();
        Some(Self { at, sent })
    }
}

/// An item: one line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// The shop's id of the product, up to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The product's name, up to 1,024 characters. An item has a `product_id`, a `name` or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The quantity, above zero; it may have a fraction, such as a weight.
    pub quantity: Number,
    /// The price for a quantity of one, in the order's currency; below zero for a returned item.
    pub price: Number,
    /// What this item costs beside quantity × price, such as its discount; up to 100 adjustments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// Members of the item that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// An amount that an order or an item costs beside quantity × price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adjustment {
    /// The purpose of the adjustment.
    #[serde(rename = "type")]
    pub kind: AdjustmentType,
    /// The amount in the order's currency, added with its sign: a discount is zero or less.
    pub amount: Number,
    /// The sender's name of the adjustment, up to 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the prices include the amount already, as a tax may be. Then it is kept for
    /// information and not added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub included: bool,
    /// Members of the adjustment that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// The purpose of an adjustment. A discount is zero or less; any other amount may have either sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdjustmentType {
    /// Freight and handling.
    Shipping,
    /// A tax, added to the prices or included in them.
    Tax,
    /// A discount, zero or less.
    Discount,
    /// A fee, such as one for a payment method.
    Fee,
    /// A tip.
    Tip,
    /// A rounding difference, such as that of a shop which rounds each line.
    Rounding,
    /// Anything else.
    Other,
}

/// Who completes an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fulfilment {
    /// The shop completes it by a command.
    Merchant,
    /// Waybill completes it as soon as it is placed.
    Automatic,
}

impl Fulfilment {
    /// The name in commands and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Automatic => "automatic",
        }
    }
}

impl AdjustmentType {
    /// All types of adjustments.
    pub const ALL: [Self; 7] = [
        Self::Shipping,
        Self::Tax,
        Self::Discount,
        Self::Fee,
        Self::Tip,
        Self::Rounding,
        Self::Other,
    ];

    /// The name in commands and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shipping => "shipping",
            Self::Tax => "tax",
            Self::Discount => "discount",
            Self::Fee => "fee",
            Self::Tip => "tip",
            Self::Rounding => "rounding",
            Self::Other => "other",
        }
    }
}

impl Item {
    /// The JSON object of rows and answers.
    pub fn to_json(&self) -> Json {
        let mut members = Object::from([
            ("quantity".to_owned(), self.quantity.clone().into()),
            ("price".to_owned(), self.price.clone().into()),
        ]);
        members.extend(text("productId", &self.product_id));
        members.extend(text("name", &self.name));
        members.extend(adjustments(&self.adjustments));
        members.extend(attributes(&self.attributes));
        Json::Object(members)
    }
}

impl Adjustment {
    /// The JSON object of rows and answers.
    pub fn to_json(&self) -> Json {
        let mut members = Object::from([
            ("type".to_owned(), self.kind.as_str().into()),
            ("amount".to_owned(), self.amount.clone().into()),
        ]);
        members.extend(text("name", &self.name));
        if self.included {
            members.insert("included".to_owned(), Json::Bool(true));
        }
        members.extend(attributes(&self.attributes));
        Json::Object(members)
    }
}

/// The member `adjustments` of an order or an item; `None` where there are no adjustments.
pub fn adjustments(adjustments: &[Adjustment]) -> Option<(String, Json)> {
    let list = || adjustments.iter().map(Adjustment::to_json).collect();
    (!adjustments.is_empty()).then(|| ("adjustments".to_owned(), Json::Array(list())))
}

fn attributes(attributes: &Object) -> Option<(String, Json)> {
    let member = || ("attributes".to_owned(), Json::Object(attributes.clone()));
    (!attributes.is_empty()).then(member)
}

fn text(name: &str, value: &Option<String>) -> Option<(String, Json)> {
    let value = value.as_ref()?;
    Some((name.to_owned(), value.clone().into()))
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

    fn earlier_digest(&self) -> Option<Digest> {
        match self {
            Self::Place(place) if place.sealed.is_some() => {
                Some(Digest::of(&place.plain_content()))
            }
            _ => None,
        }
    }

    fn unsealed(&self) -> Option<UnsealedPersonalData> {
        match self {
            Self::Place(place) => place.unsealed(),
            _ => None,
        }
    }

    fn seal(&mut self, sealed: Sealed) {
        if let Self::Place(place) = self {
            place.sealed = Some(sealed);
        }
    }

    fn recognised_by_content(&self) -> bool {
        self.creates()
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Place(_))
    }
}

fn optional(text: &Option<String>) -> Json {
    text.as_ref().map_or(Json::Null, |text| text.clone().into())
}

impl PlaceOrder {
    /// The personal data that are not sealed yet; `None` where there are none.
    fn unsealed(&self) -> Option<UnsealedPersonalData> {
        if self.sealed.is_some() {
            return None;
        }
        let name = self.customer_name.clone();
        let name = name.map(|name| (Field::CustomerName, name));
        let personal = self.personal.clone();
        let personal = personal.map(|data| (Field::Personal, Json::Object(data).to_string()));
        let fields: Vec<(Field, String)> = name.into_iter().chain(personal).collect();
        (!fields.is_empty()).then(|| UnsealedPersonalData {
            owner: Owner::of(self.customer_id.as_deref(), &self.order_id),
            order_id: self.order_id.clone(),
            fields,
        })
    }

    /// The content as builds took it that did not seal personal data, and kept `personal` as an
    /// attribute.
    fn plain_content(&self) -> Json {
        let mut plain = Self {
            sealed: None,
            ..self.clone()
        };
        if let Some(personal) = plain.personal.take() {
            let name = Field::Personal.as_str().to_owned();
            plain.attributes.insert(name, Json::Object(personal));
        }
        plain.content()
    }

    /// The content by which two orders are compared: everything but id, source and caller. A right
    /// total follows from the items, so only a wrong one, with which no order is placed, is part of
    /// it. Of personal data it has the sealed texts, which nobody can guess without the key.
    ///
    /// A new field must be left out where it is missing, so that the digests of orders without it
    /// stay what they are.
    fn content(&self) -> Json {
        let Self {
            order_id: _,
            customer_id,
            customer_name,
            personal,
            sealed,
            items,
            adjustments: order_adjustments,
            total_amount,
            currency,
            placed_at,
            fulfilment,
            default_fulfilment: _,
            source_file: _,
            attributes,
        } = self;
        let wrong_total = total_amount.clone().filter(|_| amounts::of(self).is_err());
        let mut attributes = attributes.clone();
        if let Some(placed_at) = placed_at {
            attributes.insert("placedAt".to_owned(), placed_at.sent.clone());
        }
        let fulfilment = fulfilment.map_or(Json::Null, |named| named.as_str().into());
        let (customer_name, personal) = match sealed {
            Some(sealed) => (&sealed.customer_name, optional(&sealed.personal)),
            None => {
                let personal = personal.clone().map_or(Json::Null, Json::Object);
                (customer_name, personal)
            }
        };
        let mut content = Object::from([
            ("customerId".to_owned(), optional(customer_id)),
            ("customerName".to_owned(), optional(customer_name)),
            (
                "items".to_owned(),
                Json::Array(items.iter().map(Item::to_json).collect()),
            ),
            ("currency".to_owned(), currency.to_string().into()),
            ("fulfilment".to_owned(), fulfilment),
            ("attributes".to_owned(), Json::Object(attributes)),
        ]);
        if personal != Json::Null {
            content.insert("personal".to_owned(), personal);
        }
        content.extend(adjustments(order_adjustments));
        content.extend(wrong_total.map(|sent| ("totalAmount".to_owned(), sent.into())));
        Json::Object(content)
    }
}
