//! Which read models an environment has. One of another shape or key is another generation beside
//! the old (`processed-orders-v2`): projected live, filled by a rebuild, and then read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Read models that an environment may have.
const READ_MODELS_MAX: usize = 6;

/// What a read model is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Orders: a row each.
    ProcessedOrders,
    /// Shipments: a row for each update, and one for how it stands.
    ShipmentLog,
}

impl Kind {
    /// What its tables' names end in, behind `waybill-<env>-` and before a generation.
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
    /// What it is of.
    pub kind: Kind,
    /// 1, or the number behind `-v`.
    pub generation: u32,
}

/// The read models of an environment: all are projected, and the first of each kind is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadModels(Vec<ReadModel>);

/// A text that names no read model, or no list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReadModel {
    /// No read model.
    #[error("{0:?}: processed-orders or shipment-log was expected, or either with -v2, -v3 …")]
    Name(String),
    /// A list that an environment cannot work with.
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
    /// The one of this kind that is read.
    pub fn read(&self, kind: Kind) -> ReadModel {
        let of_kind = self.0.iter().find(|model| model.kind == kind);
        of_kind.copied().unwrap_or(ReadModel::first(kind))
    }

    /// Those beside the ones that are read.
    pub fn beside(&self) -> impl Iterator<Item = ReadModel> {
        let others = self.0.iter().copied();
        others.filter(|model| self.read(model.kind) != *model)
    }

    /// All of them.
    pub fn all(&self) -> &[ReadModel] {
        &self.0
    }
}

impl FromStr for ReadModels {
    type Err = InvalidReadModel;

    /// Names, with commas between them.
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
        let beside: Vec<String> = models.beside().map(String::from).collect();
        assert_eq!(beside, ["processed-orders"]);
        assert_eq!(models.to_string().parse(), Ok(models));
        assert_eq!(ReadModels::default().beside().count(), 0);
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
