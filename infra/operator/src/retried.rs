//! What became of what was taken up again.

use std::fmt;

use serde::Serialize;

use crate::limits::REASON_CHARACTERS;

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
}

/// What became of one thing that was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It is done, and gone.
    Done,
    /// It stays, and will again unless something changes.
    Stays(String),
    /// It stays, since something could not be reached.
    Unreachable(String),
}

impl Became {
    /// As it is told.
    pub(crate) fn of(self, kind: RetriedKind, name: String) -> Retried {
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
        }
    }
}
