//! Every aggregate there is.

use domain::AggregateId;

use crate::{
    commit::{AGGREGATE, Commit, Item},
    store::{EventStore, StoreError, read},
};

/// One segment of a scan over the whole store.
pub struct Scan {
    store: EventStore,
    segment: u32,
    segments: u32,
    /// Items that were read and not yet handed out, newest first.
    waiting: Vec<Item>,
    last: Option<Item>,
    more: bool,
}

/// An aggregate with its whole history.
#[derive(Debug)]
pub struct Whole {
    /// Which one.
    pub id: AggregateId,
    /// All its commits, oldest first.
    pub history: Vec<Commit>,
}

impl EventStore {
    /// Scans segment `segment` of `segments`. Run together, the segments pass over the table once.
    ///
    /// It reads with eventual consistency, at half the price: what is written meanwhile may be
    /// missing at the end of a history.
    pub fn scan(&self, segment: u32, segments: u32) -> Scan {
        Scan {
            store: self.clone(),
            segment,
            segments,
            waiting: Vec::new(),
            last: None,
            more: true,
        }
    }
}

impl Scan {
    /// The next aggregate, whole; `None` at the end. After an error about one aggregate the next
    /// call goes on with the one behind it; after an unavailable table it goes on where it was.
    pub async fn next(&mut self) -> Option<Result<Whole, StoreError>> {
        let mut group: Vec<Item> = Vec::new();
        loop {
            if self.waiting.is_empty() && self.more {
                if let Err(error) = self.read_on().await {
                    // Nothing is lost: the group begins anew when it is read again.
                    self.waiting.extend(group.into_iter().rev());
                    return Some(Err(error));
                }
                continue;
            }
            match self.waiting.pop() {
                Some(item)
                    if group
                        .first()
                        .is_none_or(|first| same_aggregate(first, &item)) =>
                {
                    group.push(item);
                }
                Some(item) => {
                    self.waiting.push(item);
                    break;
                }
                None if group.is_empty() => return None,
                None => break,
            }
        }
        Some(self.whole(group).await)
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let table = &self.store.table;
        let page = table
            .segment(self.segment, self.segments, self.last.as_ref())
            .await?;
        self.more = page.more;
        if let Some(last) = page.items.last() {
            self.last = Some(last.clone());
        }
        self.waiting = page.items;
        self.waiting.reverse();
        Ok(())
    }

    /// The history that `items` are, or, where they are not all of it, the history as it is stored:
    /// DynamoDB hands an aggregate out in one piece and in order, but does not promise it.
    async fn whole(&self, items: Vec<Item>) -> Result<Whole, StoreError> {
        let name = items
            .first()
            .and_then(|item| item.get(AGGREGATE)?.as_s().ok().cloned());
        let name = name.unwrap_or_default();
        let id: AggregateId = name.parse().map_err(|_| {
            crate::table::Unavailable(format!("an item whose aggregate is {name:?}"))
        })?;
        let mut history: Vec<Commit> = Vec::with_capacity(items.len());
        let mut expected = 1;
        for item in items {
            let commit = read(&id, None, item)?;
            if commit.sequence != expected {
                let history = self.store.whole_history(&id).await?;
                return Ok(Whole { id, history });
            }
            expected = commit.next_sequence();
            history.push(commit);
        }
        Ok(Whole { id, history })
    }
}

fn same_aggregate(one: &Item, other: &Item) -> bool {
    one.get(AGGREGATE) == other.get(AGGREGATE)
}
