//! The read model `processed-orders`: a row per order, a function of its history alone.

use domain::{
    EventSourced, Json, Order, OrderId, Timestamp,
    json::Object,
    order::{Item, OrderPlaced, command::adjustments},
};

use crate::{Environment, ports::Row};

/// What stands as the reason of an order that was cancelled without one.
pub const NO_REASON: &str = "Unspecified";

/// The row of an order of version `version`; `None` of one that was never placed.
pub fn row(order: &Order, version: u64, environment: &Environment) -> Option<Row> {
    let status = order.status()?.to_owned();
    let (placed, updated_at) = match order {
        Order::Unplaced => return None,
        Order::Open(placed) => (placed, placed.at),
        Order::Processed { order, at } | Order::Cancelled { order, at, .. } => (order, *at),
    };
    let partition = |value: &str| environment.partition(value, placed.order_id.as_str());
    let mut row = content(placed);
    row.extend([
        ("statusShard".to_owned(), partition(&status)),
        ("status".to_owned(), status.into()),
        ("version".to_owned(), version.into()),
        ("createdAt".to_owned(), time(placed.at)),
        ("placedAt".to_owned(), time(placed.placed_at())),
        ("updatedAt".to_owned(), time(updated_at)),
        ("environment".to_owned(), environment.name.clone().into()),
    ]);
    match order {
        Order::Processed { at, .. } => row.extend([
            ("processedAt".to_owned(), time(*at)),
            (
                "processedTimestamp".to_owned(),
                at.seconds().unsigned_abs().into(),
            ),
            ("processingDate".to_owned(), at.day().into()),
            ("processingDateShard".to_owned(), partition(&at.day())),
        ]),
        Order::Cancelled { at, reason, .. } => row.extend([
            ("cancelledAt".to_owned(), time(*at)),
            (
                "cancelReason".to_owned(),
                reason.as_deref().unwrap_or(NO_REASON).into(),
            ),
        ]),
        Order::Unplaced | Order::Open(_) => {}
    }
    Some(row)
}

/// The key of an order's row.
pub fn key(id: &OrderId) -> Row {
    Row::from([("orderId".to_owned(), id.as_str().into())])
}

/// What was ordered.
fn content(order: &OrderPlaced) -> Row {
    let mut row = Object::from([
        ("orderId".to_owned(), order.order_id.as_str().into()),
        (
            "items".to_owned(),
            Json::Array(order.items.iter().map(Item::to_json).collect()),
        ),
        ("itemsAmount".to_owned(), order.items_amount.clone().into()),
        ("totalAmount".to_owned(), order.total_amount.clone().into()),
        ("currency".to_owned(), order.currency.to_string().into()),
        ("fulfilment".to_owned(), order.fulfilment.as_str().into()),
        (
            "attributes".to_owned(),
            Json::Object(order.attributes.clone()),
        ),
    ]);
    row.extend(adjustments(&order.adjustments));
    let mut optional = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value.clone().into());
        }
    };
    optional("customerId", &order.customer_id);
    optional("customerName", &order.customer_name);
    optional("sourceFile", &order.source_file);
    row
}

fn time(at: Timestamp) -> Json {
    at.to_string().into()
}
