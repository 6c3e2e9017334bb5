//! Planted leaks: personal data that a commit may hold only sealed, it holds in plain text.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use event_store::commit::{Item, SNAPSHOT};

use crate::plan::{PlannedRequest, Way, persons};

/// The digests of orders with personal data in plain text, by aggregate and command id.
pub type Digests = BTreeMap<(String, String), String>;

/// Returns the digests of the orders of a plan.
pub fn digests(plan: &[PlannedRequest]) -> Digests {
    let orders = plan.iter().filter(|planned| planned.path == "/orders");
    let orders = orders.filter(|planned| matches!(planned.way, Way::Http | Way::Invoke));
    let digest = |planned: &PlannedRequest| {
        let [digest, _] = persons::plain_digests(&planned.body);
        let key = (planned.aggregate.clone(), planned.command_id());
        (key, digest.as_str().to_owned())
    };
    orders.map(digest).collect()
}

/// Replaces the digest of a commit by that of the order with personal data in plain text.
pub fn digest(item: &mut Item, digests: &Digests) {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let key = text("aggregate").zip(text("commandId"));
    if let Some(digest) = key.and_then(|key| digests.get(&key)) {
        item.insert("digest".to_owned(), AttributeValue::S(digest.clone()));
    }
}

/// Puts a customer's name in plain text into a snapshot, in place of the sealed data.
pub fn snapshot(item: &mut Item) {
    let Some(AttributeValue::M(snapshot)) = item.get_mut(SNAPSHOT) else {
        return;
    };
    let Some(AttributeValue::S(state)) = snapshot.get_mut("state") else {
        return;
    };
    let Some((before, sealed)) = state.split_once(r#""sealed":{"#) else {
        return;
    };
    let Some((_, behind)) = sealed.split_once('}') else {
        return;
    };
    let name = format!(r#""customerName":"{}""#, persons::PERSONAL);
    *state = format!("{before}{name}{behind}");
}
