//! The results of a retry.

use std::fmt;

use serde::Serialize;

use crate::{dead_letters::DeadLetter, limits::REASON_CHARACTERS, recent::FileId};

/// The kind of thing that was retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RetriedKind {
    /// A parked order or shipment, at which a consumer had stopped.
    Parked,
    /// An object of the bucket: a batch that a consumer of the stream had failed to handle.
    Stream,
    /// A message of the queue: an event, an order or a file that a function had failed to handle.
    Message,
}

impl fmt::Display for RetriedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Parked => "parked",
            Self::Stream => "stream",
            Self::Message => "message",
        })
    }
}

/// One parked aggregate or dead letter that was retried, with the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// The kind of thing.
    pub kind: RetriedKind,
    /// Its name: consumer and aggregate, an object's key, or a message's id.
    pub name: String,
    /// The orders, shipments or files that it is about, as `order#<orderId>` or a key; empty where
    /// the content does not tell it. At most [`ABOUT_MAX`](crate::limits::ABOUT_MAX).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// Whether the retry has succeeded, so that it is removed.
    pub done: bool,
    /// Why the retry has failed, for an operator; at most [`REASON_CHARACTERS`] characters. `None`
    /// where it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The result of the command in the dead letter. It is known only where this one dead letter
    /// was retried, and not always.
    #[serde(rename = "came", skip_serializing_if = "Option::is_none")]
    pub result: Option<CommandResult>,
}

/// The result of a command that its function was given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandResult {
    /// The command has made an event, in this attempt or in an earlier one.
    Accepted {
        /// The aggregate of the event, such as `order#A-1`.
        aggregate: String,
        /// The type of the event.
        kind: String,
        /// The sequence of the event; of the last one where the command has made several.
        sequence: u64,
    },
    /// The command was refused again, and this is the new dead letter.
    Refused(Box<DeadLetter>),
    /// The dead letter was a file: its import has started and may still be running.
    File(FileId),
    /// The command has made no event: the aggregate already is as the command asks.
    #[serde(rename = "nothing")]
    Unchanged {
        /// The aggregate, such as `order#A-1`.
        aggregate: String,
        /// The aggregate's version: the sequence of its last event.
        version: u64,
    },
}

/// The result of one retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryResult {
    /// It has succeeded, and the parked entry or dead letter is removed.
    Done,
    /// It has failed for this reason, and will fail again unless something changes.
    Stays(String),
    /// It has failed, since a service could not be reached.
    Unreachable(String),
}

/// A dead letter that was retried: what it is about, and the result.
pub(crate) struct Tried {
    /// The orders, shipments or files that it is about.
    pub(crate) about: Vec<String>,
    pub(crate) result: RetryResult,
}

impl RetryResult {
    /// This result as reports contain it.
    pub(crate) fn into_retried(
        self,
        kind: RetriedKind,
        name: String,
        about: Vec<String>,
    ) -> Retried {
        let reason = match self {
            Self::Done => None,
            Self::Stays(reason) | Self::Unreachable(reason) => {
                Some(reason.chars().take(REASON_CHARACTERS).collect::<String>())
            }
        };
        Retried {
            kind,
            name,
            about,
            done: reason.is_none(),
            reason,
            result: None,
        }
    }
}
