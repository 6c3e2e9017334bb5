//! The roles `project` and `notify`: what they do with a batch, and what they answer. And the role
//! `query`, which reads the rows that `project` has written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod erased;
mod lists;
mod notify;
mod project;
mod queries;
mod rebuild;
mod rows_contract;
mod watch;
mod watch_many;

use std::sync::Arc;

use commands::execute::execute;
use domain::{AggregateId, EventSourced, Json, Order, Shipment, Timestamp};
use event_store::{Clock as _, Commit, EventStore, Keys, SystemClock, memory::MemoryTable};
use lambda::Invocation;
use projectors::{
    Environment, Projectors, Role,
    ports::{Alert, Announcement, Table},
};
use serde_json::Value;
use support::{clock::PausedClock, outbox::Outbox, rows::MemoryRows};

/// Projectors over ports in memory.
struct World {
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    bus: Arc<Outbox<Announcement>>,
    topic: Arc<Outbox<Alert>>,
    projectors: Projectors,
}

impl World {
    fn new() -> Self {
        let table = Arc::new(MemoryTable::default());
        let rows = Arc::new(MemoryRows::default());
        let bus = Arc::new(Outbox::default());
        let topic = Arc::new(Outbox::default());
        let projectors = Projectors {
            store: EventStore::new(table.clone()).with_keys(Keys::in_memory()),
            rows: rows.clone(),
            bus: bus.clone(),
            topic: topic.clone(),
            metrics: support::unread_metrics(),
            clock: Arc::new(SystemClock),
            environment: Environment::of_one_shard("test"),
            stalled_after: lambda::StalledAfter::default(),
            rebuilds: support::ledger::rebuilds(),
            additional: Vec::new(),
        };
        Self {
            table,
            rows,
            bus,
            topic,
            projectors,
        }
    }

    async fn order(&self, command: commands::execute::Envelope<domain::order::Intent>) {
        execute::<Order>(&self.projectors.store, &SystemClock, command)
            .await
            .unwrap();
    }

    async fn shipment(&self, command: commands::execute::Envelope<domain::shipment::Intent>) {
        execute::<Shipment>(&self.projectors.store, &SystemClock, command)
            .await
            .unwrap();
    }

    /// Returns all commits, ordered by aggregate and sequence.
    fn commits(&self) -> Vec<Commit> {
        self.table
            .all()
            .into_iter()
            .map(|item| Commit::from_item(item).unwrap())
            .collect()
    }

    /// Delivers a batch. Returns the number of the record from which it must be delivered again.
    async fn deliver(&self, role: Role, batch: lambda::Payload) -> Option<String> {
        self.invoke(role, batch, &Invocation::of("request")).await
    }

    /// Delivers a batch to a function with a time-out of a minute, as on AWS, by the paused clock.
    /// Panics where the function takes longer.
    async fn deliver_within_a_minute(
        &self,
        clock: &PausedClock,
        role: Role,
        batch: lambda::Payload,
    ) -> Option<String> {
        let end = clock.now().millis() + 60_000;
        let mut invocation = Invocation::of("request");
        invocation.deadline = Timestamp::from_millis(end);
        let answer = clock.run(self.invoke(role, batch, &invocation)).await;
        assert!(clock.now().millis() < end, "Lambda would have ended it");
        answer
    }

    async fn invoke(
        &self,
        role: Role,
        batch: lambda::Payload,
        invocation: &Invocation,
    ) -> Option<String> {
        let handled = self.projectors.handle(role, batch, invocation);
        let answer = handled.await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        assert!(failures.len() <= 1);
        failures
            .first()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
    }

    /// Sends a query over HTTP. Returns the status and the body.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> (u64, Value) {
        let seed = include_str!("../fuzz/seeds/query/order.json");
        let mut request: Value = serde_json::from_str(seed).unwrap();
        request["rawPath"] = format!("/test{path}").into();
        request["queryStringParameters"] = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        let payload = serde_json::value::to_raw_value(&request).unwrap();
        let invocation = Invocation::of("request");
        let handled = self.projectors.handle(Role::Query, payload, &invocation);
        let answer = handled.await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    /// Returns the rows of a table as text.
    fn rows(&self, table: Table) -> Vec<String> {
        self.rows
            .all(table)
            .into_iter()
            .map(|row| Json::Object(row).to_string())
            .collect()
    }

    /// Returns `<consumer>#<aggregate> <sequence> <code>` of each parked row.
    fn parked(&self) -> Vec<String> {
        let text =
            |row: &projectors::ports::Row, name: &str| row[name].to_string().replace('"', "");
        let rows = self.rows.all(Table::Parked);
        rows.iter()
            .map(|row| {
                format!(
                    "{} {} {}",
                    text(row, "id"),
                    text(row, "sequence"),
                    text(row, "code")
                )
            })
            .collect()
    }

    /// Returns the row of an aggregate, as the fold of its whole history.
    async fn expected_row(&self, id: &str) -> String {
        let aggregate = AggregateId::Order(id.parse().unwrap());
        let history = self
            .projectors
            .store
            .whole_history(&aggregate)
            .await
            .unwrap();
        let version = history.last().unwrap().version();
        let events = history
            .iter()
            .flat_map(|commit| commit.decoded::<Order>().unwrap());
        let state = Order::default().folded(events);
        let row = projectors::processed_orders::row(&state, version, &self.projectors.environment);
        let row = row.unwrap();
        Json::Object(row).to_string()
    }
}
