//! Waybill: its event store, and the one way of a command.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use commands::execute::{Envelope, execute};
use domain::{
    AggregateId, EventSourced, Order, Shipment,
    aggregate::{Command, Intent as _},
};
use event_store::{Cause, EventStore, Loaded, SystemClock, dynamodb::DynamoDbTable};

use crate::{Failed, Peer, database::make_table, work};

const TABLE: &str = "waybill-events";

/// Waybill.
pub struct Waybill {
    store: EventStore,
}

impl Waybill {
    /// With a table of its own.
    pub async fn new(client: &Client) -> Result<Self, Failed> {
        make_table(client, TABLE, "aggregate", Some("sequence")).await?;
        let table = DynamoDbTable::new(client.clone(), TABLE);
        Ok(Self {
            store: EventStore::new(Arc::new(table)),
        })
    }

    async fn execute<A: EventSourced>(
        &self,
        aggregate: AggregateId,
        id: String,
        command: Command<A::Intent>,
    ) -> Result<(), Failed> {
        let envelope = Envelope {
            aggregate,
            expected_version: None,
            cause: Cause {
                command_id: format!("event/{id}"),
                digest: command.intent.digest(),
                actor: "events/logistics.shipments".to_owned(),
                source: "bus".to_owned(),
                correlation_id: id.clone(),
                causation_id: id,
                traceparent: None,
            },
            intent: command.intent,
        };
        execute::<A>(&self.store, &SystemClock, envelope).await?;
        Ok(())
    }
}

#[async_trait]
impl Peer for Waybill {
    fn name(&self) -> &'static str {
        "Waybill"
    }

    async fn place(&self, order: &str) -> Result<(), Failed> {
        let aggregate = AggregateId::Order(order.parse()?);
        self.execute::<Order>(aggregate, order.to_owned(), work::place(order)?)
            .await
    }

    async fn update(&self, shipment: &str, number: u64) -> Result<(), Failed> {
        let aggregate = AggregateId::Shipment(shipment.parse()?);
        let id = format!("{shipment}-{number}");
        self.execute::<Shipment>(aggregate, id, work::update(shipment, number)?)
            .await
    }

    async fn load(&self, shipment: &str) -> Result<u64, Failed> {
        let loaded: Loaded<Shipment> = self
            .store
            .load(&AggregateId::Shipment(shipment.parse()?))
            .await?;
        Ok(loaded.state.updates)
    }
}
