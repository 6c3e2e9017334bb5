//! Every event that has a message is announced, and the messages have had their effect.

use std::collections::{BTreeMap, BTreeSet};

use domain::Json;
use serde_json::Value;

use super::Histories;
use crate::observed::Observed;

/// I9: every event that has a message is announced at least once, with a stable id, and nothing
/// else is announced.
pub(super) fn messages(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let mut expected: BTreeSet<String> = BTreeSet::new();
    let mut alerts: BTreeSet<String> = BTreeSet::new();
    for (aggregate, history) in histories {
        for commit in history {
            for (event, sequence) in commit.events.iter().zip(commit.sequence..) {
                let data: Value = serde_json::from_str(event.data.get()).unwrap();
                for detail_type in said_of(&event.kind, event.version, &data) {
                    let id = format!("{aggregate}/{sequence}/{detail_type}");
                    if ["Shipment Alert", "Shipment Stalled"].contains(&detail_type) {
                        alerts.insert(id.clone());
                    }
                    expected.insert(id);
                }
            }
        }
    }
    let announced: BTreeSet<&str> = seen.announced.iter().map(|said| said.id.as_str()).collect();
    let alerted: BTreeSet<&str> = seen.alerted.iter().map(|said| said.id.as_str()).collect();
    for (sent, due) in [(&announced, &expected), (&alerted, &alerts)] {
        for id in due {
            if !sent.contains(id.as_str()) {
                found.push(format!("I9: never announced: {id}"));
            }
        }
        let unexpected = sent.iter().filter(|id| !due.contains(**id));
        found.extend(unexpected.map(|id| format!("I9: announced without an event: {id}")));
    }
    let mut details: BTreeMap<&str, &Json> = BTreeMap::new();
    for said in &seen.announced {
        if *details.entry(&said.id).or_insert(&said.detail) != &said.detail {
            found.push(format!(
                "I9: {} was announced with two different details",
                said.id
            ));
        }
    }
}

/// Returns the detail types of the messages that an event must have. They are taken from the
/// contract and not from the code under test.
fn said_of(kind: &str, version: u32, data: &Value) -> Vec<&'static str> {
    const CRITICAL: [&str; 4] = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"];
    match (kind, version) {
        ("OrderPlaced", 1..=3) => vec!["Order Created"],
        ("OrderProcessed", 1 | 2) => vec!["Order Processed"],
        ("OrderCancelled", 1 | 2) => vec!["Order Cancelled"],
        ("ShipmentStalled", 1) => vec!["Shipment Stalled"],
        ("ShipmentUpdated", 1 | 2) => {
            let changed = data["current"] == true && data["previousStatus"] != data["status"];
            let critical = CRITICAL.iter().any(|status| data["status"] == *status);
            let said = [
                (changed, "Shipment Status Changed"),
                (critical, "Shipment Alert"),
            ];
            said.into_iter()
                .filter(|(due, _)| *due)
                .map(|(_, name)| name)
                .collect()
        }
        _ => vec![],
    }
}

/// Every order with automatic fulfilment is completed or cancelled in the end, and no other order
/// is completed automatically.
pub(super) fn automatic(histories: &Histories, found: &mut Vec<String>) {
    for (aggregate, history) in histories {
        let placed = &history[0].events[0];
        let automatic = placed.data.get().contains(r#""fulfilment":"automatic""#);
        let id = aggregate.trim_start_matches("order#");
        // An event that cannot be read is not announced, so nothing completes its order.
        let readable = placed.version <= 3;
        if automatic && history.len() == 1 && readable {
            found.push(format!("{aggregate} waits for its completion for ever"));
        }
        let own = format!("fulfil/{id}");
        if !automatic && history.iter().any(|commit| commit.cause.command_id == own) {
            found.push(format!("{aggregate} was completed for its merchant"));
        }
    }
}
