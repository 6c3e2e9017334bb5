//! The values of an environment that rows hold. A row is a function of its history and of these.

use domain::Json;
use lambda::{ReadModel, Shards, read_models::Kind};

/// The values of an environment that rows hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The name, such as `dev`.
    pub name: String,
    /// The number of shards of its indexes.
    pub shards: Shards,
    /// The generation of `processed-orders` that the rows belong to. All generations have the same
    /// rows today; a later one with other rows makes the pure function of the row depend on this.
    pub processed_orders: u32,
    /// The generation of `shipment-log` that the rows belong to.
    pub shipment_log: u32,
}

impl Environment {
    /// An environment with one shard and the first generations.
    pub fn of_one_shard(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shards: Shards::ONE,
            processed_orders: 1,
            shipment_log: 1,
        }
    }

    /// The same environment with the generation of `model`.
    pub fn with(mut self, model: ReadModel) -> Self {
        match model.kind {
            Kind::ProcessedOrders => self.processed_orders = model.generation,
            Kind::ShipmentLog => self.shipment_log = model.generation,
        }
        self
    }

    /// The read model of this kind that the rows belong to.
    pub fn model(&self, kind: Kind) -> ReadModel {
        let generation = match kind {
            Kind::ProcessedOrders => self.processed_orders,
            Kind::ShipmentLog => self.shipment_log,
        };
        ReadModel { kind, generation }
    }

    /// The index partition of `value` that holds the order or shipment `id`: `<value>#<shard>`.
    pub(crate) fn partition(&self, value: &str, id: &str) -> Json {
        Shards::partition(value, self.shards.of(id)).into()
    }
}
