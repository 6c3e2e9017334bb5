//! The capacity budget of projecting: requests counted, read units as DynamoDB reports them.

use std::sync::Arc;

use commands::execute::execute;
use domain::{AggregateId, Order, Shipment, order::Intent};
use event_store::{Commit, EventStore, SystemClock, dynamodb::DynamoDbTable};
use projectors::Role;
use support::{
    embedded::Embedded,
    envelopes::{placing, to_order, update},
    stream::batch,
};

use crate::World;

/// A world whose event store is on DynamoDB, which counts.
struct Counted {
    world: World,
    events: Arc<DynamoDbTable>,
    _embedded: Embedded,
}

impl Counted {
    async fn new() -> Self {
        let embedded = Embedded::start().await;
        let events = embedded.events();
        let mut world = World::new();
        world.projectors.store = EventStore::new(events.clone());
        Self {
            world,
            events,
            _embedded: embedded,
        }
    }

    async fn history(&self, id: &AggregateId) -> Vec<Commit> {
        self.world.projectors.store.whole_history(id).await.unwrap()
    }

    /// Projects a batch: requests to the event store, puts of rows, read units.
    async fn project(&self, commits: &[Commit]) -> (u64, u64, u64) {
        let (before, puts) = (self.events.usage(), self.world.rows.puts());
        assert_eq!(
            self.world.deliver(Role::Project, batch(commits)).await,
            None
        );
        let after = self.events.usage();
        // A strongly consistent read counts in whole units.
        let units = |usage: event_store::dynamodb::Usage| usage.read_units as u64;
        (
            after.requests - before.requests,
            self.world.rows.puts() - puts,
            units(after) - units(before),
        )
    }
}

#[tokio::test]
async fn an_order_is_projected_in_two_requests() {
    let counted = Counted::new().await;
    let store = &counted.world.projectors.store;
    let place = placing("1", "c-1");
    let id = place.aggregate.clone();
    execute::<Order>(store, &SystemClock, place).await.unwrap();
    let complete = to_order("1", "c-2", Intent::Complete);
    execute::<Order>(store, &SystemClock, complete)
        .await
        .unwrap();
    let commits = counted.history(&id).await;
    assert_eq!(counted.project(&commits[..1]).await, (0, 1, 0), "new");
    assert_eq!(counted.project(&commits[1..]).await, (1, 1, 1), "changed");
    assert_eq!(
        counted.project(&commits).await,
        (0, 1, 0),
        "both in one batch"
    );
}

#[tokio::test]
async fn a_shipment_is_projected_in_a_request_for_each_update_and_two_more() {
    let counted = Counted::new().await;
    let store = &counted.world.projectors.store;
    let id = update("S", "c", "x", None).aggregate;
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        execute::<Shipment>(store, &SystemClock, command)
            .await
            .unwrap();
    }
    let commits = counted.history(&id).await;
    assert_eq!(counted.project(&commits[..3]).await, (0, 4, 0), "new");
    let (requests, puts, units) = counted.project(&commits[17..]).await;
    assert_eq!((requests, puts), (1, 4), "later");
    assert!(units <= 3, "{units} read units");
}
