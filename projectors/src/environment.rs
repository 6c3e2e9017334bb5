//! What a row holds of its environment: beside the history, all that it follows from.

use domain::Json;
use lambda::{ReadModel, Shards, read_models::Kind};

/// An environment, as rows know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `dev`, `staging`, `prod` …
    pub name: String,
    /// Over how many partitions its indexes are spread.
    pub shards: Shards,
    /// The generation of `processed-orders` that rows are for. All have one shape until one needs
    /// another: then the pure function that makes the row asks for it here.
    pub processed_orders: u32,
    /// The generation of `shipment-log` that rows are for.
    pub shipment_log: u32,
}

impl Environment {
    /// An environment that is not spread.
    pub fn of_one_shard(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shards: Shards::ONE,
            processed_orders: 1,
            shipment_log: 1,
        }
    }

    /// The same with the generation of a read model.
    pub fn with(mut self, model: ReadModel) -> Self {
        match model.kind {
            Kind::ProcessedOrders => self.processed_orders = model.generation,
            Kind::ShipmentLog => self.shipment_log = model.generation,
        }
        self
    }

    /// The read model of this kind that rows are for.
    pub fn model(&self, kind: Kind) -> ReadModel {
        let generation = match kind {
            Kind::ProcessedOrders => self.processed_orders,
            Kind::ShipmentLog => self.shipment_log,
        };
        ReadModel { kind, generation }
    }

    /// The partition of `value` in which the order or shipment `id` stands: `<value>#<shard>`.
    pub(crate) fn partition(&self, value: &str, id: &str) -> Json {
        Shards::partition(value, self.shards.of(id)).into()
    }
}
