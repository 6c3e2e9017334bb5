//! The names of an environment's resources: `waybill-<env>-<role>`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{ReadModel, ReadModels, Shards};

/// The tables' keys and indexes, read by the Rust code and by the CDK app.
const TABLES: &str = include_str!("../../tables.json");

/// The alias by which the gateway of the HTTP API, and nobody else, may invoke the functions behind
/// it. `infra/cdk/stacks/gateway_alias.py` creates it.
pub const GATEWAY_ALIAS: &str = "live";

/// The names of all resources of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    environment: String,
}

/// A table as `infra/tables.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// The end of the table's name, after `waybill-<env>-`.
    pub suffix: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key, where the table has one.
    pub sort_key: Option<Key>,
    /// The stream's view type, such as `NEW_AND_OLD_IMAGES`; `None` where the table has no stream.
    pub stream: Option<String>,
    /// The table's global secondary indexes, including those that only some environments have.
    #[serde(default)]
    pub indexes: Vec<Index>,
}

/// A global secondary index. An item that lacks one of its key attributes is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Its name, unique in its table.
    pub name: String,
    /// The partition key. An attribute that ends in `Shard` holds `<value>#<shard>`, as
    /// [`Shards::partition`] writes it; any other is not spread.
    pub partition_key: Key,
    /// The sort key.
    pub sort_key: Key,
    /// The attributes that the index projects beside the keys; all attributes where this is
    /// missing.
    pub include: Option<Vec<String>>,
    /// The environments that have the index; all of them where this is missing.
    pub only_with: Option<OnlyWith>,
}

/// A condition on the number of an environment's shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnlyWith {
    /// Environments with one shard.
    OneShard,
    /// Environments with more than one shard.
    MoreShards,
}

impl Table {
    /// The indexes of the table in an environment with this number of shards.
    pub fn indexes(&self, shards: Shards) -> impl Iterator<Item = &Index> {
        self.indexes
            .iter()
            .filter(move |index| match index.only_with {
                None => true,
                Some(OnlyWith::OneShard) => shards.count() == 1,
                Some(OnlyWith::MoreShards) => shards.count() > 1,
            })
    }
}

/// A key attribute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// The attribute's name.
    pub name: String,
    /// The attribute's DynamoDB type, `S` or `N`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The name of an environment does not match `^[a-z0-9-]{1,20}$`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment {0:?}: 1 to 20 of a-z, 0-9 and '-'")]
pub struct InvalidEnvironment(pub String);

impl Names {
    /// Names for `environment`, which must match `^[a-z0-9-]{1,20}$`.
    pub fn new(environment: &str) -> Result<Self, InvalidEnvironment> {
        let valid = (1..=20).contains(&environment.len())
            && environment
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !valid {
            return Err(InvalidEnvironment(environment.to_owned()));
        }
        Ok(Self {
            environment: environment.to_owned(),
        })
    }

    /// The name of the environment.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// `waybill-<env>-<suffix>`: the name of a function by its role, or of a table by its suffix.
    pub fn of(&self, suffix: &str) -> String {
        format!("waybill-{}-{suffix}", self.environment)
    }

    /// The table of the keys of personal data.
    pub fn keys(&self) -> String {
        self.of("keys")
    }

    /// The alias of the KMS key that wraps the keys of personal data.
    pub fn personal_data_key(&self) -> String {
        format!("alias/{}", self.of("personal-data"))
    }

    /// The table of the event store.
    pub fn events(&self) -> String {
        self.of("events")
    }

    /// The table of the read model of orders.
    pub fn processed_orders(&self) -> String {
        self.of("processed-orders")
    }

    /// The table of the read model of shipments.
    pub fn shipment_log(&self) -> String {
        self.of("shipment-log")
    }

    /// The table of parked aggregates, at which a consumer of the stream has stopped.
    pub fn parked(&self) -> String {
        self.of("parked")
    }

    /// The event bus.
    pub fn bus(&self) -> String {
        format!("waybill-{}", self.environment)
    }

