//! Ids that cannot be forged into another key: no `#`, no `/`, no space.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::ID_MAX;

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ID_MAX} letters, digits, '.', '_' or '-', beginning with a letter or digit")]
pub struct InvalidId;

/// `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`
fn check(text: &str) -> Result<(), InvalidId> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let first = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if first && text.len() <= ID_MAX && text.bytes().all(inner) {
        Ok(())
    } else {
        Err(InvalidId)
    }
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
    /// An order's id.
    OrderId
}
id! {
    /// A shipment's id.
    ShipmentId
}

/// An order or a shipment: `order#<orderId>` or `shipment#<shipmentId>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AggregateId {
    /// An order.
    Order(OrderId),
    /// A shipment.
    Shipment(ShipmentId),
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => write!(f, "order#{id}"),
            Self::Shipment(id) => write!(f, "shipment#{id}"),
        }
    }
}

impl FromStr for AggregateId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('#') {
            Some(("order", id)) => id.parse().map(Self::Order),
            Some(("shipment", id)) => id.parse().map(Self::Shipment),
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
    fn ids_stay_within_their_alphabet() {
        for good in ["1", "536365", "SHIP-12345", "a.b_c-d", &"x".repeat(64)] {
            assert!(good.parse::<OrderId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-1",
            ".",
            "a b",
            "a#b",
            "a/b",
            "ä",
            "a\n",
            &"x".repeat(65),
            "order#1",
        ] {
            assert_eq!(bad.parse::<OrderId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn an_aggregate_is_named_one_way_only() -> Result<(), InvalidId> {
        for text in ["order#1", "shipment#SHIP-1"] {
            assert_eq!(text.parse::<AggregateId>()?.to_string(), text);
        }
        for bad in ["order", "order#", "order#a#b", "parcel#1", "Order#1"] {
            assert_eq!(bad.parse::<AggregateId>(), Err(InvalidId), "{bad}");
        }
        Ok(())
    }
}
