//! Events tables with faults, as tests need them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use event_store::{
    Clock,
    commit::Item,
    table::{CommitTable, Page, Put, Unavailable},
};

/// A table that loses the answers to its first puts: they have their effect and answer
/// [`Unavailable`].
pub struct LosesAnswers {
    table: Arc<dyn CommitTable>,
    losses: AtomicU32,
}

impl LosesAnswers {
    /// Returns a table that loses the answers to the first `losses` puts of `table`.
    pub fn new(table: Arc<dyn CommitTable>, losses: u32) -> Self {
        Self {
            table,
            losses: AtomicU32::new(losses),
        }
    }
}

#[async_trait]
impl CommitTable for LosesAnswers {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let put = self.table.put_new(item).await;
        let lost = self
            .losses
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match lost {
            Ok(_) => Err(Unavailable("the answer was lost".to_owned())),
            Err(_) => put,
        }
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        self.table.newest(aggregate, before, limit).await
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        self.table.oldest(aggregate, from, limit).await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        self.table.segment(segment, segments, after).await
    }
}

/// A table that fails at one call of its scans, and has small pages.
pub struct FailsOnce {
    table: Arc<dyn CommitTable>,
    at: u32,
    page: usize,
    calls: AtomicU32,
}

impl FailsOnce {
    /// Returns a table whose call `at` of `segment`, counted from 1, fails. Pages have at most
    /// `page` items.
    pub fn new(table: Arc<dyn CommitTable>, at: u32, page: usize) -> Self {
        Self {
            table,
            at,
            page,
            calls: AtomicU32::new(0),
        }
    }

    /// Returns the number of calls of `segment` so far.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl CommitTable for FailsOnce {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        self.table.put_new(item).await
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        self.table.newest(aggregate, before, limit).await
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        self.table.oldest(aggregate, from, limit).await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            return Err(Unavailable("scripted".to_owned()));
        }
        let mut page = self.table.segment(segment, segments, after).await?;
        page.more |= page.items.len() > self.page;
        page.items.truncate(self.page);
        Ok(page)
    }
}

/// A table that answers late.
pub struct Slow {
    table: Arc<dyn CommitTable>,
    clock: Arc<dyn Clock>,
    call: Duration,
}

impl Slow {
    /// Returns `table`, of which every call takes this long by this clock.
    pub fn new(table: Arc<dyn CommitTable>, clock: Arc<dyn Clock>, call: Duration) -> Self {
        Self { table, clock, call }
    }
}

#[async_trait]
impl CommitTable for Slow {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        self.clock.sleep(self.call).await;
        self.table.put_new(item).await
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        self.clock.sleep(self.call).await;
        self.table.newest(aggregate, before, limit).await
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        self.clock.sleep(self.call).await;
        self.table.oldest(aggregate, from, limit).await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        self.clock.sleep(self.call).await;
        self.table.segment(segment, segments, after).await
    }
}
