//! The interfaces of the projectors to the outside: the tables of rows, the event bus and the
//! alerts topic.

use async_trait::async_trait;
use domain::{Json, Number, Timestamp};
use lambda::trace::TraceParent;

use crate::indexes::Index;
pub use crate::tables::{Row, Table};

/// Why a call of a table of rows failed. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The table is unavailable; the call can be repeated.
    #[error("the table of rows is unavailable: {0}")]
    Unavailable(String),
    /// The table will never accept this row, for instance because it is too large.
    #[error("the table refused the row: {0}")]
    Refused(String),
}

/// One page of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowPage {
    /// The rows, ordered by their sort key.
    pub rows: Vec<Row>,
    /// Whether more rows may follow.
    pub more: bool,
}

/// One page of a scan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentPage {
    /// The rows; those with the same partition key are adjacent.
    pub rows: Vec<Row>,
    /// The key after which the scan continues; `None` after the last page.
    pub last: Option<Row>,
    /// The cost of the page, in halves of a read unit.
    pub half_units: u64,
}

/// The direction of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending, from the lowest sort key on.
    Up,
    /// Descending, from the highest sort key on.
    Down,
}

/// The position in a partition from which a list continues, in its direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The first entry.
    Beginning,
    /// The first entry with this sort key or a later one.
    At(String),
    /// The first entry after all those with this sort key.
    Behind(String),
    /// The entry after this one, whether this one still exists or not. Other entries may have the
    /// same sort key.
    After {
        /// The entry's sort key.
        sort: String,
        /// The id of the entry's order or shipment.
        id: String,
    },
}

/// The tables of rows.
#[async_trait]
pub trait Rows: Send + Sync {
    /// Writes a row, and overwrites an existing one.
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError>;

    /// Writes a row if there is none, or one with a lower `version`: a row never goes back to an
    /// older state.
    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError>;

    /// Writes a row that follows from a whole history. It replaces a row with the same or a lower
    /// `version`, a row with exactly the version `seen`, and a row whose version is not a number;
    /// otherwise nothing is written. So it also replaces a row that follows from no history.
    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        version: u64,
        seen: Option<Number>,
    ) -> Result<(), RowError>;

    /// Removes a row, unless its `version` has changed since it was read as `row`.
    async fn remove(&self, table: Table, row: Row) -> Result<(), RowError>;

    /// Writes a row if there is none. Returns the existing row otherwise, as it is at that moment.
    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError>;

    /// Reads the row with this key, with eventual consistency; that of a parked aggregate
    /// consistently.
    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError>;

    /// Reads a shipment's log entries after the entry `after`, in order, at most `limit`.
    async fn log(
        &self,
        shipment_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError>;

    /// Reads the rows with this partition key, with eventual consistency: in the order of their
    /// sort key, after the sort key `after`, at most `limit`.
    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError>;

    /// Scans one of `segments` parts of the table, with eventual consistency, after the key
    /// `after`.
    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError>;

    /// Reads entries of one partition of an index, with eventual consistency and with the
    /// attributes that the index contains: in the order of the sort key, at most `limit`. Entries
    /// with the same sort key have a stable order of the index's own, which is reversed in the
    /// other direction.
    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError>;
}

/// An event as it is announced on the event bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// The message's id, `<aggregate>/<sequence>/<detail-type>`, by which consumers recognise a
    /// repeat.
    pub id: String,
    /// The source of the message, such as `waybill.orders` or `waybill.shipments`.
    pub source: &'static str,
    /// The kind of the message, such as `Order Created`.
    pub detail_type: &'static str,
    /// The content of the message, a JSON object.
    pub detail: Json,
    /// The time of the event.
    pub at: Timestamp,
    /// The trace of the event's command, which EventBridge passes on to its targets.
    pub trace: Option<TraceParent>,
}

/// A message to people on the alerts topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The message's id, `<aggregate>/<sequence>/<detail-type>`, by which consumers recognise a
    /// repeat.
    pub id: String,
    /// The subject, at most 100 characters of ASCII.
    pub subject: String,
    /// The text, for people.
    pub body: String,
    /// Attributes, by which subscriptions can filter.
    pub attributes: Vec<(&'static str, String)>,
}

/// The result of sending one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The message is accepted.
    Accepted,
    /// The message was not accepted, and can be sent again. The text is for logs.
    Failed(String),
    /// It will never be accepted. The text is for logs.
    Refused(String),
}

/// An event bus. A call takes at most ten messages and returns a result for each of them, in order.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Announces events.
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent>;
}

/// A topic. A call takes at most ten messages and returns a result for each of them, in order.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Sends alerts.
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent>;
}
