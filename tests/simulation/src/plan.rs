//! The requests that the clients of a seed send: many commands for a few orders and shipments,
//! some of them twice, some under an idempotency key that another request has used.

use serde_json::{Value, json};

use crate::core::Core;

pub mod carrier;
pub mod persons;

/// A text that stands in customers' names and notes. It must appear in no log, no metric and no
/// message to an operator.
pub const MARKER: &str = "MARKER-7f3a";

/// The entry point by which a request arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A `POST` over the HTTP API, with an idempotency key.
    Http,
    /// A direct invocation of the function `invoke`, with a command id.
    Invoke,
    /// An event on the bus, whose id is the key.
    Bus,
    /// A file in the bucket. Each upload is a command of its own.
    File,
    /// A carrier's webhook. Each of its scans is a command; the webhook itself carries no key.
    Carrier,
    /// An erasure of personal data: a `DELETE` with an idempotency key for a customer, an
    /// operator's command for an order without a customer.
    Erase,
}

/// A request that the plan has for a client. It is sent until it has a final answer.
#[derive(Debug, Clone)]
pub struct PlannedRequest {
    /// The entry point by which it arrives.
    pub way: Way,
    /// The aggregate that it concerns, such as `order#1`.
    pub aggregate: String,
    /// The path of the HTTP request; for other entry points, the path of the same command.
    pub path: String,
    /// The body that is sent.
    pub body: Value,
    /// The idempotency key, command id or event id. The same one again means the same command.
    pub key: String,
}

impl PlannedRequest {
    /// Returns the id under which the history records the command. The ids of files and webhooks
    /// in the history differ: theirs are made of the object's version, or of the scan.
    pub fn command_id(&self) -> String {
        match self.way {
            Way::Http | Way::Erase => format!("http/anonymous/{}", self.key),
            Way::Invoke => format!("invoke/{}", self.key),
            Way::Bus => format!("event/{}", self.key),
            Way::File => format!("file/{}", self.key),
            Way::Carrier => format!("carriers/{}", self.key),
        }
    }

    /// Returns what distinguishes commands: aggregate, command id, and path with body.
    pub fn identity(&self) -> (String, String, String) {
        (
            self.aggregate.clone(),
            self.command_id(),
            format!("{} {}", self.path, self.body),
        )
    }
}

/// The most requests of a seed. The fewest are 30.
pub const COMMANDS_MAX: usize = 60;

/// Draws the requests of a seed and returns the first `limit` of them.
pub fn draw(core: &Core, limit: usize) -> Vec<PlannedRequest> {
    let count = 30 + core.choose(COMMANDS_MAX - 29);
    let owners = persons::draw_owners(core);
    let mut plan: Vec<PlannedRequest> = Vec::new();
    for number in 0..count {
        // One in five repeats an earlier request: the whole of it, or its key alone.
        let again = (core.choose(5) == 0 && !plan.is_empty()).then(|| core.choose(plan.len()));
        let mut planned = draw_one(core, &owners, number);
        if let Some(earlier) = again.map(|place| plan[place].clone()) {
            if core.choose(4) > 0 {
                planned = earlier;
            } else if earlier.way == planned.way {
                planned.key = earlier.key;
            }
        }
        plan.push(planned);
    }
    plan.truncate(limit);
    plan
}

fn draw_one(core: &Core, owners: &[&str], number: usize) -> PlannedRequest {
    let key = format!("key-{number}");
    match core.choose(13) {
        0..=3 => draw_place(core, key),
        4..=5 => draw_close(core, key),
        6..=9 => draw_update(core, key),
        10..=11 => carrier::draw(core, key),
        _ => persons::draw_erasure(core, owners, key),
    }
}

fn draw_place(core: &Core, key: String) -> PlannedRequest {
    // There are few orders, so that clients compete for them.
    let order = persons::ORDERS[core.choose(persons::ORDERS.len())];
    let id = order.0;
    // Most requests for an order have the same content. Some differ in quantity, and some in
    // personal data alone.
    let (quantity, other) = match core.choose(10) {
        0..=1 => (3, " other"),
        2 => (2, " renamed"),
        _ => (2, ""),
    };
    // An automatic order is completed without a client, so it is projected once more. That would
    // repair a row which an erasure has missed: so only some orders are automatic.
    let fulfilment = match id {
        "1" | "5" => "automatic",
        _ => "merchant",
    };
    let mut body = json!({
        "orderId": id,
        "items": [{ "productId": "p", "quantity": quantity, "price": 2.55 }],
        "adjustments": [{ "type": "shipping", "amount": 4.99 }],
        "placedAt": "2024-01-13T10:30:00+02:00",
        "fulfilment": fulfilment,
    });
    persons::add(&mut body, order, other);
    let way = [Way::Http, Way::Invoke, Way::File][core.choose(3)];
    PlannedRequest {
        way,
        aggregate: format!("order#{id}"),
        path: "/orders".to_owned(),
        body,
        key,
    }
}

fn draw_close(core: &Core, key: String) -> PlannedRequest {
    let (id, ..) = persons::ORDERS[core.choose(persons::ORDERS.len())];
    let (path, body) = match core.choose(2) {
        0 => (format!("/orders/{id}/complete"), json!({})),
        _ => (
            format!("/orders/{id}/cancel"),
            json!({ "reason": "changed" }),
        ),
    };
    PlannedRequest {
        way: Way::Http,
        aggregate: format!("order#{id}"),
        path,
        body,
        key,
    }
}

/// Statuses in the different spellings of carriers.
const STATUSES: [&str; 8] = [
    "CREATED",
    "IN_TRANSIT",
    "in transit",
    "OutForDelivery",
    "DELAYED",
    "LOST",
    "DELIVERED",
    "delivered",
];

fn draw_update(core: &Core, key: String) -> PlannedRequest {
    let id = format!("S{}", 1 + core.choose(2));
    let status = STATUSES[core.choose(STATUSES.len())];
    let mut body = json!({ "shipmentId": id, "status": status, "note": MARKER });
    if core.choose(4) == 0 {
        body["location"] = json!({ "city": "Lyon", "country": "FR" });
    }
    if core.choose(3) > 0 {
        // There are few minutes, so that many updates have the same timestamp.
        let minute = core.choose(8);
        body["timestamp"] = format!("2024-01-15T10:{minute:02}:00Z").into();
    }
    let way = [Way::Http, Way::Bus][core.choose(2)];
    let path = format!("/shipments/{id}/updates");
    PlannedRequest {
        way,
        aggregate: format!("shipment#{id}"),
        path,
        body,
        key,
    }
}
