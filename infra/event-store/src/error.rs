//! What the event store cannot do, and commits that it cannot read.

use domain::{AggregateId, event::Undecodable};

use crate::{limits::ITEM_BYTES_MAX, table::Unavailable};

/// Why a call of the event store failed. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The table is unavailable; the call can be repeated.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The history is damaged or has a gap; it is never repaired by a guess.
    #[error("corrupt history of {aggregate} at {sequence}: {reason}")]
    Corrupt {
        /// The aggregate whose history it is.
        aggregate: AggregateId,
        /// The sequence of the damaged or missing commit.
        sequence: u64,
        /// What is wrong, for logs.
        reason: String,
    },
    /// The history has an event that newer code has written. It is not damaged, but can only be
    /// read by a newer build.
    #[error("history of {aggregate} by newer code, at {sequence}: {reason}")]
    Newer {
        /// The aggregate whose history it is.
        aggregate: AggregateId,
        /// The sequence of the event's commit.
        sequence: u64,
        /// What this build does not know.
        reason: String,
    },
    /// The commit is larger than an item may be; it was not sent.
    #[error("a commit of {bytes} bytes, {ITEM_BYTES_MAX} at most")]
    TooLarge {
        /// The commit's size in bytes, as DynamoDB counts it.
        bytes: usize,
    },
    /// The aggregate has reached its limit of commits or of their bytes.
    #[error("the history of {0} is full")]
    HistoryFull(AggregateId),
}

/// The item is not a commit, or an event in it cannot be decoded: it is damaged, or newer code has
/// written it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable commit: {reason}")]
pub struct UnreadableCommit {
    /// What is wrong, without anything of the item's content, since it goes to logs.
    pub reason: String,
    /// Whether newer code seems to have written it.
    pub newer: bool,
}

impl UnreadableCommit {
    pub(crate) fn damaged(reason: impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            newer: false,
        }
    }

    /// The store's error about the commit of `aggregate` at `sequence`.
    pub fn of(self, aggregate: &AggregateId, sequence: u64) -> StoreError {
        let (aggregate, reason) = (aggregate.clone(), self.reason);
        match self.newer {
            true => StoreError::Newer {
                aggregate,
                sequence,
                reason,
            },
            false => StoreError::Corrupt {
                aggregate,
                sequence,
                reason,
            },
        }
    }
}

impl From<Undecodable> for UnreadableCommit {
    fn from(error: Undecodable) -> Self {
        Self {
            reason: error.to_string(),
            newer: error.newer,
        }
    }
}
