//! The event store: appends commits and reads histories.

use std::sync::Arc;

use domain::AggregateId;

use crate::{
    commit::{Commit, Item, UnreadableCommit},
    error::StoreError,
    keys::Keys,
    limits::{HISTORY_PAGE, ITEM_BYTES_MAX, PAGES_MAX},
    size::item_bytes,
    snapshot::Policy,
    table::{CommitTable, Put},
};

/// The event store of all orders and shipments.
#[derive(Clone)]
pub struct EventStore {
    pub(crate) table: Arc<dyn CommitTable>,
    pub(crate) policy: Policy,
    pub(crate) keys: Option<Keys>,
}

/// The result of an append.
#[derive(Debug)]
pub enum Append {
    /// The commit is stored.
    Done,
    /// The commit is not stored: its key is taken by this one, a rival's or our own from an attempt
    /// whose answer was lost.
    Occupied(Box<Commit>),
}

/// One page of a history.
#[derive(Debug)]
pub struct HistoryPage {
    /// The commits of the page, oldest first.
    pub commits: Vec<Commit>,
    /// The sequence with which the next page begins; `None` after the last page.
    pub next: Option<u64>,
}

impl EventStore {
    /// The event store in `table`, with the default limits.
    pub fn new(table: Arc<dyn CommitTable>) -> Self {
        let policy = Policy::default();
        let keys = None;
        Self {
            table,
            policy,
            keys,
        }
    }

    /// The same store with the limits of `policy`.
    pub fn under(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Stores a commit on condition that its key does not exist. A commit that is too large is not
    /// sent.
    pub async fn append(&self, commit: &Commit) -> Result<Append, StoreError> {
        let corrupt = |error: UnreadableCommit| error.of(&commit.aggregate, commit.sequence);
        let item = commit.to_item().map_err(corrupt)?;
        let bytes = item_bytes(&item);
        if bytes > ITEM_BYTES_MAX {
            return Err(StoreError::TooLarge { bytes });
        }
        match self.table.put_new(item).await? {
            Put::Written => Ok(Append::Done),
            Put::Occupied(item) => {
                let occupant = Commit::from_item(item).map_err(corrupt)?;
                Ok(Append::Occupied(Box::new(occupant)))
            }
        }
    }

    /// Reads one page of an aggregate's history, at most `limit` commits, beginning with the commit
    /// at or after sequence `from`.
    pub async fn history(
        &self,
        aggregate: &AggregateId,
        from: u64,
        limit: u32,
    ) -> Result<HistoryPage, StoreError> {
        let limit = limit.clamp(1, HISTORY_PAGE);
        let page = self
            .table
            .oldest(&aggregate.to_string(), from, limit)
            .await?;
        let mut commits: Vec<Commit> = Vec::with_capacity(page.items.len());
        for item in page.items {
            let expected = commits.last().map(Commit::next_sequence);
            commits.push(read(aggregate, expected, item)?);
        }
        let next = commits
            .last()
            .filter(|_| page.more)
            .map(Commit::next_sequence);
        Ok(HistoryPage { commits, next })
    }

    /// Reads an aggregate's whole history, oldest commit first; empty where there is none.
    pub async fn whole_history(&self, aggregate: &AggregateId) -> Result<Vec<Commit>, StoreError> {
        let mut commits: Vec<Commit> = Vec::new();
        let mut from = 1;
        for _ in 0..PAGES_MAX {
            let page = self.history(aggregate, from, HISTORY_PAGE).await?;
            if let Some(first) = page.commits.first()
                && first.sequence != from
            {
                return Err(gap(aggregate, from, first.sequence));
            }
            commits.extend(page.commits);
            match page.next {
                Some(next) => from = next,
                None => return Ok(commits),
            }
        }
        Err(StoreError::HistoryFull(aggregate.clone()))
    }

    /// Finds the first commit at or after sequence `from` for which `is_it` is true.
    pub async fn find(
        &self,
        aggregate: &AggregateId,
        from: u64,
        is_it: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        // Where all commits before it have one event each, it begins at `from` exactly: read that
        // one first.
        let (mut from, mut limit) = (from, 1);
        for _ in 0..PAGES_MAX {
            let page = self.history(aggregate, from, limit).await?;
            let found = page.commits.into_iter().find(|commit| is_it(commit));
            match (found, page.next) {
                (Some(commit), _) => return Ok(Some(commit)),
                (None, None) => return Ok(None),
                (None, Some(next)) => (from, limit) = (next, HISTORY_PAGE),
            }
        }
        Err(StoreError::HistoryFull(aggregate.clone()))
    }
}

/// Reads a commit of `aggregate` from an item; an error where it does not begin with sequence
/// `expected`.
pub(crate) fn read(
    aggregate: &AggregateId,
    expected: Option<u64>,
    item: Item,
) -> Result<Commit, StoreError> {
    let sequence = item
        .get(crate::commit::SEQUENCE)
        .and_then(|value| value.as_n().ok()?.parse().ok())
        .unwrap_or_default();
    let commit = Commit::from_item(item).map_err(|error| error.of(aggregate, sequence))?;
    match expected {
        Some(expected) if expected != commit.sequence => {
            Err(gap(aggregate, expected, commit.sequence))
        }
        _ => Ok(commit),
    }
}

/// The error of a history that continues with sequence `found` instead of `expected`.
pub(crate) fn gap(aggregate: &AggregateId, expected: u64, found: u64) -> StoreError {
    StoreError::Corrupt {
        aggregate: aggregate.clone(),
        sequence: expected,
        reason: format!("sequence {expected} was expected, {found} was found"),
    }
}
