//! event-store-adapter-rs: an event, its head and now and then a snapshot in one transaction; a load of
//! the latest snapshot, and of the events behind it.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use domain::{EventSourced, Order, Shipment, order, shipment};
use event_store_adapter_rs::{
    AggregateId, DynamoDbOptions, DynamoDbTables, EventEnvelope, EventStoreForDynamoDB,
    SnapshotEnvelope,
};

use crate::{Failed, Peer, database::make_table, work};

/// A snapshot with every so many events, as often as dynamo-es has one here.
const SNAPSHOT: u64 = 8;

#[derive(Debug, Clone)]
struct Id(&'static str, String);

impl AggregateId for Id {
    fn type_name(&self) -> String {
        self.0.to_owned()
    }

    fn value(&self) -> String {
        self.1.clone()
    }
}

/// event-store-adapter-rs.
pub struct Adapter {
    orders: EventStoreForDynamoDB<Id, Order, order::Event>,
    shipments: EventStoreForDynamoDB<Id, Shipment, shipment::Event>,
}

impl Adapter {
    /// With tables of its own.
    pub async fn new(client: &Client) -> Result<Self, Failed> {
        make_table(client, "adapter-journal", "aid", Some("seq_nr")).await?;
        make_table(client, "adapter-snapshots", "aid", Some("skey")).await?;
        make_table(client, "adapter-head", "aid", None).await?;
        let tables = DynamoDbTables {
            journal_table_name: "adapter-journal".to_owned(),
            snapshot_table_name: "adapter-snapshots".to_owned(),
            head_table_name: "adapter-head".to_owned(),
            // Of old snapshots none is kept, so that it is never asked.
            snapshot_history_index_name: "unused".to_owned(),
        };
        let options = DynamoDbOptions::default();
        Ok(Self {
            orders: EventStoreForDynamoDB::open(client.clone(), tables.clone(), options.clone())
                .await?,
            shipments: EventStoreForDynamoDB::open(client.clone(), tables, options).await?,
        })
    }

    /// The shipment and its sequence, 0 before the first event.
    async fn now(&self, id: &Id) -> Result<(Shipment, u64), Failed> {
        let Some(read) = self.shipments.get_latest_snapshot_by_id(id).await? else {
            return Ok((Shipment::default(), 0));
        };
        let head = read.head_seq_nr();
        let (state, from) = match read.into_parts().0 {
            Some(snapshot) => {
                let sequence = snapshot.seq_nr();
                (snapshot.into_aggregate(), sequence)
            }
            None => (Shipment::default(), 0),
        };
        let events = match from == head {
            true => vec![],
            false => {
                self.shipments
                    .get_events_by_id_since_seq_nr(id, from + 1)
                    .await?
            }
        };
        let events = events.into_iter().map(EventEnvelope::into_payload);
        Ok((state.folded(events), head))
    }
}

#[async_trait]
impl Peer for Adapter {
    fn name(&self) -> &'static str {
        "event-store-adapter-rs"
    }

    async fn place(&self, order: &str) -> Result<(), Failed> {
        let id = Id("order", order.to_owned());
        let mut events = Order::default().decide(&work::place(order)?)?;
        let event = EventEnvelope::new(id, 1, chrono::Utc::now(), events.remove(0));
        Ok(self.orders.persist_event(event).await?)
    }

    async fn update(&self, shipment: &str, number: u64) -> Result<(), Failed> {
        let id = Id("shipment", shipment.to_owned());
        let (state, head) = self.now(&id).await?;
        let event = state.decide(&work::update(shipment, number)?)?.remove(0);
        let next = head + 1;
        let envelope = EventEnvelope::new(id, next, chrono::Utc::now(), event.clone());
        match next % SNAPSHOT {
            0 => {
                let snapshot = SnapshotEnvelope::new(state.folded([event]), next);
                self.shipments
                    .persist_event_and_snapshot(envelope, snapshot)
                    .await?;
            }
            _ => self.shipments.persist_event(envelope).await?,
        }
        Ok(())
    }

    async fn load(&self, shipment: &str) -> Result<u64, Failed> {
        let id = Id("shipment", shipment.to_owned());
        Ok(self.now(&id).await?.0.updates)
    }
}
