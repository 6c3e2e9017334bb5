//! One command's events: one item, written once.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    AggregateId, Digest, EventSourced, Timestamp,
    event::{EncodedEvent, Undecodable, position_of},
};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::{limits::CAUSE_TEXT_BYTES_MAX, snapshot::Snapshot, store::StoreError};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The attributes that make the key.
pub const AGGREGATE: &str = "aggregate";
/// The sequence of the commit's first event.
pub const SEQUENCE: &str = "sequence";
/// The attribute that a snapshot rides in.
pub const SNAPSHOT: &str = "snapshot";

/// The events of one command, all or none of them stored.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Whose events they are.
    pub aggregate: AggregateId,
    /// The sequence of the first event, from 1 without gaps.
    pub sequence: u64,
    /// Which commit of its aggregate it is, from 1 without gaps.
    pub ordinal: u32,
    /// When it was decided, never before the commit before it.
    pub at: Timestamp,
    /// The events, at least one.
    pub events: Vec<EncodedEvent>,
    /// Who and what caused it.
    pub cause: Cause,
    /// The state after it, wherever it rides free, and at the latest in every eighth.
    pub snapshot: Option<Snapshot>,
}

/// Who and what caused a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The command's id: the same one again has no second effect.
    pub command_id: String,
    /// The command's content: the same id with another one is refused.
    pub digest: Digest,
    /// Who sent the command.
    pub actor: String,
    /// By which way it came in.
    pub source: String,
    /// What the whole chain of commands and events is about.
    pub correlation_id: String,
    /// The request or event that led to the command.
    pub causation_id: String,
    /// The W3C trace that the command belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A text that a sender names as a cause, of at most [`CAUSE_TEXT_BYTES_MAX`] bytes: a longer one is
/// replaced by its digest, so that equal ones stay equal.
pub fn bounded(text: String) -> String {
    match text.len() > CAUSE_TEXT_BYTES_MAX {
        true => format!("sha256/{}", Digest::of(&text.into()).as_str()),
        false => text,
    }
}

impl Cause {
    /// The same, with every text [`bounded`], whoever has filled it: each stands in the commit and
    /// most in its messages, and what is accepted must fit them all. None of the ways in makes one
    /// that long by itself; a sender can, in an event or an invocation.
    pub fn bounded(mut self) -> Self {
        let texts = [
            &mut self.command_id,
            &mut self.actor,
            &mut self.source,
            &mut self.correlation_id,
            &mut self.causation_id,
        ];
        for text in texts {
            *text = bounded(std::mem::take(text));
        }
        self.traceparent = self
            .traceparent
            .filter(|text| text.len() <= CAUSE_TEXT_BYTES_MAX);
        self
    }
}

/// An item that is no commit, or one with an event that cannot be read: damaged, or written by newer
/// code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable commit: {reason}")]
pub struct Unreadable {
    /// It goes to logs, and so holds nothing of the item.
    pub reason: String,
    /// Newer code has written it, as far as this code can tell.
    pub newer: bool,
}

impl Unreadable {
    pub(crate) fn damaged(reason: impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            newer: false,
        }
    }

    /// The error of a store in whose history of `aggregate` it stands at `sequence`.
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

impl From<Undecodable> for Unreadable {
    fn from(error: Undecodable) -> Self {
        Self {
            reason: error.to_string(),
            newer: error.newer,
        }
    }
}

/// How a commit lies in the table.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCommit {
    aggregate: AggregateId,
    sequence: u64,
    ordinal: u32,
    at: Timestamp,
    /// A JSON array: numbers keep their text, and it costs less than DynamoDB's own lists.
    events: String,
    command_id: String,
    digest: Digest,
    actor: String,
    source: String,
    correlation_id: String,
    causation_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Snapshot>,
}

impl Commit {
    /// The sequence that the next commit begins with.
    pub fn next_sequence(&self) -> u64 {
        self.sequence + self.events.len() as u64
    }

    /// The sequence of its last event: the version that it gave its aggregate.
    pub fn version(&self) -> u64 {
        self.next_sequence() - 1
    }

    /// Bytes of its events and of what caused them: what the size of a history is reckoned in.
    pub fn text_bytes(&self) -> u64 {
        let cause = &self.cause;
        let texts = [
            cause.command_id.as_str(),
            cause.digest.as_str(),
            &cause.actor,
            &cause.source,
            &cause.correlation_id,
            &cause.causation_id,
            cause.traceparent.as_deref().unwrap_or_default(),
        ];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        let event = |event: &EncodedEvent| event.kind.len() + event.data.get().len();
        let events: usize = self.events.iter().map(event).sum();
        (texts + events) as u64
    }

    /// Its events, read.
    pub fn decoded<A: EventSourced>(&self) -> Result<Vec<A::Event>, Unreadable> {
        let decoded = self.events.iter().map(A::decode).collect::<Result<_, _>>();
        decoded.map_err(Unreadable::from)
    }

    /// As an item.
    pub fn to_item(&self) -> Result<Item, Unreadable> {
        let events = serde_json::to_string(&self.events).map_err(Unreadable::damaged)?;
        let cause = self.cause.clone();
        to_item(StoredCommit {
            aggregate: self.aggregate.clone(),
            sequence: self.sequence,
            ordinal: self.ordinal,
            at: self.at,
            events,
            command_id: cause.command_id,
            digest: cause.digest,
            actor: cause.actor,
            source: cause.source,
            correlation_id: cause.correlation_id,
            causation_id: cause.causation_id,
            traceparent: cause.traceparent,
            snapshot: self.snapshot.clone(),
        })
        .map_err(Unreadable::damaged)
    }

    /// From an item.
    pub fn from_item(item: Item) -> Result<Self, Unreadable> {
        let stored: StoredCommit = from_item(item)
            .map_err(|_| Unreadable::damaged("its attributes are not those of a commit"))?;
        let events: Vec<EncodedEvent> = serde_json::from_str(&stored.events)
            .map_err(|e| Unreadable::damaged(position_of(&e)))?;
        if events.is_empty() || stored.sequence == 0 {
            return Err(Unreadable::damaged("no events, or a sequence of zero"));
        }
        Ok(Self {
            aggregate: stored.aggregate,
            sequence: stored.sequence,
            ordinal: stored.ordinal,
            at: stored.at,
            events,
            cause: Cause {
                command_id: stored.command_id,
                digest: stored.digest,
                actor: stored.actor,
                source: stored.source,
                correlation_id: stored.correlation_id,
                causation_id: stored.causation_id,
                traceparent: stored.traceparent,
            },
            snapshot: stored.snapshot,
        })
    }
}
