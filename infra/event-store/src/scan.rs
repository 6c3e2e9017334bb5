//! A scan over the whole event store, which yields every aggregate with its history.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::AggregateId;

use crate::{
    commit::{AGGREGATE, Commit, Item, SEQUENCE},
    error::StoreError,
    store::{EventStore, read},
};

/// One segment of a scan over the whole store.
pub struct Scan {
    store: EventStore,
    segment: u32,
    segments: u32,
    /// Items that were read and not yet yielded, newest first.
    waiting: Vec<Item>,
    /// The last item read, after which the next page begins.
    last: Option<Item>,
    more: bool,
    behind: Option<ScanPosition>,
    half_units: u64,
}

/// A position in a segment: after the last commit of an aggregate. A scan that begins here
/// continues where another one ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPosition {
    /// The aggregate's key, such as `order#<orderId>`.
    pub aggregate: String,
    /// The sequence with which the aggregate's last commit begins.
    pub sequence: u64,
}

/// An aggregate with its whole history.
#[derive(Debug)]
pub struct AggregateHistory {
    /// The aggregate's id.
    pub id: AggregateId,
    /// All its commits, oldest first.
    pub history: Vec<Commit>,
}

/// Why the scan could not yield an aggregate. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The table is unavailable, and the next call repeats the aggregate; or its history cannot be
    /// read, and the next call continues after it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is that of neither an order nor a shipment; the next call continues after its items.
    #[error("items of {0:?}, which is no aggregate")]
    NoAggregate(String),
}

impl EventStore {
    /// Scans segment `segment` of `segments` from its beginning, or from the position `behind` of
    /// another scan. All segments together cover the table once.
    ///
    /// The scan reads with eventual consistency, at half the price: commits written meanwhile may
    /// be missing at the end of a history.
    pub fn scan(&self, segment: u32, segments: u32, behind: Option<ScanPosition>) -> Scan {
        Scan {
            store: self.clone(),
            segment,
            segments,
            waiting: Vec::new(),
            last: behind.as_ref().map(ScanPosition::key),
            more: true,
            behind,
            half_units: 0,
        }
    }
}

impl Scan {
    /// The next aggregate with its whole history; `None` at the end. After an error about one
    /// aggregate the next call continues after it; after an unavailable table it tries the same one
    /// again.
    pub async fn next(&mut self) -> Option<Result<AggregateHistory, ScanError>> {
        let mut group: Vec<Item> = Vec::new();
        loop {
            if self.waiting.is_empty() && self.more {
                if let Err(error) = self.read_on().await {
                    // Nothing is lost: the items are put back, and the next call begins the group
                    // again.
                    self.waiting.extend(group.into_iter().rev());
                    return Some(Err(error.into()));
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
        let behind = group.last().map(ScanPosition::of);
        let whole = self.whole(group).await;
        if let Err(ScanError::Store(StoreError::Unavailable(_))) = whole {
            // Read again from after the last aggregate: this is rare, and simpler than keeping
            // items.
            self.waiting.clear();
            self.last = self.behind.as_ref().map(ScanPosition::key);
            self.more = true;
        } else {
            self.behind = behind;
        }
        Some(whole)
    }

    /// The position after the last aggregate that was yielded, or passed over with an error.
    pub fn behind(&self) -> Option<&ScanPosition> {
        self.behind.as_ref()
    }

    /// The cost of all pages so far, in halves of a read unit.
    pub fn half_units(&self) -> u64 {
        self.half_units
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let table = &self.store.table;
        let page = table
            .segment(self.segment, self.segments, self.last.as_ref())
            .await?;
        self.more = page.more;
        self.half_units += page.half_units;
        if let Some(last) = page.items.last() {
            self.last = Some(last.clone());
        }
        self.waiting = page.items;
        self.waiting.reverse();
        Ok(())
    }

    /// The history that `items` make. Where they are not all of it, the history is read from the
    /// table: DynamoDB yields an aggregate in one piece and in order, but does not promise it.
    async fn whole(&self, items: Vec<Item>) -> Result<AggregateHistory, ScanError> {
        let name = items.first().map(aggregate).unwrap_or_default();
        let id: AggregateId = name.parse().map_err(|_| ScanError::NoAggregate(name))?;
        let mut history: Vec<Commit> = Vec::with_capacity(items.len());
        let mut expected = 1;
        for item in items {
            let commit = read(&id, None, item)?;
            if commit.sequence != expected {
                let history = self.store.whole_history(&id).await?;
                return Ok(AggregateHistory { id, history });
            }
            expected = commit.next_sequence();
            history.push(commit);
        }
        Ok(AggregateHistory { id, history })
    }
}

impl ScanPosition {
    fn of(item: &Item) -> Self {
        let sequence = item.get(SEQUENCE).and_then(|value| value.as_n().ok());
        Self {
            aggregate: aggregate(item),
            sequence: sequence
                .and_then(|number| number.parse().ok())
                .unwrap_or_default(),
        }
    }

    fn key(&self) -> Item {
        let sequence = AttributeValue::N(self.sequence.to_string());
        Item::from([
            (
                AGGREGATE.to_owned(),
                AttributeValue::S(self.aggregate.clone()),
            ),
            (SEQUENCE.to_owned(), sequence),
        ])
    }
}

fn aggregate(item: &Item) -> String {
    let name = item.get(AGGREGATE).and_then(|value| value.as_s().ok());
    name.cloned().unwrap_or_default()
}

fn same_aggregate(one: &Item, other: &Item) -> bool {
    one.get(AGGREGATE) == other.get(AGGREGATE)
}
