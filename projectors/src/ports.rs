//! What projectors ask of the world.

use async_trait::async_trait;
use domain::{Json, Number, Timestamp};
use lambda::trace::TraceParent;

use crate::indexes::Index;
pub use crate::tables::{Row, Table};

/// What a table cannot do. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Try again.
    #[error("rows unavailable: {0}")]
    Unavailable(String),
    /// It will never take this row.
    #[error("row refused: {0}")]
    Refused(String),
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowPage {
    /// Rows in the order of their sort key.
    pub rows: Vec<Row>,
    /// May more follow?
    pub more: bool,
}

/// A page of a scan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentPage {
    /// Rows; those with one partition key lie together.
    pub rows: Vec<Row>,
    /// The key that the scan goes on behind; `None` at its end.
    pub last: Option<Row>,
    /// What it has cost, in halves of a read unit.
    pub half_units: u64,
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest sort key on.
    Up,
    /// From the highest sort key on.
    Down,
}

/// Where in a partition a list goes on, in its direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the first entry.
    Beginning,
    /// With the first entry that has this sort key or comes behind it.
    At(String),
    /// Behind every entry that has this sort key.
    Behind(String),
    /// Behind this one entry, there or not; others may have the same sort key.
    After {
        /// Its sort key.
        sort: String,
        /// The id of its order or shipment.
        id: String,
    },
}

/// Tables of rows.
#[async_trait]
pub trait Rows: Send + Sync {
    /// Puts a row, whatever was there.
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError>;

    /// Puts a row where none is, or one of a lower `version`; a row never goes back.
    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError>;

    /// Puts a row where none is, or one of the same or a lower `version`, or the very version that
    /// was `seen`, or one whose version is no number: the fold of a history in place of whatever is
    /// no fold of it.
    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        version: u64,
        seen: Option<Number>,
    ) -> Result<(), RowError>;

    /// Removes a row, unless its `version` has changed since it was read as `row`.
    async fn remove(&self, table: Table, row: Row) -> Result<(), RowError>;

    /// Puts a row where none is; hands out the one that is, as of now.
    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError>;

    /// The row with this key, as of lately.
    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError>;

    /// A shipment's log entries after the entry `after`, in order, at most `limit`.
    async fn log(
        &self,
        shipment_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError>;

    /// All rows with this partition key, as of lately: in the order of their sort key, behind the
    /// sort key `after`, at most `limit`.
    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError>;

    /// Rows of one of `segments` parts of the table, as of lately, behind the key `after`.
    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError>;

    /// Entries of one partition of an index as of lately, with the attributes that the index
    /// shows: in the order of the sort key, at most `limit`. Entries with the same sort key are in
    /// an order of the index's own, which stays, and turns round with the direction.
    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError>;
}

/// An event as it is announced on the bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// `<aggregate>/<sequence>/<detail-type>`, for consumers to tell a repeat by.
    pub id: String,
    /// `waybill.orders` or `waybill.shipments`.
    pub source: &'static str,
    /// What happened.
    pub detail_type: &'static str,
    /// What it was about, an object.
    pub detail: Json,
    /// When it happened.
    pub at: Timestamp,
    /// The trace that it belongs to, for whoever hears of it.
    pub trace: Option<TraceParent>,
}

/// A text to the people on the topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// `<aggregate>/<sequence>/<detail-type>`, for consumers to tell a repeat by.
    pub id: String,
    /// At most 100 characters.
    pub subject: String,
    /// A readable text.
    pub body: String,
    /// Attributes to filter by.
    pub attributes: Vec<(&'static str, String)>,
}

/// What became of one message of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Accepted,
    /// Try again. The text is for logs.
    Failed(String),
    /// It will never be accepted. The text is for logs.
    Refused(String),
}

/// An event bus. A call takes at most ten messages and answers for each of them, in order.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Announces events.
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent>;
}

/// A topic. A call takes at most ten messages and answers for each of them, in order.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Sends alerts.
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent>;
}
