//! Dead letters of the queue that hold an owner's id or orders: commands as they were sent. They are
//! only looked at; each goes by itself, 14 days after it came.

use std::collections::BTreeSet;

use domain::{Json, OrderId, personal::Owner};
use serde::Serialize;

use super::days::letter_gone;
use crate::{
    dead_letters::{self, LetterId},
    environment::Environment,
    limits::PEEKED_MESSAGES_MAX,
};

/// The dead letters that hold an owner's id or orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letters {
    /// Those that were found.
    pub found: Vec<Letter>,
    /// Are there more in the queue than were looked at, or has somebody else taken some?
    pub more: bool,
    /// Why the queue could not be looked at, where it could not: the permission to erase does not
    /// include reading dead letters.
    pub not_looked_at: Option<String>,
    /// The last day of any dead letter that is there now.
    pub all_gone_on: String,
}

/// A dead letter that holds an owner's id or orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Which.
    pub id: LetterId,
    /// The day on which the queue removes it.
    pub gone_on: String,
}

impl Letters {
    /// Are there any, or may there be some?
    pub fn is_left(&self) -> bool {
        !self.found.is_empty() || self.more || self.not_looked_at.is_some()
    }
}

/// Looks for the owner among the dead letters. What cannot be looked at is no reason not to erase.
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

/// Does a letter hold the owner's id or one of the orders, anywhere? One that is no JSON is searched
/// as a text.
fn holds(body: &str, owner: &Owner, orders: &BTreeSet<OrderId>) -> bool {
    match Json::parse(body) {
        Ok(json) => holds_in(&json, owner, orders),
        Err(_) => match owner {
            Owner::Customer(id) => body.contains(id.as_str()),
            Owner::Order(id) => body.contains(id.as_str()),
        },
    }
}

/// JSON has at most as many levels as its parser takes, so this ends.
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