    /// The SNS topic for alerts, by name; its ARN needs region and account.
    pub fn alerts(&self) -> String {
        self.of("alerts")
    }

    /// The bucket for order files and their reports, in the account with this number: bucket names
    /// are shared by all accounts.
    pub fn orders_bucket(&self, account: &str) -> String {
        self.of(&format!("orders-{account}"))
    }

    /// The bucket for the dead letters of the stream's consumers, in the account with this number.
    pub fn dead_letters_bucket(&self, account: &str) -> String {
        self.of(&format!("dead-letters-{account}"))
    }

    /// The secret for the webhooks of a carrier's provider, by name.
    pub fn carrier_secret(&self, provider: &str) -> String {
        format!("waybill/{}/carriers/{provider}", self.environment)
    }
}

/// All tables, by their keys in `infra/tables.json`.
pub fn tables() -> Result<BTreeMap<String, Table>, serde_json::Error> {
    serde_json::from_str(TABLES)
}

/// The tables of an environment with these read models. A later generation of a read model has the
/// keys and indexes under its own suffix in `infra/tables.json`, or else those of the first
/// generation.
pub fn tables_of(models: &ReadModels) -> Result<Vec<Table>, serde_json::Error> {
    let described: Vec<Table> = tables()?.into_values().collect();
    let with = |suffix: &str| described.iter().find(|table| table.suffix == suffix);
    let is_model = |table: &&Table| table.suffix.parse::<ReadModel>().is_ok();
    let others = described.iter().filter(|table| !is_model(table)).cloned();
    let models = models.all().iter().filter_map(|model| {
        let suffix = model.to_string();
        let table = with(&suffix).or_else(|| with(model.kind.name()))?;
        Some(Table {
            suffix,
            ..table.clone()
        })
    });
    Ok(others.chain(models).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_environment() -> Result<(), InvalidEnvironment> {
        let names = Names::new("dev")?;
        assert_eq!(names.events(), "waybill-dev-events");
        assert_eq!(names.bus(), "waybill-dev");
        assert_eq!(names.of("api"), "waybill-dev-api");
        assert_eq!(
            names.orders_bucket("000000000000"),
            "waybill-dev-orders-000000000000"
        );
        assert_eq!(
            names.dead_letters_bucket("000000000000"),
            "waybill-dev-dead-letters-000000000000"
        );
        assert_eq!(
            names.carrier_secret("easypost"),
            "waybill/dev/carriers/easypost"
        );
        Ok(())
    }

    #[test]
    fn an_environment_that_cannot_be_part_of_a_name_is_refused() {
        for bad in ["", "Dev", "a_b", "x/y", "123456789012345678901"] {
            assert_eq!(Names::new(bad), Err(InvalidEnvironment(bad.to_owned())));
        }
    }

    #[test]
    fn a_later_generation_has_a_table_of_its_own() -> Result<(), Box<dyn std::error::Error>> {
        let models = "processed-orders,processed-orders-v2,shipment-log".parse()?;
        let tables = tables_of(&models)?;
        let keys = |suffix: &str| {
            let table = tables.iter().find(|table| table.suffix == suffix);
            table.map(|table| (table.partition_key.clone(), table.indexes.clone()))
        };
        assert_eq!(tables.len(), 6);
        assert!(keys("processed-orders-v2").is_some());
        assert_eq!(keys("processed-orders-v2"), keys("processed-orders"));
        Ok(())
    }

    #[test]
    fn the_described_tables_are_the_named_ones() -> Result<(), Box<dyn std::error::Error>> {
        let names = Names::new("dev")?;
        let mut described: Vec<String> = tables()?
            .values()
            .map(|table| names.of(&table.suffix))
            .collect();
        described.sort();
        let mut named = [
            names.events(),
            names.processed_orders(),
            names.shipment_log(),
            names.parked(),
            names.keys(),
        ];
        named.sort();
        assert_eq!(described, named);
        Ok(())
    }
}
