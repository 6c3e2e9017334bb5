//! The answers of the HTTP API as pages read them (`infra/api/rows.yaml`). Numbers are exact.

use std::collections::BTreeMap;

use domain::{Json, Number, json::Object};
use serde::Deserialize;

use crate::at::At;

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last one.
    pub cursor: Option<String>,
}

/// An amount that is added to an order or an item, or already included in its price.
#[derive(Debug, Clone, Deserialize)]
pub struct Adjustment {
    /// The kind: `shipping`, `tax`, `discount` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// The amount that is added, in the order's currency. A discount is negative.
    pub amount: Number,
    /// The name that its sender gave it.
    pub name: Option<String>,
    /// Whether the prices already include it.
    #[serde(default)]
    pub included: bool,
}

/// An item of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The id of the product.
    pub product_id: Option<String>,
    /// The name of the item.
    pub name: Option<String>,
    /// The number of units.
    pub quantity: Number,
    /// The price of one unit, in the order's currency.
    pub price: Number,
    /// The amounts that are added to the item's price.
    #[serde(default)]
    pub adjustments: Vec<Adjustment>,
}

/// The row of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub order_id: String,
    /// The status.
    pub status: String,
    /// The sequence of the last event.
    pub version: u64,
    /// The id of the customer.
    pub customer_id: Option<String>,
    /// The name of the customer.
    pub customer_name: Option<String>,
    /// The items that were ordered.
    pub items: Vec<Item>,
    /// The amounts that are added to the items' amount.
    #[serde(default)]
    pub adjustments: Vec<Adjustment>,
    /// The sum of quantity times price over all items, with the items' adjustments.
    pub items_amount: Option<Number>,
    /// The amount to be paid.
    pub total_amount: Number,
    /// The currency of all amounts, such as `USD`.
    pub currency: String,
    /// Who completes it: `merchant` or `automatic`.
    pub fulfilment: String,
    /// The time at which the customer placed the order.
    pub placed_at: At,
    /// The time of the commit.
    pub created_at: At,
    /// The time of the last change.
    pub updated_at: At,
    /// The time at which it was completed.
    pub processed_at: Option<At>,
    /// The time at which it was cancelled.
    pub cancelled_at: Option<At>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// The file that it came from, as `s3://<bucket>/<key>`.
    pub source_file: Option<String>,
    /// Further members that its sender added.
    #[serde(default)]
    pub attributes: Object,
    /// The actions that are allowed next.
    #[serde(default)]
    pub allowed_actions: Vec<String>,
}

/// An order as lists show it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedOrder {
    /// The id.
    pub order_id: String,
    /// The status.
    pub status: String,
    /// The id of the customer.
    pub customer_id: Option<String>,
    /// The name of the customer.
    pub customer_name: Option<String>,
    /// The amount to be paid.
    pub total_amount: Number,
    /// The currency of all amounts, such as `USD`.
    pub currency: String,
    /// The time of the commit.
    pub created_at: At,
    /// The time of the last change.
    pub updated_at: At,
}

/// A page of a history.
#[derive(Debug, Clone, Deserialize)]
pub struct History {
    /// The events, in order of their sequence.
    pub events: Vec<Event>,
    /// The cursor of the next page; `None` on the last one.
    pub cursor: Option<String>,
}

/// An event and its origin.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The sequence, from 1.
    pub sequence: u64,
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The time of the commit.
    pub at: At,
    /// The data of the event.
    pub data: Object,
    /// The actor: who sent the command.
    pub actor: String,
    /// The trigger, such as `http` or `bus`.
    pub source: String,
    /// The id of the command.
    pub command_id: String,
    /// The correlation id, by which its sender groups related commands.
    pub correlation_id: String,
    /// The request or event that brought the command.
    pub causation_id: String,
}

/// A shipment in its current state.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// The id.
    pub shipment_id: String,
    /// The status.
    pub status: String,
    /// The time of the current scan.
    pub timestamp: At,
    /// The location of the current scan.
    pub location: String,
    /// The carrier.
    pub carrier: String,
    /// The tracking number of the carrier.
    pub tracking_number: Option<String>,
    /// The id of the order that it belongs to.
    pub order_id: Option<String>,
    /// The sequence of the last event.
    pub version: u64,
    /// The number of logged updates.
    pub updates: u64,
    /// The time since which there is no update, where that is longer than allowed. Lists do not
    /// have this field.
    pub stalled_since: Option<At>,
}

/// An update of a shipment as it was logged.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scan {
    /// The time that the carrier gave.
    pub timestamp: At,
    /// The UTC offset in which the carrier wrote that time.
    pub timestamp_offset: Option<String>,
    /// `day` where the carrier gave a date without a time.
    pub timestamp_precision: Option<String>,
    /// The status in Waybill's words.
    pub status: String,
    /// The status in the carrier's words, where they differ.
    pub carrier_status: Option<String>,
    /// The carrier's code of the status.
    pub carrier_code: Option<String>,
    /// The location.
    pub location: String,
    /// The carrier.
    pub carrier: String,
    /// The type of the event.
    pub event_type: String,
    /// The trigger, such as `http` or `bus`.
    pub event_source: String,
    /// The id of the request or event that brought it.
    pub event_id: String,
    /// The time of the commit.
    pub processed_at: At,
    /// The sequence of its event.
    pub version: u64,
    /// Further members that the carrier sent.
    #[serde(default)]
    pub attributes: Object,
}

/// Returns the members of an object for a page: texts without quotes, everything else as JSON.
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

/// The colour and the sign of a status. The name of the status is always written next to them, so
/// neither is needed to understand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The class of the style sheet.
    pub tone: &'static str,
    /// The sign before the name, such as `▲`.
    pub shape: &'static str,
}

/// Returns the colour and the sign of a status of an order or shipment.
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
