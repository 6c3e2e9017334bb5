//! The events table.

use std::sync::Arc;

use async_trait::async_trait;
use event_store::{
    commit::Item,
    memory::MemoryTable,
    table::{CommitTable, Page, Put, Unavailable},
};

use super::{after, before};
use crate::{
    core::Core,
    defects::{self, Defect, plain},
    platform::{Platform, aggregate_of},
};

/// The most commits on a page of a scan.
const PAGE_MAX: usize = 12;

/// The events table under this world's faults.
pub struct SimTable {
    /// The world's choices, time and faults.
    pub core: Core,
    /// The stored commits.
    pub table: Arc<MemoryTable>,
    /// The platform, whose stream gets every written commit.
    pub platform: Arc<Platform>,
    /// The digests that the planted defect `PlainDigest` puts into commits; else empty.
    pub digests: plain::Digests,
}

fn unavailable() -> Unavailable {
    Unavailable("fault".to_owned())
}

#[async_trait]
impl CommitTable for SimTable {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let key = || format!("{:?} {:?}", item["aggregate"], item["sequence"]);
        self.core.count_put();
        if !before(&self.core, || format!("put {}", key())).await {
            return Err(unavailable());
        }
        let item = defects::alter_written(&self.core, &self.digests, item);
        let put = match self.core.defect {
            Some(Defect::LostCondition) => {
                self.table.overwrite(item.clone())?;
                Put::Written
            }
            Some(Defect::UnstoredAnswer) if self.core.choose(20) == 0 => return Ok(Put::Written),
            _ => self.table.put_new(item.clone()).await?,
        };
        if put == Put::Written {
            self.platform.written(&self.core, item.clone());
            if self.core.defect == Some(Defect::DoubledWrite)
                && let Some(copy) = defects::copy_behind(&item)
                && self.table.put_new(copy.clone()).await? == Put::Written
            {
                self.platform.written(&self.core, copy);
            }
        }
        if !after(&self.core).await {
            return Err(unavailable());
        }
        match (put, self.core.defect) {
            (Put::Occupied(_), Some(Defect::SwallowedConflict)) => Ok(Put::Written),
            (put, _) => Ok(put),
        }
    }

    async fn newest(
        &self,
        aggregate: &str,
        below: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("newest {aggregate}")).await {
            return Err(unavailable());
        }
        let page = self.table.newest(aggregate, below, limit).await?;
        match after(&self.core).await {
            true => Ok(defects::alter_newest(&self.core, page)),
            false => Err(unavailable()),
        }
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("oldest {aggregate}")).await {
            return Err(unavailable());
        }
        let page = self.table.oldest(aggregate, from, limit).await?;
        match after(&self.core).await {
            true => Ok(defects::alter_oldest(&self.core, page)),
            false => Err(unavailable()),
        }
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        behind: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("segment {segment}")).await {
            return Err(unavailable());
        }
        let mut page = self.table.segment(segment, segments, behind).await?;
        // Pages are short, so that the commits of an aggregate lie on more than one.
        let length = 1 + self.core.choose(PAGE_MAX);
        if page.items.len() > length {
            page.items.truncate(length);
            page.more = true;
        }
        if self.core.defect == Some(Defect::LostAtPageEnd) && behind.is_some() {
            defects::without_first(&mut page.items, aggregate_of);
        }
        match after(&self.core).await {
            true => Ok(page),
            false => Err(unavailable()),
        }
    }
}
