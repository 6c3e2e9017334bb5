//! One command's events: one item, written once.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    AggregateId, Digest, EventSourced, Timestamp,
    event::{EncodedEvent, place_of},
};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};
use sha2::{Digest as _, Sha256};

use crate::{limits::CAUSE_TEXT_BYTES_MAX, size::item_bytes};

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

impl Cause {
    /// The same, with every text bounded to [`CAUSE_TEXT_BYTES_MAX`], whoever has filled it: each
    /// stands in the commit and most in its messages, and what is accepted must fit them all.
    ///
    /// A longer text is replaced by its digest, so that equal ones stay equal. None of the ways in
    /// makes one that long by itself; a sender can, in an event or an invocation.
    pub fn bounded(mut self) -> Self {
        let texts = [
            &mut self.command_id,
            &mut self.actor,
            &mut self.source,
            &mut self.correlation_id,
            &mut self.causation_id,
        ];
        for text in texts {
            if text.len() > CAUSE_TEXT_BYTES_MAX {
                *text = format!("sha256/{}", Digest::of(&text.as_str().into()).as_str());
            }
        }
        self.traceparent = self
            .traceparent
            .filter(|text| text.len() <= CAUSE_TEXT_BYTES_MAX);
        self
    }
}

/// The state after a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The state's shape; one of another shape is passed over.
    pub shape: String,
    /// The state, as JSON.
    pub state: String,
    /// A [`Trace`] of every commit so far, its own included, in order.
    #[serde(with = "serde_bytes")]
    pub traces: Vec<u8>,
}

impl Snapshot {
    /// Bytes that it adds to its commit's item.
    pub fn bytes(&self) -> Result<usize, Unreadable> {
        let members: Item = to_item(self).map_err(unreadable)?;
        let alone = Item::from([(SNAPSHOT.to_owned(), AttributeValue::M(members))]);
        Ok(item_bytes(&alone))
    }
}

/// What remains of an old commit in a snapshot: four bytes each of its command id and its digest,
/// hashed. Enough to say "never seen"; what seems seen is confirmed in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace([u8; Trace::BYTES]);

impl Trace {
    /// Bytes of a trace.
    pub const BYTES: usize = 8;

    /// Of a commit with this cause.
    pub fn of(cause: &Cause) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&short_hash(&cause.command_id));
        bytes[4..].copy_from_slice(&short_hash(cause.digest.as_str()));
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a commit is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// The id of the command that made it.
    Command(&'a str),
    /// The content of the command that made it.
    Content(&'a Digest),
}

impl Mark<'_> {
    /// Does this commit bear it?
    pub fn is_on(self, commit: &Commit) -> bool {
        match self {
            Self::Command(id) => commit.cause.command_id == id,
            Self::Content(digest) => commit.cause.digest == *digest,
        }
    }

    /// May the commit with this trace bear it?
    pub fn may_be_on(self, trace: &[u8]) -> bool {
        match self {
            Self::Command(id) => trace.get(..4) == Some(&short_hash(id)),
            Self::Content(digest) => {
                trace.get(4..Trace::BYTES) == Some(&short_hash(digest.as_str()))
            }
        }
    }
}

fn short_hash(text: &str) -> [u8; 4] {
    let hash = Sha256::digest(text);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// An item that is no commit: damaged, or written by newer code. The text goes to logs, and so
/// holds nothing of the item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable commit: {0}")]
pub struct Unreadable(pub String);

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

    /// Its events, read.
    pub fn decoded<A: EventSourced>(&self) -> Result<Vec<A::Event>, Unreadable> {
        let decoded = self.events.iter().map(A::decode).collect::<Result<_, _>>();
        decoded.map_err(|error| Unreadable(error.to_string()))
    }

    /// As an item.
    pub fn to_item(&self) -> Result<Item, Unreadable> {
        let events = serde_json::to_string(&self.events).map_err(unreadable)?;
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
        .map_err(unreadable)
    }

    /// From an item.
    pub fn from_item(item: Item) -> Result<Self, Unreadable> {
        let stored: StoredCommit = from_item(item)
            .map_err(|_| Unreadable("its attributes are not those of a commit".to_owned()))?;
        let events: Vec<EncodedEvent> =
            serde_json::from_str(&stored.events).map_err(|e| Unreadable(place_of(&e)))?;
        if events.is_empty() || stored.sequence == 0 {
            return Err(Unreadable("no events, or a sequence of zero".to_owned()));
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

fn unreadable(error: impl std::fmt::Display) -> Unreadable {
    Unreadable(error.to_string())
}
