//! Every interleaving of a few small worlds: two clients, two or three requests, at most one
//! crash.
//!
//! A path is the list of choices of one run. The search is depth-first: it runs a path, then
//! increments the last choice that had another option, until no choice has one.

use std::sync::{Arc, Mutex};

use crate::{
    checks::violations,
    core::Chooser,
    plan::{PlannedRequest, Way, carrier},
    world::run_with,
};
use serde_json::json;

/// A chooser that takes the choices of `given`, then always the option 0. In `taken` it records
/// each choice with the number of options that there were.
#[derive(Clone, Default)]
struct Path {
    taken: Arc<Mutex<Vec<(usize, usize)>>>,
    given: Vec<usize>,
}

impl Chooser for Path {
    fn choose(&mut self, options: usize) -> usize {
        let mut taken = self.taken.lock().unwrap();
        let choice = self.given.get(taken.len()).copied().unwrap_or(0);
        taken.push((choice, options));
        choice
    }
}

/// Returns the path that follows the one with these choices, or `None` after the last one.
fn next(taken: &[(usize, usize)]) -> Option<Vec<usize>> {
    let place = taken
        .iter()
        .rposition(|(choice, options)| choice + 1 < *options)?;
    let mut path: Vec<usize> = taken[..place].iter().map(|(choice, _)| *choice).collect();
    path.push(taken[place].0 + 1);
    Some(path)
}

fn order(path: &str, key: &str, body: serde_json::Value) -> PlannedRequest {
    let aggregate = "order#1".to_owned();
    PlannedRequest {
        way: Way::Http,
        aggregate,
        path: path.to_owned(),
        body,
        key: key.to_owned(),
    }
}

fn update(status: &str, key: &str) -> PlannedRequest {
    PlannedRequest {
        way: Way::Http,
        aggregate: "shipment#S".to_owned(),
        path: "/shipments/S/updates".to_owned(),
        body: json!({ "shipmentId": "S", "status": status }),
        key: key.to_owned(),
    }
}

fn scans(count: usize) -> PlannedRequest {
    carrier::webhook("S", count, false, format!("{count}"))
}

/// Returns the small worlds. Each is a list of clients, each with its requests in order.
pub fn worlds() -> Vec<Vec<Vec<PlannedRequest>>> {
    let body = json!({
        "orderId": "1",
        "items": [{ "productId": "p", "quantity": 2, "price": 2.55 }],
        "fulfilment": "merchant",
    });
    let place = || order("/orders", "place", body.clone());
    let complete = order("/orders/1/complete", "complete", json!({}));
    let cancel = order("/orders/1/cancel", "cancel", json!({}));
    vec![
        // One client places and completes an order, the other cancels it.
        vec![vec![place(), complete], vec![cancel]],
        // Two clients send the same command, and one of them then an update of a shipment.
        vec![vec![place(), update("LOST", "a")], vec![place()]],
        // Three updates of one shipment, two of them under one key.
        vec![
            vec![update("CREATED", "a"), update("LOST", "b")],
            vec![update("CREATED", "a")],
        ],
        // Two webhooks of one parcel, whose lists overlap, at the same time.
        vec![vec![scans(2)], vec![scans(3)]],
    ]
}

/// Runs every interleaving of a world with at most `crashes` crashes, at every possible moment.
/// Returns the number of interleavings. Fails at the first one that violates an invariant, with
/// the violations and the trace; or where there are more than `most` interleavings.
pub fn exhaust(
    clients: &[Vec<PlannedRequest>],
    crashes: usize,
    most: u64,
) -> Result<u64, (Vec<String>, Vec<String>)> {
    let mut path = Path::default();
    for count in 1..=most {
        let taken = path.taken.clone();
        let (found, _) = try_path(path, clients, crashes, false);
        let taken = taken.lock().unwrap().clone();
        if !found.is_empty() {
            let given = taken.iter().map(|(choice, _)| *choice).collect();
            let path = Path {
                given,
                ..Path::default()
            };
            return Err(try_path(path, clients, crashes, true));
        }
        match next(&taken) {
            Some(given) => {
                path = Path {
                    given,
                    ..Path::default()
                }
            }
            None => return Ok(count),
        }
    }
    Err((vec![format!("more than {most} interleavings")], vec![]))
}

/// Runs one interleaving and returns the violations and the trace.
fn try_path(
    path: Path,
    clients: &[Vec<PlannedRequest>],
    crashes: usize,
    traced: bool,
) -> (Vec<String>, Vec<String>) {
    let run = run_with(Box::new(path), clients.to_vec(), crashes, traced);
    (violations(&run.observed), run.trace)
}
