//! The interface of a table of commits.

use async_trait::async_trait;

use crate::item::Item;

/// A call of the table failed: throttled, timed out or refused. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table is unavailable: {0}")]
pub struct Unavailable(pub String);

/// The result of a put.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// The item is written.
    Written,
    /// Nothing is written: this other item has the key.
    Occupied(Item),
}

/// One page of a query's or scan's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Whether another page may follow.
    pub more: bool,
    /// The cost of a page of a scan, in halves of a read unit, by which a scan with eventual
    /// consistency is charged. It is 0 for pages of a query.
    pub half_units: u64,
}

/// A table of commits.
#[async_trait]
pub trait CommitTable: Send + Sync {
    /// Writes an item on condition that its key does not exist.
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable>;

    /// Queries an aggregate's items below sequence `before`, newest first, at most `limit`. The
    /// read is consistent: it sees every acknowledged write.
    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable>;

    /// Queries an aggregate's items from sequence `from` on, oldest first, at most `limit`. The
    /// read is consistent: it sees every acknowledged write.
    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable>;

    /// Scans one of `segments` parts of the table, continuing after the item `after`. All items of
    /// an aggregate lie in one segment, in order. The read is eventually consistent: it may miss
    /// the latest writes.
    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable>;
}
