//! The dead letters of the queue that contain an owner's id or orders: they are commands as they
//! were sent. An erasure only reads them; the queue removes each 14 days after it came.

use std::collections::BTreeSet;

use domain::{Json, OrderId, personal::Owner};
use serde::Serialize;

use super::days::letter_gone;
use crate::{
    dead_letters::{self, LetterId},
    environment::Environment,
    limits::PEEKED_MESSAGES_MAX,
};

/// The dead letters that contain an owner's id or orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letters {
    /// The dead letters that were found.
    pub found: Vec<Letter>,
    /// Whether there are more in the queue than were read, or another reader has received some.
    pub more: bool,
    /// Why the queue could not be read; `None` where it was read. The permission to erase does not
    /// include reading dead letters.
    pub not_looked_at: Option<String>,
    /// The day on which all dead letters that exist now are removed.
    pub all_gone_on: String,
}

/// A dead letter that contains an owner's id or orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The dead letter's identity.
    pub id: LetterId,
    /// The day on which the queue removes it.
    pub gone_on: String,
}

impl Letters {
    /// Whether there are such dead letters, or may be some.
    pub fn is_left(&self) -> bool {
        !self.found.is_empty() || self.more || self.not_looked_at.is_some()
    }
}

/// Searches the dead letters for the owner. Where they cannot be read, the erasure is carried out
/// nevertheless.
pub(super) async fn look(
    environment: &Environment,
    owner: &Owner,
    orders: &BTreeSet<OrderId>,
) -> Letters {
    let now = environment.now();
    let mut letters = Letters {
        all_gone_on: letter_gone(now),
        ..Letters::default()
    };
    match dead_letters::sent(environment, PEEKED_MESSAGES_MAX).await {
        Err(error) => letters.not_looked_at = Some(error.to_string()),
        Ok((sent, more)) => {
            letters.more = more;
            let held = sent
                .into_iter()
                .filter(|one| holds(&one.body, owner, orders));
            letters.found = held
                .map(|one| Letter {
                    id: one.id,
                    gone_on: letter_gone(one.at.unwrap_or(now)),
                })
                .collect();
        }
    }
    letters
}

/// Whether a dead letter contains the owner's id or one of the orders, at any place. One that is
/// not JSON is searched as a text.
fn holds(body: &str, owner: &Owner, orders: &BTreeSet<OrderId>) -> bool {
    match Json::parse(body) {
        Ok(json) => holds_in(&json, owner, orders),
        Err(_) => match owner {
            Owner::Customer(id) => body.contains(id.as_str()),
            Owner::Order(id) => body.contains(id.as_str()),
        },
    }
}

/// The parser limits the levels of JSON, and with them this recursion.
fn holds_in(json: &Json, owner: &Owner, orders: &BTreeSet<OrderId>) -> bool {
    match json {
        Json::Object(members) => members.iter().any(|(name, value)| {
            let text = match value {
                Json::String(text) => Some(text.clone()),
                Json::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let is_owner = |text: &str| match owner {
                Owner::Customer(id) => name == "customerId" && id == text,
                Owner::Order(id) => name == "orderId" && id.as_str() == text,
            };
            let is_order = |text: &str| {
                name == "orderId" && text.parse().is_ok_and(|id: OrderId| orders.contains(&id))
            };
            text.is_some_and(|text| is_owner(&text) || is_order(&text))
                || holds_in(value, owner, orders)
        }),
        Json::Array(values) => values.iter().any(|value| holds_in(value, owner, orders)),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_found_by_the_customer_or_by_an_order() {
        let orders: BTreeSet<OrderId> = ["O-1".parse().unwrap(), "7".parse().unwrap()].into();
        let customer = Owner::Customer("C-1".to_owned());
        let found = |body: &str| holds(body, &customer, &orders);
        assert!(found(r#"{"detail":{"orderId":"O-9","customerId":"C-1"}}"#));
        assert!(found(r#"{"detail":{"orderId":"O-1","reason":"x"}}"#));
        assert!(found(r#"{"orderId":7}"#));
        assert!(found(r#"[{"customerId":"C-1"}]"#));
        assert!(found("no JSON, of C-1"));
        assert!(!found(r#"{"orderId":"O-2","customerId":"C-2"}"#));
        assert!(!found(r#"{"shipmentId":"O-1"}"#));
        let order = Owner::Order("O-3".parse().unwrap());
        assert!(holds(r#"{"orderId":"O-3"}"#, &order, &BTreeSet::new()));
        assert!(!holds(r#"{"customerId":"O-3"}"#, &order, &BTreeSet::new()));
    }
}
