//! Names of an environment's resources: `waybill-<env>-<role>`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{ReadModel, ReadModels, Shards};

/// The tables' keys and indexes, read by Rust and by the provisioning alike.
const TABLES: &str = include_str!("../../tables.json");

/// The alias by which the gateway of the HTTP API invokes the functions behind it, and by which it
/// alone may. (`infra/cdk/stacks/gateway_alias.py` makes it.)
pub const GATEWAY_ALIAS: &str = "live";

/// What everything of one environment is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    environment: String,
}

/// A table as `infra/tables.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// The end of the table's name, behind `waybill-<env>-`.
    pub suffix: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key, where the table has one.
    pub sort_key: Option<Key>,
    /// What the table's stream shows, where it has one.
    pub stream: Option<String>,
    /// The table's global secondary indexes, those of other environments included.
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
    /// The attributes that it shows beside the keys, its own and the table's; all of the item's
    /// where this is missing.
    pub include: Option<Vec<String>>,
    /// Which environments have it; all of them where this is missing.
    pub only_with: Option<OnlyWith>,
}

/// Environments by the number of their shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnlyWith {
    /// Those with one shard.
    OneShard,
    /// Those with more than one.
    MoreShards,
}

impl Table {
    /// The indexes that the table has in an environment of so many shards.
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
    /// Its DynamoDB type, `S` or `N`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An environment's name that cannot stand in a resource's name.
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

    /// The environment's name alone.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// `waybill-<env>-<suffix>`: a function by its role, or a table by its suffix.
    pub fn of(&self, suffix: &str) -> String {
        format!("waybill-{}-{suffix}", self.environment)
    }

    /// The event store.
    pub fn events(&self) -> String {
        self.of("events")
    }

    /// The read model of orders.
    pub fn processed_orders(&self) -> String {
        self.of("processed-orders")
    }

    /// The read model of shipments.
    pub fn shipment_log(&self) -> String {
        self.of("shipment-log")
    }

    /// Aggregates that a consumer of the stream has stopped at.
    pub fn parked(&self) -> String {
        self.of("parked")
    }

    /// The event bus.
    pub fn bus(&self) -> String {
        format!("waybill-{}", self.environment)
    }

    /// The topic for alerts, by name; its ARN needs region and account.
    pub fn alerts(&self) -> String {
        self.of("alerts")
    }

    /// The bucket for order files and their reports, in the account of this number; buckets share
    /// their names with all accounts.
    pub fn orders_bucket(&self, account: &str) -> String {
        self.of(&format!("orders-{account}"))
    }

    /// The bucket for what the stream's consumers have given up, in the account of this number.
    pub fn dead_letters_bucket(&self, account: &str) -> String {
        self.of(&format!("dead-letters-{account}"))
    }

    /// The secret of a provider of carriers' webhooks.
    pub fn carrier_secret(&self, provider: &str) -> String {
        format!("waybill/{}/carriers/{provider}", self.environment)
    }
}

/// Every table, by its key in `infra/tables.json`.
pub fn tables() -> Result<BTreeMap<String, Table>, serde_json::Error> {
    serde_json::from_str(TABLES)
}

/// The tables of an environment with these read models: a later generation of one has the keys and
/// indexes that stand under its own suffix, or where none do those of the first.
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
        assert_eq!(tables.len(), 5);
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
        ];
        named.sort();
        assert_eq!(described, named);
        Ok(())
    }
}
