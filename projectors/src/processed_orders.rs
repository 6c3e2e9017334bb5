//! The read model `processed-orders`: one row for each order, a function of its history alone.

use domain::{
    EventSourced, Json, Order, OrderId, Timestamp,
    json::Object,
    order::{Item, OrderPlaced, command::adjustments},
};

use crate::{Environment, ports::Row};

/// The `cancelReason` of an order that was cancelled without a reason.
pub const NO_REASON: &str = "Unspecified";

/// The row of an order at version `version`; `None` of an order that does not exist.
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

/// The row's attributes that do not depend on the order's status.
fn content(order: &OrderPlaced) -> Row {
    let OrderPlaced {
        order_id,
        at: _,
        placed_at: _,
        customer_id,
        customer_name,
        personal,
        sealed: _, // open where a row is made of it
        items,
        adjustments: order_adjustments,
        items_amount,
        total_amount,
        currency,
        fulfilment,
        source_file,
        attributes,
    } = order;
    let items = items.iter().map(Item::to_json).collect();
    let mut row = Object::from([
        ("orderId".to_owned(), order_id.as_str().into()),
        ("items".to_owned(), Json::Array(items)),
        ("itemsAmount".to_owned(), items_amount.clone().into()),
        ("totalAmount".to_owned(), total_amount.clone().into()),
        ("currency".to_owned(), currency.to_string().into()),
        ("fulfilment".to_owned(), fulfilment.as_str().into()),
        ("attributes".to_owned(), Json::Object(attributes.clone())),
    ]);
    row.extend(adjustments(order_adjustments));
    let mut optional = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value.clone().into());
        }
    };
    optional("customerId", customer_id);
    optional("customerName", customer_name);
    optional("sourceFile", source_file);
    if let Some(personal) = personal {
        row.insert("personal".to_owned(), personal.clone());
    }
    row
}

fn time(at: Timestamp) -> Json {
    at.to_string().into()
}
