//! The read models of an environment. A read model with other rows or keys is a new generation
//! beside the old one (`processed-orders-v2`): it is projected, filled by a rebuild, and then
//! queried instead of the old one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most read models of an environment.
const READ_MODELS_MAX: usize = 6;

/// The kind of a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Orders of every status, one row each; the table's name is older than that.
    ProcessedOrders,
    /// Shipments: one row for each update, and one with the present state.
    ShipmentLog,
}

impl Kind {
    /// The end of its tables' names, after `waybill-<env>-` and before the generation.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessedOrders => "processed-orders",
            Self::ShipmentLog => "shipment-log",
        }
    }
}

/// A read model: `processed-orders`, `shipment-log`, or a later generation of them, such as
/// `processed-orders-v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReadModel {
    /// Whether it holds orders or shipments.
    pub kind: Kind,
    /// The generation: 1, or the number after `-v`.
    pub generation: u32,
}

/// The read models of an environment: all are projected, and the first of each kind is queried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadModels(Vec<ReadModel>);

/// The text is not the name of a read model, or not a valid list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReadModel {
    /// The name of no read model.
    #[error("{0:?}: processed-orders or shipment-log was expected, or either with -v2, -v3 …")]
    Name(String),
    /// A list that lacks a kind, has a read model twice, or is too long.
    #[error(
        "at least one of processed-orders and of shipment-log, each once, {READ_MODELS_MAX} at most"
    )]
    List,
}

impl ReadModel {
    /// The first generation of a kind.
    pub fn first(kind: Kind) -> Self {
        Self {
            kind,
            generation: 1,
        }
    }
}

impl fmt::Display for ReadModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.generation {
            1 => Ok(()),
            generation => write!(f, "-v{generation}"),
        }
    }
}

impl FromStr for ReadModel {
    type Err = InvalidReadModel;

    fn from_str(text: &str) -> Result<Self, InvalidReadModel> {
        let of = |kind: Kind| {
            let generation = match text.strip_prefix(kind.name())? {
                "" => 1,
                more => more.strip_prefix("-v")?.parse().ok()?,
            };
            Some(Self { kind, generation })
        };
        [Kind::ProcessedOrders, Kind::ShipmentLog]
            .into_iter()
            .find_map(of)
            // Written as it is printed: no `-v1`, no `-v02`.
            .filter(|model| model.to_string() == text && model.generation > 0)
            .ok_or_else(|| InvalidReadModel::Name(text.to_owned()))
    }
}

impl TryFrom<String> for ReadModel {
    type Error = InvalidReadModel;

    fn try_from(text: String) -> Result<Self, InvalidReadModel> {
        text.parse()
    }
}

impl From<ReadModel> for String {
    fn from(model: ReadModel) -> Self {
        model.to_string()
    }
}

impl Default for ReadModels {
    fn default() -> Self {
        Self(vec![
            ReadModel::first(Kind::ProcessedOrders),
            ReadModel::first(Kind::ShipmentLog),
        ])
    }
}

impl ReadModels {
    /// The read model of this kind that is queried.
    pub fn read(&self, kind: Kind) -> ReadModel {
        let of_kind = self.0.iter().find(|model| model.kind == kind);
        of_kind.copied().unwrap_or(ReadModel::first(kind))
    }

    /// The read models that are projected but not queried.
    pub fn additional(&self) -> impl Iterator<Item = ReadModel> {
        let others = self.0.iter().copied();
        others.filter(|model| self.read(model.kind) != *model)
    }

    /// All read models, in the order of the setting.
    pub fn all(&self) -> &[ReadModel] {
        &self.0
    }
}

impl FromStr for ReadModels {
    type Err = InvalidReadModel;

    /// Parses names with commas between them.
    fn from_str(text: &str) -> Result<Self, InvalidReadModel> {
        let models: Vec<ReadModel> = text
            .split(',')
            .map(|name| name.trim().parse())
            .collect::<Result<_, _>>()?;
        let has = |kind| models.iter().any(|model| model.kind == kind);
        let mut different = models.clone();
        different.sort_unstable();
        different.dedup();
        let valid = has(Kind::ProcessedOrders)
            && has(Kind::ShipmentLog)
            && different.len() == models.len()
            && models.len() <= READ_MODELS_MAX;
        match valid {
            true => Ok(Self(models)),
            false => Err(InvalidReadModel::List),
        }
    }
}

impl fmt::Display for ReadModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ReadModel::to_string).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_is_read() -> Result<(), InvalidReadModel> {
        let models: ReadModels = "processed-orders-v2, shipment-log,processed-orders".parse()?;
        assert_eq!(models.read(Kind::ProcessedOrders).generation, 2);
        assert_eq!(models.read(Kind::ShipmentLog).generation, 1);
        let additional: Vec<String> = models.additional().map(String::from).collect();
        assert_eq!(additional, ["processed-orders"]);
        assert_eq!(models.to_string().parse(), Ok(models));
        assert_eq!(ReadModels::default().additional().count(), 0);
        Ok(())
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "orders",
            "processed-orders-v",
            "processed-orders-v1",
            "shipment-log-v02",
            "",
        ] {
            assert!(bad.parse::<ReadModel>().is_err(), "{bad}");
        }
        for bad in [
            "processed-orders",
            "processed-orders,shipment-log,shipment-log",
            "",
        ] {
            assert!(bad.parse::<ReadModels>().is_err(), "{bad}");
        }
    }
}
