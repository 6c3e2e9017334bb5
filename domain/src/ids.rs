//! Ids that other systems give to orders and shipments, restricted to what a URL path can hold and
//! nobody mistakes for another id.
//!
//! An id may contain `#`, so a key such as `order#<orderId>` is split at its first `#`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;

use crate::{Refusal, limits::ID_MAX};

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an id has 1 to {ID_MAX} characters, none of them a control character, '/' or '\\', no white \
     space at either end, and is in the Unicode normal form C"
)]
pub struct InvalidId;

/// Checks an order's or a shipment's id by the contract's rule.
fn check(text: &str) -> Result<(), InvalidId> {
    // Clients and gateways resolve `.` and `..` as steps in a path.
    let walks = matches!(text, "." | "..");
    match is_external_id(text) && !text.contains('/') && !walks {
        true => Ok(()),
        false => Err(InvalidId),
    }
}

/// Whether `text` obeys the rule for ids of other systems: length, characters and normal form.
fn is_external_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.chars().count())
        && !text.contains(|c: char| c.is_control() || c == '\\')
        && text.trim() == text
        && is_nfc(text)
}

/// Checks the id of a customer, a product or a carrier's parcel. The rule of an order's id holds,
/// except that `/` is allowed, since it stands in no path. The refusal names `field`.
pub(crate) fn check_external_id(field: &str, id: Option<&str>) -> Result<(), Refusal> {
    if id.is_none_or(is_external_id) {
        return Ok(());
    }
    let message = format!(
        "1 to {ID_MAX} characters, none of them a control character or '\\', no white space at \
         either end, in the Unicode normal form C"
    );
    Err(Refusal::field(field, message))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The id of an order, given by the shop: 1 to 128 characters.
    OrderId
}
id! {
    /// The id of a shipment, given by its sender: 1 to 128 characters.
    ShipmentId
}

/// The owner of personal data: one key is made for each. As a text it is `customer#<customerId>` or
/// `order#<orderId>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// The customer of the order, by the shop's `customerId`.
    Customer(String),
    /// The order itself, where it names no customer.
    Order(OrderId),
}

impl Owner {
    /// The owner of the personal data of an order.
    pub fn of(customer_id: Option<&str>, order_id: &OrderId) -> Self {
        match customer_id {
            Some(id) => Self::Customer(id.to_owned()),
            None => Self::Order(order_id.clone()),
        }
    }
}

impl FromStr for Owner {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('#') {
            Some(("customer", id)) if is_external_id(id) => Ok(Self::Customer(id.to_owned())),
            Some(("order", id)) => id.parse().map(Self::Order),
            _ => Err(InvalidId),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer#{id}"),
            Self::Order(id) => write!(f, "order#{id}"),
        }
    }
}

/// The id of an aggregate, as a text `order#<orderId>`, `shipment#<shipmentId>` or
/// `erasure#<owner>`, such as `erasure#customer#<customerId>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AggregateId {
    /// The id of an order.
    Order(OrderId),
    /// The id of a shipment.
    Shipment(ShipmentId),
    /// The erasures of an owner's personal data.
    Erasure(Owner),
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => write!(f, "order#{id}"),
            Self::Shipment(id) => write!(f, "shipment#{id}"),
            Self::Erasure(owner) => write!(f, "erasure#{owner}"),
        }
    }
}

impl FromStr for AggregateId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('#') {
            Some(("order", id)) => id.parse().map(Self::Order),
            Some(("shipment", id)) => id.parse().map(Self::Shipment),
            Some(("erasure", owner)) => owner.parse().map(Self::Erasure),
            _ => Err(InvalidId),
        }
    }
}

impl TryFrom<String> for AggregateId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<AggregateId> for String {
    fn from(id: AggregateId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_a_path_can_hold() {
        for good in [
            "1",
            "536365",
            "SHIP-12345",
            "a.b_c-d",
            "#1001",
            "-1",
            "a b",
            "a#b",
            "50%",
            "x:y?z&a=b+c",
            "\"quoted\"",
            "Größe",
            "order#1",
            "...",
            &"x".repeat(128),
            &"\u{1f600}".repeat(128),
        ] {
            assert!(good.parse::<OrderId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            " a",
            "a ",
            "a\u{a0}",
            "a/b",
            "a\\b",
            "a\n",
            "a\0b",
            "a\u{85}b",
            "e\u{301}",
            &"x".repeat(129),
        ] {
            assert_eq!(bad.parse::<OrderId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn an_aggregate_is_named_one_way_only() -> Result<(), InvalidId> {
        for text in [
            "order#1",
            "shipment#SHIP-1",
            "order##1001",
            "order#a#b",
            "erasure#customer#a/b#c",
            "erasure#order#1",
        ] {
            assert_eq!(text.parse::<AggregateId>()?.to_string(), text);
        }
        for bad in [
            "order",
            "order#",
            "order# a",
            "parcel#1",
            "Order#1",
            "erasure#1",
            "erasure#order#a/b",
            "erasure#customer#",
        ] {
            assert_eq!(bad.parse::<AggregateId>(), Err(InvalidId), "{bad}");
        }
        Ok(())
    }
}
