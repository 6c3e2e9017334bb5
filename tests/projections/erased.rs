//! Erasures: rows of an erased customer say so, whatever the order in which things happen.

use commands::erase::erase;
use domain::{AggregateId, Digest, Json, order, personal::Owner};
use event_store::SystemClock;
use projectors::{Role, ports::Table, rebuild::aggregate::examine};
use support::{
    clock::Standing,
    envelopes::{cause, placing, placing_for, to_order},
    stream::batch,
};

use crate::World;

const NAME: &str = "Zoe Quill";

async fn forget(world: &World) {
    let owner = Owner::Customer("customer123".to_owned());
    let cause = cause("erase", Digest::of(&Json::Null));
    let store = &world.projectors.store;
    erase(store, &SystemClock, &owner, cause).await.unwrap();
}

fn row(world: &World, id: &str) -> Json {
    let key = Table::ProcessedOrders.key(id, "");
    let row = world.rows.row(Table::ProcessedOrders, &key);
    Json::Object(row.unwrap())
}
