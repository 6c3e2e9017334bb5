//! What can be wanted of an order, and what an order is as it is sent.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Json, Number, OrderId, Timestamp, aggregate, json::Object, money::Currency,
    order::amounts, time::SentTime,
};

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
    /// What the whole order costs beside its items, such as shipping; up to 100.
    pub adjustments: Vec<Adjustment>,
    /// The total that the sender came to, in `currency`.
    pub total_amount: Option<Number>,
    /// What all amounts are in.
    pub currency: Currency,
    /// When the customer placed it, where the sender says so.
    pub placed_at: Option<PlacedAt>,
    /// Who completes it, as the sender named it.
    pub fulfilment: Option<Fulfilment>,
    /// Who completes it where the sender did not say: its source decides.
    pub default_fulfilment: Fulfilment,
    /// The file that it came in, `s3://bucket/key`.
    pub source_file: Option<String>,
    /// Whatever else was sent.
    pub attributes: Object,
}

/// When the customer placed an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedAt {
    /// The point in time.
    pub at: Timestamp,
    /// As it was sent. Older builds took it for an attribute, so the order's digest has it as one:
    /// an order that was sent to an older build is the same order today.
    pub sent: Json,
}

impl PlacedAt {
    /// Reads it in the forms of a shipment's `timestamp`; `None` of anything else.
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
    /// How many, or how much; above zero.
    pub quantity: Number,
    /// Each, in the order's currency; below zero for what is given back.
    pub price: Number,
    /// What this line costs beside quantity × price, such as its discount; up to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// Whatever else was sent with it.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// What an order or an item costs beside quantity × price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adjustment {
    /// What for.
    #[serde(rename = "type")]
    pub kind: AdjustmentType,
    /// Added as it stands, in the order's currency; a discount is zero or less.
    pub amount: Number,
    /// What the sender calls it, in up to 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Is it in the prices already? Then it is told, and not added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub included: bool,
    /// Whatever else was sent with it.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

/// What an adjustment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdjustmentType {
    /// Freight and handling.
    Shipping,
    /// A tax, added to the prices or included in them.
    Tax,
    /// A discount, zero or less.
    Discount,
    /// A fee, such as for a way of paying.
    Fee,
    /// A tip.
    Tip,
    /// The difference that a shop comes to which rounds each line.
    Rounding,
    /// Anything else.
    Other,
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

impl AdjustmentType {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Shipping,
        Self::Tax,
        Self::Discount,
        Self::Fee,
        Self::Tip,
        Self::Rounding,
        Self::Other,
    ];

    /// As it is written in commands and rows.
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
    /// As it stands in rows and answers.
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
    /// As it stands in rows and answers.
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

/// The member `adjustments` of an order or an item; none where there are none.
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
    ///
    /// A new field must be left out where it is missing, so that the digests of orders without it
    /// stay what they are.
    fn content(&self) -> Json {
        let Self {
            order_id: _,
            customer_id,
            customer_name,
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
        content.extend(adjustments(order_adjustments));
        content.extend(wrong_total.map(|sent| ("totalAmount".to_owned(), sent.into())));
        Json::Object(content)
    }
}
