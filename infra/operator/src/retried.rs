//! What became of what was taken up again.

use std::fmt;

use serde::Serialize;

use crate::{dead_letters::DeadLetter, limits::REASON_CHARACTERS, recent::FileId};

/// What kind of thing was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RetriedKind {
    /// An order or shipment that a consumer had stopped at.
    Parked,
    /// An object of the bucket: a batch that a consumer of the stream had given up.
    Stream,
    /// A message of the queue: an event, an order or a file that a function had given up.
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

/// One thing that was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// What it is.
    pub kind: RetriedKind,
    /// Which: consumer and aggregate, an object's key, or a message's id.
    pub name: String,
    /// Is it done, and gone?
    pub done: bool,
    /// Why it stays, for an operator; at most
    /// [`REASON_CHARACTERS`] characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What became of the command in it, where one dead letter alone was taken up and it is known.
    #[serde(rename = "came", skip_serializing_if = "Option::is_none")]
    pub result: Option<CommandResult>,
}

/// What became of a command that its function was given once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandResult {
    /// It has made an event; it may have made it at an earlier try.
    Accepted {
        /// Whose, such as `order#A-1`.
        aggregate: String,
        /// Which kind of event.
        kind: String,
        /// Its sequence, the last one where it has made several.
        sequence: u64,
    },
    /// It was refused again, and lies among the dead letters anew.
    Refused(Box<DeadLetter>),
    /// It was a file: its import has begun, and may go on.
    File(FileId),
    /// It has changed nothing, since all is as it asks.
    #[serde(rename = "nothing")]
    Unchanged {
        /// Whose last event is told, such as `order#A-1`.
        aggregate: String,
        /// The version of that.
        version: u64,
    },
}

/// What became of one thing that was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryResult {
    /// It is done, and gone.
    Done,
    /// It stays, and will again unless something changes.
    Stays(String),
    /// It stays, since something could not be reached.
    Unreachable(String),
}

impl RetryResult {
    /// As it is told.
    pub(crate) fn into_retried(self, kind: RetriedKind, name: String) -> Retried {
        let reason = match self {
            Self::Done => None,
            Self::Stays(reason) | Self::Unreachable(reason) => {
                Some(reason.chars().take(REASON_CHARACTERS).collect::<String>())
            }
        };
        Retried {
            kind,
            name,
            done: reason.is_none(),
            reason,
            result: None,
        }
    }
}
