//! The orders and their owners, their personal data, and the requests to erase them.

use commands::translate::{
    fields::Fields,
    order::{Context, place},
};
use domain::{
    Digest, Json,
    aggregate::Intent as _,
    order::{Fulfilment, Intent},
    personal::Owner,
};
use serde_json::{Value, json};

use super::Way;
use crate::{core::Core, plan::PlannedRequest};

/// A text that stands in every personal text of an order. It begins with [`super::MARKER`], and
/// must be stored nowhere in plain text.
pub const PERSONAL: &str = "MARKER-7f3a person";

/// The orders of a seed: id, customer id, whether it has a customer's name, and whether it has
/// other personal data.
pub const ORDERS: [(&str, Option<&str>, bool, bool); 5] = [
    ("1", Some("c-1"), true, true),
    ("2", Some("c-1"), true, false),
    ("3", None, true, true),
    ("4", Some("c-2"), false, true),
    ("5", Some("c-2"), false, false),
];

/// The owners whose personal data may be erased. The last one has no order.
const OWNERS: [&str; 4] = ["customer#c-1", "customer#c-2", "order#3", "customer#c-9"];

/// Draws the owners whose personal data a seed erases: each of the first three with probability
/// 1/2, or the one without orders where none is drawn.
pub fn draw_owners(core: &Core) -> Vec<&'static str> {
    let erased = OWNERS[..3].iter().filter(|_| core.choose(2) == 0);
    let erased: Vec<&str> = erased.copied().collect();
    match erased.is_empty() {
        true => OWNERS[3..].to_vec(),
        false => erased,
    }
}

/// Adds customer id and personal data to the body of an order. `other` is appended to the personal
/// texts, to distinguish the contents of one order.
pub fn add(body: &mut Value, order: (&str, Option<&str>, bool, bool), other: &str) {
    let (id, customer, name, personal) = order;
    if let Some(customer) = customer {
        body["customerId"] = customer.into();
    }
    if name {
        body["customerName"] = format!("{PERSONAL} {id}{other}").into();
    }
    if personal {
        body["personal"] = json!({ "mail": format!("{PERSONAL} {id}{other}"), "floor": 3 });
    }
}

/// Draws a request to erase the personal data of one of `owners`.
pub fn draw_erasure(core: &Core, owners: &[&str], key: String) -> PlannedRequest {
    erasure(owners[core.choose(owners.len())], key)
}

/// Returns a request to erase the personal data of an owner, such as `customer#c-1`.
pub fn erasure(owner: &str, key: String) -> PlannedRequest {
    let path = match owner.parse() {
        Ok(Owner::Customer(id)) => format!("/customers/{id}/personal-data"),
        // The API has no route for this; an operator does it.
        _ => format!("erase {owner}"),
    };
    PlannedRequest {
        way: Way::Erase,
        aggregate: format!("erasure#{owner}"),
        path,
        body: json!({}),
        key,
    }
}

/// Returns the owner whose personal data a request erases.
pub fn owner(planned: &PlannedRequest) -> Owner {
    let owner = planned.aggregate.strip_prefix("erasure#").unwrap();
    owner.parse().unwrap()
}

/// Returns the digests of an order with its personal data in plain text, which no commit may
/// contain: as this build would compute it, and as earlier builds did, which did not seal.
pub fn plain_digests(body: &Value) -> [Digest; 2] {
    let digest = |earlier: bool| {
        let Json::Object(members) = Json::parse(&body.to_string()).unwrap() else {
            unreachable!("an order is an object");
        };
        let context = Context {
            default_id: None,
            default_fulfilment: Fulfilment::Merchant,
        };
        let mut order = place(Fields::new(members), context).unwrap();
        if earlier && let Some(personal) = order.personal.take() {
            let attributes = &mut order.attributes;
            attributes.insert("personal".to_owned(), Json::Object(personal));
        }
        Intent::Place(Box::new(order)).digest()
    };
    [digest(false), digest(true)]
}
