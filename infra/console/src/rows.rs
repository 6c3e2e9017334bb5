//! What the HTTP API answers, as pages read it (`infra/api/rows.yaml`). Numbers are exact.

use std::collections::BTreeMap;

use domain::{Json, Number, json::Object};
use serde::Deserialize;

use crate::at::At;

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// What is added to an order or an item, or included in its price.
#[derive(Debug, Clone, Deserialize)]
pub struct Adjustment {
    /// `shipping`, `tax`, `discount` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// As it is added: a discount is negative.
    pub amount: Number,
    /// Its sender's name for it.
    pub name: Option<String>,
    /// Is it in the prices already?
    #[serde(default)]
    pub included: bool,
}

/// An item of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its product.
    pub product_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// How many.
    pub quantity: Number,
    /// The price of one.
    pub price: Number,
    /// What is added to it.
    #[serde(default)]
    pub adjustments: Vec<Adjustment>,
}

/// An order's row.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub order_id: String,
    /// Its status.
    pub status: String,
    /// The sequence of its last event.
    pub version: u64,
    /// Whose it is.
    pub customer_id: Option<String>,
    /// Their name.
    pub customer_name: Option<String>,
    /// What was ordered.
    pub items: Vec<Item>,
    /// What is added to the items' amount.
    #[serde(default)]
    pub adjustments: Vec<Adjustment>,
    /// Quantities by prices, with the items' adjustments.
    pub items_amount: Option<Number>,
    /// What is to be paid.
    pub total_amount: Number,
    /// In which currency.
    pub currency: String,
    /// Who completes it: `merchant` or `automatic`.
    pub fulfilment: String,
    /// When the customer placed it.
    pub placed_at: At,
    /// When it was committed.
    pub created_at: At,
    /// When it last changed.
    pub updated_at: At,
    /// When it was completed.
    pub processed_at: Option<At>,
    /// When it was cancelled.
    pub cancelled_at: Option<At>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// The file that it came in.
    pub source_file: Option<String>,
    /// What its sender added.
    #[serde(default)]
    pub attributes: Object,
    /// What may be done next.
    #[serde(default)]
    pub allowed_actions: Vec<String>,
}

/// What lists show of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedOrder {
    /// Its id.
    pub order_id: String,
    /// Its status.
    pub status: String,
    /// Whose it is.
    pub customer_id: Option<String>,
    /// Their name.
    pub customer_name: Option<String>,
    /// What is to be paid.
    pub total_amount: Number,
    /// In which currency.
    pub currency: String,
    /// When it was committed.
    pub created_at: At,
    /// When it last changed.
    pub updated_at: At,
}

/// A page of a history.
#[derive(Debug, Clone, Deserialize)]
pub struct History {
    /// Its events, in order.
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// An event and where it came from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number, from 1.
    pub sequence: u64,
    /// Which kind of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was committed.
    pub at: At,
    /// What it holds.
    pub data: Object,
    /// By whom.
    pub actor: String,
    /// By which trigger.
    pub source: String,
    /// By which command.
    pub command_id: String,
    /// What it belongs to, in its sender's eyes.
    pub correlation_id: String,
    /// The request or event that brought the command.
    pub causation_id: String,
}

/// A shipment as it stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// Its id.
    pub shipment_id: String,
    /// Its status.
    pub status: String,
    /// The time of the scan that is current.
    pub timestamp: At,
    /// Where it was then.
    pub location: String,
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number of it.
    pub tracking_number: Option<String>,
    /// The order that it belongs to.
    pub order_id: Option<String>,
    /// The sequence of its last event.
    pub version: u64,
    /// How many updates are logged.
    pub updates: u64,
    /// Since when nothing was heard of it, where that is too long. Lists do not say it.
    pub stalled_since: Option<At>,
}

/// An update of a shipment, as logged.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scan {
    /// Its own time.
    pub timestamp: At,
    /// The offset that the carrier wrote that time in.
    pub timestamp_offset: Option<String>,
    /// `day`, where the carrier named a date alone.
    pub timestamp_precision: Option<String>,
    /// The status, in our words.
    pub status: String,
    /// The status in the carrier's words, where they differ.
    pub carrier_status: Option<String>,
    /// The carrier's code of it.
    pub carrier_code: Option<String>,
    /// Where.
    pub location: String,
    /// Who says so.
    pub carrier: String,
    /// Which kind of event.
    pub event_type: String,
    /// By which trigger.
    pub event_source: String,
    /// The id of what brought it.
    pub event_id: String,
    /// When it was committed.
    pub processed_at: At,
    /// Its sequence.
    pub version: u64,
    /// What else the carrier said.
    #[serde(default)]
    pub attributes: Object,
}

/// The members of an object for a page: texts without quotes, everything else as JSON.
pub fn texts(object: &Object) -> BTreeMap<String, String> {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let members = object.iter();
    members
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// What stands for a status beside its name: a tone of colour and a shape. The name is always
/// written, so neither has to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// A class of the style sheet.
    pub tone: &'static str,
    /// The sign that stands before the name, such as `▲`.
    pub shape: &'static str,
}

/// How a status of an order or shipment looks.
pub fn look(status: &str) -> Look {
    let (tone, shape) = match status {
        "PROCESSED" | "DELIVERED" => ("good", "●"),
        "CANCELLED" | "RETURNED" => ("off", "✕"),
        "LOST" | "DAMAGED" | "EXCEPTION" => ("bad", "▲"),
        "DELAYED" | "DELIVERY_ATTEMPTED" | "RETURNING" => ("warn", "▲"),
        "NEW" | "CREATED" => ("new", "○"),
        _ => ("going", "◐"),
    };
    Look { tone, shape }
}
