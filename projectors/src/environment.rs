//! What a row holds of its environment: beside the history, all that it follows from.

use domain::Json;
use lambda::Shards;

/// An environment, as rows know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `dev`, `staging`, `prod` …
    pub name: String,
    /// Over how many partitions its indexes are spread.
    pub shards: Shards,
}

impl Environment {
    /// An environment that is not spread.
    pub fn of_one_shard(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shards: Shards::ONE,
        }
    }

    /// The partition of `value` in which the order or shipment `id` stands: `<value>#<shard>`.
    pub(crate) fn partition(&self, value: &str, id: &str) -> Json {
        Shards::partition(value, self.shards.of(id)).into()
    }
}
