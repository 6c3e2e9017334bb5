//! The few things that are asked of a table.

use async_trait::async_trait;

use crate::commit::Item;

/// The table answers no, not yet, or not at all. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table unavailable: {0}")]
pub struct Unavailable(pub String);

/// What became of a put.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// The item is written.
    Written,
    /// Another item has the key: this one.
    Occupied(Item),
}

/// A part of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// May more follow?
    pub more: bool,
    /// What a page of a scan has cost, in halves of a read unit; a scan with eventual consistency
    /// is charged by those. Other pages are not counted here.
    pub half_units: u64,
}

/// A table of commits.
#[async_trait]
pub trait CommitTable: Send + Sync {
    /// Writes an item whose key was never written.
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable>;

    /// An aggregate's items below sequence `before`, newest first, at most `limit`; sees every
    /// write that was acknowledged.
    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable>;

    /// An aggregate's items from sequence `from`, oldest first, at most `limit`; sees every write
    /// that was acknowledged.
    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable>;

    /// Items of one of `segments` parts of the table, after the item `after`; an aggregate lies in
    /// one segment, its items in order. It may miss the latest writes.
    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable>;
}
