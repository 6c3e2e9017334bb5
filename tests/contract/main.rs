//! The contract of the event store. Each test of it runs over both tables, the one in memory and
//! DynamoDB, so that the first can stand for the second in other tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

/// Makes two tests of each function: one over the table in memory, one over DynamoDB.
macro_rules! contract {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() { super::$promise(crate::World::in_memory()).await })*
        }
        mod on_dynamodb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() { super::$promise(crate::World::on_dynamodb().await).await })*
        }
    };
}

mod actors;
mod capacity;
mod damage;
mod event_store_contract;
mod full;
mod full_snapshots;
mod key_costs;
mod newer;
mod personal;
mod repeats;
mod scan;

use std::sync::Arc;

use event_store::{EventStore, Keys, memory::MemoryTable, table::CommitTable};
use support::embedded::Embedded;

/// A store under test with its table, and the DynamoDB that must live as long as they.
struct World {
    table: Arc<dyn CommitTable>,
    store: EventStore,
    _embedded: Option<Embedded>,
}

impl World {
    fn in_memory() -> Self {
        Self::of(Arc::new(MemoryTable::default()), None)
    }

    async fn on_dynamodb() -> Self {
        let embedded = Embedded::start().await;
        Self::of(embedded.events(), Some(embedded))
    }

    fn of(table: Arc<dyn CommitTable>, embedded: Option<Embedded>) -> Self {
        Self {
            store: EventStore::new(table.clone()).with_keys(Keys::in_memory()),
            table,
            _embedded: embedded,
        }
    }
}
