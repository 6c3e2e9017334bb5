//! The table of commits in memory, for tests. It passes the same contract suite as the one on AWS.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;

use crate::{
    commit::{AGGREGATE, Item, SEQUENCE},
    size::item_bytes,
    table::{CommitTable, Page, Put, Unavailable},
};

/// The most bytes of a page: DynamoDB cuts one at 1 MB.
const PAGE_BYTES: usize = 1024 * 1024;

type Key = (String, u64);

/// A table of commits in memory.
#[derive(Debug, Default)]
pub struct MemoryTable {
    items: Mutex<BTreeMap<Key, Item>>,
}

impl MemoryTable {
    /// Writes an item, whether its key exists or not. Only tests do this, for instance to damage a
    /// commit.
    pub fn overwrite(&self, item: Item) -> Result<(), Unavailable> {
        self.items().insert(key(&item)?, item);
        Ok(())
    }

    /// All items, ordered by aggregate and sequence.
    pub fn all(&self) -> Vec<Item> {
        self.items().values().cloned().collect()
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<Key, Item>> {
        self.items
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn key(item: &Item) -> Result<Key, Unavailable> {
    let aggregate = item.get(AGGREGATE).and_then(|value| value.as_s().ok());
    let sequence = item
        .get(SEQUENCE)
        .and_then(|value| value.as_n().ok()?.parse().ok());
    match (aggregate, sequence) {
        (Some(aggregate), Some(sequence)) => Ok((aggregate.clone(), sequence)),
        _ => Err(Unavailable("the item lacks a key attribute".to_owned())),
    }
}

/// One page, cut as DynamoDB would cut it: at most `limit` items, and not beyond 1 MB.
fn page<'a>(items: impl Iterator<Item = &'a Item>, limit: usize) -> Page {
    let mut page = Page::default();
    let mut bytes = 0;
    for item in items {
        if page.items.len() == limit || bytes > PAGE_BYTES {
            page.more = true;
            break;
        }
        bytes += item_bytes(item);
        page.items.push(item.clone());
    }
    page
}

#[async_trait]
impl CommitTable for MemoryTable {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let key = key(&item)?;
        let mut items = self.items();
        if let Some(occupant) = items.get(&key) {
            return Ok(Put::Occupied(occupant.clone()));
        }
        items.insert(key, item);
        Ok(Put::Written)
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        let (from, to) = (
            (aggregate.to_owned(), 0),
            (aggregate.to_owned(), before.unwrap_or(u64::MAX)),
        );
        let items = self.items();
        Ok(page(
            items.range(from..to).rev().map(|(_, item)| item),
            limit as usize,
        ))
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        let (from, to) = (
            (aggregate.to_owned(), from),
            (aggregate.to_owned(), u64::MAX),
        );
        let items = self.items();
        Ok(page(
            items.range(from..to).map(|(_, item)| item),
            limit as usize,
        ))
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        let after = after.map(key).transpose()?;
        let in_segment = |key: &Key| {
            let mut hasher = DefaultHasher::new();
            key.0.hash(&mut hasher);
            hasher.finish() % u64::from(segments.max(1)) == u64::from(segment)
        };
        let items = self.items();
        let rest = items
            .iter()
            .filter(|(key, _)| in_segment(key) && after.as_ref().is_none_or(|after| *key > after));
        let mut page = page(rest.map(|(_, item)| item), usize::MAX);
        // An eventually consistent read costs half a read unit for each 4 KB, rounded up.
        let bytes: usize = page.items.iter().map(item_bytes).sum();
        page.half_units = bytes.div_ceil(4 * 1024) as u64;
        Ok(page)
    }
}
