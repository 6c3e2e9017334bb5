//! The contract of the event store, held against every table there is: the one in memory and
//! DynamoDB. What holds for one and not for the other is no contract.

#![allow(clippy::unwrap_used, clippy::expect_used)]

/// Every promise, held against every table.
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

/// A table to hold against the contract, and what must live as long as it.
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
