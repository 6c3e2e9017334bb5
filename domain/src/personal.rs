//! Personal data of an order, and the two forms in which they stand in events: sealed, as they are
//! stored, and open, as rows and answers show them.
//!
//! Personal data are an order's `customerName` and its member `personal`. Before an order is placed
//! they are sealed with the key of their [`Owner`]. An event holds the sealed texts; the event
//! store opens them on the way from a commit to its events. Once the owner's key is destroyed, they
//! open to [`ERASED`], for ever.
//!
//! This module only says what is sealed and where it stands. It knows no cipher and no key.

use serde::{Deserialize, Serialize};

pub use crate::ids::Owner;
use crate::{
    Json, OrderId, Timestamp,
    event::{EncodedEvent, Undecodable, position_of},
    json::Object,
};

/// The text that stands in the place of every personal value whose key is destroyed.
pub const ERASED: &str = "[erased]";

/// The names of an order's members that are personal data, in commands, events and rows.
pub const FIELDS: [Field; 2] = [Field::CustomerName, Field::Personal];

/// A member of an order that is personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The customer's name, a text.
    CustomerName,
    /// Any other personal data, a JSON object.
    Personal,
}

impl Field {
    /// The member's name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomerName => "customerName",
            Self::Personal => "personal",
        }
    }
}

/// The sealed personal data of an order, as they are stored in its event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// The version of the owner's key, from 1. After an erasure, the owner's next key has the next
    /// version.
    pub key: u32,
    /// The sealed `customerName`, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The sealed text of the JSON object `personal`, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<String>,
}

impl Sealed {
    /// The sealed text of a field; `None` where the order does not have it.
    pub fn text(&self, field: Field) -> Option<&str> {
        match field {
            Field::CustomerName => self.customer_name.as_deref(),
            Field::Personal => self.personal.as_deref(),
        }
    }
}

/// Personal data that are to be sealed before their command is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsealedPersonalData {
    /// The owner, whose key seals them.
    pub owner: Owner,
    /// The order that holds them.
    pub order_id: OrderId,
    /// Each field that the order has, with its text.
    pub fields: Vec<(Field, String)>,
}

/// The personal data of a stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The owner, whose key has sealed them.
    pub owner: Owner,
    /// The order that holds them.
    pub order_id: OrderId,
    /// The time of the event.
    pub at: Timestamp,
    /// The sealed data; `None` where an older build has stored them as they were sent.
    pub sealed: Option<Sealed>,
    data: Object,
}

/// The members of an order's event by which its personal data are found.
const CUSTOMER_ID: &str = "customerId";
const ORDER_ID: &str = "orderId";
const SEALED: &str = "sealed";
const ATTRIBUTES: &str = "attributes";

impl Stored {
    /// The personal data of an event; `None` where it has none. Fails where the event's data are
    /// damaged.
    pub fn of(event: &EncodedEvent) -> Result<Option<Self>, Undecodable> {
        let text = event.data.get();
        // Large orders are not parsed once more where they cannot hold any. A name may be written
        // with escapes only in an event that Waybill has not written.
        let names = [
            SEALED,
            Field::CustomerName.as_str(),
            Field::Personal.as_str(),
        ];
        if event.kind != "OrderPlaced" || !names.iter().any(|name| text.contains(name)) {
            return Ok(None);
        }
        let damaged = |reason: &str| event.undecodable(reason);
        let data: Object =
            serde_json::from_str(text).map_err(|error| event.undecodable(position_of(&error)))?;
        let sealed = match data.get(SEALED) {
            None => None,
            Some(sealed) => {
                let sealed = serde_json::from_str(&sealed.to_string());
                Some(sealed.map_err(|_| damaged("its sealed data have another shape"))?)
            }
        };
        if sealed.is_none() && !has_plain(&data) {
            return Ok(None);
        }
        let text = |name| match data.get(name) {
            Some(Json::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let order_id = text(ORDER_ID).and_then(|id| id.parse().ok());
        let order_id: OrderId = order_id.ok_or_else(|| damaged("it names no order"))?;
        let at = text("at").and_then(|at| at.parse().ok());
        Ok(Some(Self {
            owner: Owner::of(text(CUSTOMER_ID), &order_id),
            order_id,
            at: at.ok_or_else(|| damaged("it has no time"))?,
            sealed,
            data,
        }))
    }

    /// Whether they were erased from the stored event itself, as a person may do it with an event
    /// of an older build: [`ERASED`] stands in the place of each.
    pub fn is_erased(&self) -> bool {
        let erased = |value: Option<&Json>| value.is_none_or(|value| *value == ERASED.into());
        let attribute = match self.data.get(ATTRIBUTES) {
            Some(Json::Object(attributes)) => attributes.get(Field::Personal.as_str()),
            _ => None,
        };
        self.sealed.is_none()
            && erased(attribute)
            && FIELDS
                .iter()
                .all(|field| erased(self.data.get(field.as_str())))
    }

    /// The event with its personal data open: each field of `fields` has the value given there.
    pub fn opened(
        mut self,
        event: &EncodedEvent,
        fields: Vec<(Field, Json)>,
    ) -> Result<EncodedEvent, Undecodable> {
        self.data.remove(SEALED);
        for (field, value) in fields {
            self.data.insert(field.as_str().to_owned(), value);
        }
        self.into_event(event)
    }

    /// The event with [`ERASED`] in the place of every personal value, sealed or not.
    pub fn erased(mut self, event: &EncodedEvent) -> Result<EncodedEvent, Undecodable> {
        let sealed = self
            .data
            .remove(SEALED)
            .is_some()
            .then_some(self.sealed.take());
        let sealed = sealed.flatten();
        for field in FIELDS {
            let name = field.as_str();
            let was_sealed = sealed
                .as_ref()
                .is_some_and(|sealed| sealed.text(field).is_some());
            if was_sealed || self.data.contains_key(name) {
                self.data.insert(name.to_owned(), ERASED.into());
            }
        }
        // Builds before `personal` was a member of the contract kept it as an attribute.
        if let Some(Json::Object(attributes)) = self.data.get_mut(ATTRIBUTES)
            && let Some(personal) = attributes.get_mut(Field::Personal.as_str())
        {
            *personal = ERASED.into();
        }
        self.into_event(event)
    }

    fn into_event(self, event: &EncodedEvent) -> Result<EncodedEvent, Undecodable> {
        let data = Json::Object(self.data).to_string();
        let data = serde_json::value::RawValue::from_string(data)
            .map_err(|error| event.undecodable(position_of(&error)))?;
        Ok(EncodedEvent {
            data,
            ..event.clone()
        })
    }
}

/// Whether data hold personal data that are not sealed, as events of older builds do.
fn has_plain(data: &Object) -> bool {
    let attribute = match data.get(ATTRIBUTES) {
        Some(Json::Object(attributes)) => attributes.contains_key(Field::Personal.as_str()),
        _ => false,
    };
    attribute || FIELDS.iter().any(|field| data.contains_key(field.as_str()))
}
