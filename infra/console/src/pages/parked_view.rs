//! A parked order or shipment as pages show it.

use std::sync::Arc;

use operator::{
    Environment,
    parked::{self, Parked},
};

use super::subject::Subject;
use crate::{Console, at::At, links, operating::additional};

/// A parked aggregate as a page shows it.
pub struct ParkedView {
    /// `project` or `notify`.
    pub consumer: String,
    /// The order or shipment.
    pub about: Subject,
    /// The time since which it is parked.
    pub since: At,
    /// The sequence of the event at which the consumer stopped.
    pub sequence: u64,
    /// The code of the reason.
    pub code: String,
    /// What the code means.
    pub meaning: &'static str,
    /// The path of its page.
    pub link: String,
}

impl ParkedView {
    /// Converts a parked aggregate for a page.
    pub fn of(parked: &Parked) -> Self {
        Self {
            consumer: parked.consumer.clone(),
            about: Subject::of(&parked.aggregate),
            since: At(parked.since.clone()),
            sequence: parked.sequence,
            code: parked.code.clone(),
            meaning: parked::meaning(&parked.code).unwrap_or("this build does not know this code"),
            link: parked_link(&parked.consumer, &parked.aggregate),
        }
    }
}

/// Returns what is parked of an order or shipment; empty where it cannot be read soon enough.
pub(super) async fn parked_of(console: &Console, aggregate: &str) -> Vec<ParkedView> {
    let Ok(id) = aggregate.parse() else {
        return Vec::new();
    };
    let look = |environment: Arc<Environment>| async move { parked::of(&environment, &id).await };
    let found = additional(console, look).await;
    found
        .unwrap_or_default()
        .iter()
        .map(ParkedView::of)
        .collect()
}

/// Returns the path of the page of what a consumer has parked of an order or shipment.
pub fn parked_link(consumer: &str, aggregate: &str) -> String {
    let names = [("consumer", Some(consumer)), ("aggregate", Some(aggregate))];
    links::query("/stuck/parked", &names)
}
