//! The tables of read models, and what a row's key is.

use domain::{Json, json::Object};
use lambda::read_models::Kind;

/// The sort key of the row that says how a shipment stands. It sorts behind every time.
pub const CURRENT: &str = "CURRENT";

/// A row of a read model, by attribute name.
pub type Row = Object;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The read model of orders.
    ProcessedOrders,
    /// The read model of shipments.
    ShipmentLog,
    /// Aggregates that a consumer of the stream has stopped at.
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
    /// The end of its name, as in `infra/tables.json`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::ProcessedOrders => "processed-orders",
            Self::ShipmentLog => "shipment-log",
            Self::Parked => "parked",
        }
    }

    /// The attributes that are its key: the partition key, and where there is one the sort key.
    pub fn key_names(self) -> &'static [&'static str] {
        match self {
            Self::ProcessedOrders => &["orderId"],
            Self::ShipmentLog => &["shipmentId", "entry"],
            Self::Parked => &["id"],
        }
    }

    /// A row's key, partition and sort; the sort key is empty where the table has none.
    pub fn key_of(self, row: &Row) -> [String; 2] {
        let text = |place: usize| match self.key_names().get(place).and_then(|name| row.get(*name))
        {
            Some(Json::String(text)) => text.clone(),
            _ => String::new(),
        };
        [text(0), text(1)]
    }

    /// A key as [`Table::key_of`] says it.
    pub fn key(self, partition: &str, sort: &str) -> Row {
        let parts = self.key_names().iter().zip([partition, sort]);
        parts
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect()
    }

    /// The name of the aggregate that a row is of.
    pub fn aggregate(self, row: &Row) -> String {
        let [id, _] = self.key_of(row);
        match self {
            Self::ProcessedOrders => format!("order#{id}"),
            Self::ShipmentLog => format!("shipment#{id}"),
            Self::Parked => id,
        }
    }
}
