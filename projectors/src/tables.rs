//! The tables of rows, and the keys of their rows.

use domain::{Json, json::Object};
use lambda::read_models::Kind;

/// The sort key of the row with a shipment's present state. It sorts after every time.
pub const CURRENT: &str = "CURRENT";

/// A row: the values of its attributes by their names.
pub type Row = Object;

/// A table of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The read model of orders.
    ProcessedOrders,
    /// The read model of shipments.
    ShipmentLog,
    /// The parked aggregates, at which a consumer of the stream has stopped.
    Parked,
}

impl From<Kind> for Table {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ProcessedOrders => Self::ProcessedOrders,
            Kind::ShipmentLog => Self::ShipmentLog,
        }
    }
}

impl Table {
    /// The end of the table's name, as in `infra/tables.json`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::ProcessedOrders => "processed-orders",
            Self::ShipmentLog => "shipment-log",
            Self::Parked => "parked",
        }
    }

    /// The names of the key attributes: the partition key, and the sort key where there is one.
    pub fn key_names(self) -> &'static [&'static str] {
        match self {
            Self::ProcessedOrders => &["orderId"],
            Self::ShipmentLog => &["shipmentId", "entry"],
            Self::Parked => &["id"],
        }
    }

    /// The partition key and the sort key of a row; the sort key is empty where the table has none.
    pub fn key_of(self, row: &Row) -> [String; 2] {
        let text = |index: usize| match self.key_names().get(index).and_then(|name| row.get(*name))
        {
            Some(Json::String(text)) => text.clone(),
            _ => String::new(),
        };
        [text(0), text(1)]
    }

    /// A row with the key attributes only, from keys as [`Table::key_of`] returns them.
    pub fn key(self, partition: &str, sort: &str) -> Row {
        let parts = self.key_names().iter().zip([partition, sort]);
        parts
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect()
    }

    /// The name of the aggregate that a row belongs to, such as `order#<orderId>`.
    pub fn aggregate(self, row: &Row) -> String {
        let [id, _] = self.key_of(row);
        match self {
            Self::ProcessedOrders => format!("order#{id}"),
            Self::ShipmentLog => format!("shipment#{id}"),
            Self::Parked => id,
        }
    }
}
