//! What the clients of a seed want: a few orders and shipments, many commands, some of them twice,
//! some under a key that was used for something else.

use serde_json::{Value, json};

use crate::core::Core;

pub mod carrier;
pub mod persons;

/// Stands in customers' names and notes, and must stand in no log, metric or operator's message.
pub const MARKER: &str = "MARKER-7f3a";

/// By which way a command comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `POST`, with a key.
    Http,
    /// An invocation, with a command id.
    Invoke,
    /// An event on the bus.
    Bus,
    /// A file in the bucket, whose every upload is a command of its own.
    File,
    /// A carrier's webhook, whose scans are its commands: it has no key.
    Carrier,
    /// An erasure of personal data: `DELETE`, with a key; of an order without a customer an
    /// operator's.
    Erase,
}

/// A command that a client wants carried out.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// By which way.
    pub way: Way,
    /// `order#1` …
    pub aggregate: String,
    /// The path, for HTTP.
    pub path: String,
    /// What is sent.
    pub body: Value,
    /// The key, command id or event id: the same one again is meant to be the same command.
    pub key: String,
}

impl Wanted {
    /// The id that the command has in the history.
    pub fn command_id(&self) -> String {
        match self.way {
            Way::Http | Way::Erase => format!("http/anonymous/{}", self.key),
            Way::Invoke => format!("invoke/{}", self.key),
            Way::Bus => format!("event/{}", self.key),
            Way::File => format!("file/{}", self.key),
            Way::Carrier => format!("carriers/{}", self.key),
        }
    }

    /// What tells one command from another.
    pub fn identity(&self) -> (String, String, String) {
        (
            self.aggregate.clone(),
            self.command_id(),
            format!("{} {}", self.path, self.body),
        )
    }
}

/// Commands of a seed, at most so many.
pub const COMMANDS_MAX: usize = 60;

/// Draws the commands of a seed; the first `limit` of them.
pub fn draw(core: &Core, limit: usize) -> Vec<Wanted> {
    let count = 30 + core.choose(COMMANDS_MAX - 29);
    let owners = persons::drawn(core);
    let mut plan: Vec<Wanted> = Vec::new();
    for number in 0..count {
        // One in five is an earlier one again, word for word or with its key only.
        let again = (core.choose(5) == 0 && !plan.is_empty()).then(|| core.choose(plan.len()));
        let mut wanted = one(core, &owners, number);
        if let Some(earlier) = again.map(|place| plan[place].clone()) {
            if core.choose(4) > 0 {
                wanted = earlier;
            } else if earlier.way == wanted.way {
                wanted.key = earlier.key;
            }
        }
        plan.push(wanted);
    }
    plan.truncate(limit);
    plan
}

fn one(core: &Core, owners: &[&str], number: usize) -> Wanted {
    let key = format!("key-{number}");
    match core.choose(13) {
        0..=3 => place(core, key),
        4..=5 => close(core, key),
        6..=9 => update(core, key),
        10..=11 => carrier::drawn(core, key),
        _ => persons::erase(core, owners, key),
    }
}

fn place(core: &Core, key: String) -> Wanted {
    // Few orders, so that clients meet.
    let order = persons::ORDERS[core.choose(persons::ORDERS.len())];
    let id = order.0;
    // Two contents for each order: most say the same, some do not, and some differ in personal data
    // alone.
    let (quantity, other) = match core.choose(10) {
        0..=1 => (3, " other"),
        2 => (2, " renamed"),
        _ => (2, ""),
    };
    // What is completed by itself is projected once more, and so is an erasure that was missed.
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
    Wanted {
        way,
        aggregate: format!("order#{id}"),
        path: "/orders".to_owned(),
        body,
        key,
    }
}

fn close(core: &Core, key: String) -> Wanted {
    let (id, ..) = persons::ORDERS[core.choose(persons::ORDERS.len())];
    let (path, body) = match core.choose(2) {
        0 => (format!("/orders/{id}/complete"), json!({})),
        _ => (
            format!("/orders/{id}/cancel"),
            json!({ "reason": "changed" }),
        ),
    };
    Wanted {
        way: Way::Http,
        aggregate: format!("order#{id}"),
        path,
        body,
        key,
    }
}

/// Statuses as carriers spell them.
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

fn update(core: &Core, key: String) -> Wanted {
    let id = format!("S{}", 1 + core.choose(2));
    let status = STATUSES[core.choose(STATUSES.len())];
    let mut body = json!({ "shipmentId": id, "status": status, "note": MARKER });
    if core.choose(4) == 0 {
        body["location"] = json!({ "city": "Lyon", "country": "FR" });
    }
    if core.choose(3) > 0 {
        // Few minutes, so that many updates have the same one.
        let minute = core.choose(8);
        body["timestamp"] = format!("2024-01-15T10:{minute:02}:00Z").into();
    }
    let way = [Way::Http, Way::Bus][core.choose(2)];
    let path = format!("/shipments/{id}/updates");
    Wanted {
        way,
        aggregate: format!("shipment#{id}"),
        path,
        body,
        key,
    }
}
