//! cqrs-es with dynamo-es: a transaction for every commit, and a load of all events, or of a snapshot
//! and the events behind it.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use cqrs_es::{CqrsFramework, EventStore as _, persist::PersistedEventStore};
use domain::{Order, Shipment};
use dynamo_es::DynamoEventRepository;

use crate::{Failed, Peer, database::make_table, work};

type Store<A> = PersistedEventStore<DynamoEventRepository, A>;

/// cqrs-es with dynamo-es.
pub struct DynamoEs {
    name: &'static str,
    orders: CqrsFramework<Order, Store<Order>>,
    shipments: CqrsFramework<Shipment, Store<Shipment>>,
    loads: Store<Shipment>,
}

impl DynamoEs {
    /// With tables of its own; with a snapshot after every `snapshot` events, where that is given.
    pub async fn new(client: &Client, snapshot: Option<usize>) -> Result<Self, Failed> {
        let (name, events, snapshots) = match snapshot {
            None => ("dynamo-es", "dynamo-es-events", "dynamo-es-snapshots"),
            Some(_) => (
                "dynamo-es, snapshots",
                "dynamo-es-2-events",
                "dynamo-es-2-snapshots",
            ),
        };
        make_table(
            client,
            events,
            "AggregateTypeAndId",
            Some("AggregateIdSequence"),
        )
        .await?;
        make_table(client, snapshots, "AggregateTypeAndId", None).await?;
        let repository =
            || DynamoEventRepository::new(client.clone()).with_tables(events, snapshots);
        Ok(Self {
            name,
            orders: CqrsFramework::new(store(repository(), snapshot), vec![], ()),
            shipments: CqrsFramework::new(store(repository(), snapshot), vec![], ()),
            loads: store(repository(), snapshot),
        })
    }
}

fn store<A: cqrs_es::Aggregate>(
    repository: DynamoEventRepository,
    snapshot: Option<usize>,
) -> Store<A> {
    match snapshot {
        None => PersistedEventStore::new_event_store(repository),
        Some(size) => PersistedEventStore::new_snapshot_store(repository, size),
    }
}

#[async_trait]
impl Peer for DynamoEs {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn place(&self, order: &str) -> Result<(), Failed> {
        Ok(self.orders.execute(order, work::place(order)?).await?)
    }

    async fn update(&self, shipment: &str, number: u64) -> Result<(), Failed> {
        Ok(self
            .shipments
            .execute(shipment, work::update(shipment, number)?)
            .await?)
    }

    async fn load(&self, shipment: &str) -> Result<u64, Failed> {
        use cqrs_es::AggregateContext as _;
        let mut context = self.loads.load_aggregate(shipment).await?;
        Ok(context.aggregate().updates)
    }
}
