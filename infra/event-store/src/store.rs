//! Append a commit, read a history.

use std::sync::Arc;

use domain::AggregateId;

use crate::{
    commit::{Commit, Item, Unreadable},
    limits::{HISTORY_PAGE, ITEM_BYTES_MAX, PAGES_MAX},
    size::item_bytes,
    snapshot::Policy,
    table::{CommitTable, Put, Unavailable},
};

/// The event store: every commit of every order and shipment.
#[derive(Clone)]
pub struct EventStore {
    pub(crate) table: Arc<dyn CommitTable>,
    pub(crate) policy: Policy,
}

/// What became of an append.
#[derive(Debug)]
pub enum Append {
    /// The commit is stored.
    Done,
    /// Its place is taken by this one: a rival's, or our own from an attempt whose answer was lost.
    Occupied(Box<Commit>),
}

/// What the event store cannot do. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Try again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A history that cannot be read, or has a gap: nobody guesses at it.
    #[error("corrupt history of {aggregate} at {sequence}: {reason}")]
    Corrupt {
        /// Whose history.
        aggregate: AggregateId,
        /// Where.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// A history with an event that newer code has written: this build can do nothing with it until
    /// it is replaced by one that can. It is not damaged.
    #[error("history of {aggregate} by newer code, at {sequence}: {reason}")]
    Newer {
        /// Whose history.
        aggregate: AggregateId,
        /// Where its commit begins.
        sequence: u64,
        /// What is not known.
        reason: String,
    },
    /// A commit beyond what an item may hold; it was not sent.
    #[error("a commit of {bytes} bytes, {ITEM_BYTES_MAX} at most")]
    TooLarge {
        /// Its size as DynamoDB counts it.
        bytes: usize,
    },
    /// The aggregate has as many commits as it may have, or they take as much.
    #[error("the history of {0} is full")]
    HistoryFull(AggregateId),
}

/// A part of a history.
#[derive(Debug)]
pub struct HistoryPage {
    /// Commits, oldest first.
    pub commits: Vec<Commit>,
    /// The sequence that the next part begins with, if there may be one.
    pub next: Option<u64>,
}

impl EventStore {
    /// The store in `table`.
    pub fn new(table: Arc<dyn CommitTable>) -> Self {
        let policy = Policy::default();
        Self { table, policy }
    }

    /// The same store, with other bounds.
    pub fn under(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Stores a commit, if its place is free. Sends nothing that is too large.
    pub async fn append(&self, commit: &Commit) -> Result<Append, StoreError> {
        let corrupt = |error: Unreadable| error.of(&commit.aggregate, commit.sequence);
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

    /// A part of an aggregate's history, from the commit at or after sequence `from`; at most
    /// `limit` commits.
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

    /// An aggregate's whole history, oldest first; empty where there is none.
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

    /// The first commit that `is_it`, looked for from sequence `from` on.
    pub async fn find(
        &self,
        aggregate: &AggregateId,
        from: u64,
        is_it: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        // A commit of one event stands where its fingerprint says: the first look is for just that one.
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

/// Reads an item of `aggregate` that should begin with sequence `expected`.
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

/// The history of `aggregate` goes on at `found`, not at `expected`.
pub(crate) fn gap(aggregate: &AggregateId, expected: u64, found: u64) -> StoreError {
    StoreError::Corrupt {
        aggregate: aggregate.clone(),
        sequence: expected,
        reason: format!("sequence {expected} was expected, {found} was found"),
    }
}
