//! What the fuzzer hands in, and what is held of it: the world of the tests of entry points.

// Only what the world needs of `support`, under that name: the rest of it would bring a whole
// DynamoDB along.
extern crate self as support;

#[allow(dead_code)]
#[path = "../support/files.rs"]
pub mod files;
#[allow(dead_code)]
#[path = "../support/ledger.rs"]
pub mod ledger;
#[path = "../support/metrics.rs"]
pub mod metrics;
#[path = "../support/operator.rs"]
pub mod operator;
#[path = "../support/outbox.rs"]
pub mod outbox;
#[path = "../support/rows.rs"]
pub mod rows;
#[path = "../support/stream.rs"]
pub mod stream;
// The tests ask it more than the fuzzer does.
#[allow(dead_code)]
#[path = "../entry_points/world.rs"]
mod world;

use std::sync::LazyLock;

use futures::executor::block_on;
use libfuzzer_sys::Corpus;
use serde_json::{Value, value::RawValue};

pub use metrics::unread_metrics;
pub use world::Entry;
use world::World;

/// What has happened before: an order and a shipment are there to be changed and asked for.
const BEFORE: [(Entry, &str); 2] = [
    (Entry::Bus, include_str!("seeds/bus/placing_an_order.json")),
    (
        Entry::Api,
        include_str!("seeds/api/updating_a_shipment.json"),
    ),
];

/// A request to put bodies into.
static REQUEST: LazyLock<Value> = LazyLock::new(|| {
    let seed = include_str!("seeds/api/placing_an_order.json");
    serde_json::from_str(seed).unwrap_or_default()
});

/// Hands a command in, where `data` is JSON: Lambda delivers nothing else. What is accepted has to
/// fit everything downstream.
pub fn command(entry: Entry, data: &[u8]) -> Corpus {
    match payload(data) {
        Some(text) => block_on(async {
            let world = seeded_world().await;
            accept(&world, entry, text).await;
            world.check_downstream().await;
            Corpus::Keep
        }),
        None => Corpus::Reject,
    }
}

/// Hands `data` in at every entry of `entries`, where it is JSON.
pub fn projection(entries: &[Entry], data: &[u8]) -> Corpus {
    match payload(data) {
        Some(text) => block_on(async {
            let world = seeded_world().await;
            for entry in entries {
                accept(&world, *entry, text).await;
            }
            Corpus::Keep
        }),
        None => Corpus::Reject,
    }
}

/// Hands `data` in as the body of a request that places an order.
pub fn body(data: &[u8]) -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    let mut request = REQUEST.clone();
    request["body"] = text.into();
    command(Entry::Api, request.to_string().as_bytes())
}

fn payload(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok()?;
    RawValue::from_string(text.to_owned()).ok()?;
    Some(text)
}

async fn seeded_world() -> World {
    let world = World::new();
    for (entry, seed) in BEFORE {
        accept(&world, entry, seed).await;
    }
    world.check_downstream().await;
    world
}

/// What fails is a function error, whose text has been looked at.
async fn accept(world: &World, entry: Entry, payload: &str) {
    let _ = world.check(entry, payload).await;
}
