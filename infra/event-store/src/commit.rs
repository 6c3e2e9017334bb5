//! A commit: the events of one command, stored as one item that never changes.

use domain::{
    AggregateId, Digest, EventSourced, Timestamp,
    event::{EncodedEvent, position_of},
};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::{limits::CAUSE_TEXT_BYTES_MAX, snapshot::Snapshot};

pub use crate::{
    error::UnreadableCommit,
    item::{AGGREGATE, Item, SEQUENCE, SNAPSHOT},
};

/// The events of one command, stored atomically: all or none.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The aggregate that the events belong to.
    pub aggregate: AggregateId,
    /// The sequence of the first event, from 1 without gaps.
    pub sequence: u64,
    /// The commit's number within its aggregate, from 1 without gaps.
    pub ordinal: u32,
    /// The time at which the command was decided, never before that of the previous commit.
    pub at: Timestamp,
    /// The events, at least one.
    pub events: Vec<EncodedEvent>,
    /// Who and what caused the commit.
    pub cause: Cause,
    /// The state after the commit. It is there wherever it costs no further write unit, and at the
    /// latest in every eighth commit.
    pub snapshot: Option<Snapshot>,
}

/// Who and what caused a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The command's id. The same id again has no second effect.
    pub command_id: String,
    /// The digest of the command's content. The same id with another digest is refused.
    pub digest: Digest,
    /// The sender of the command, such as `anonymous` or `files/<bucket>`.
    pub actor: String,
    /// The trigger that the command came by, such as `http`, `invoke`, `bus` or `file`.
    pub source: String,
    /// The id that all commands and events of one business transaction share.
    pub correlation_id: String,
    /// The id of the request or event that led to the command.
    pub causation_id: String,
    /// The W3C `traceparent` of the command, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A sender's text, limited to [`CAUSE_TEXT_BYTES_MAX`] bytes: a longer one is replaced by its
/// digest, so that equal texts stay equal.
pub fn bounded(text: String) -> String {
    match text.len() > CAUSE_TEXT_BYTES_MAX {
        true => format!("sha256/{}", Digest::of(&text.into()).as_str()),
        false => text,
    }
}

impl Cause {
    /// The same cause with every text limited by [`bounded`]. Each text stands in the commit and
    /// most in its messages, and an accepted command must fit them all. No trigger makes a text
    /// that long by itself, but a sender can, in an event or an invocation.
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

/// The attributes of a commit's item.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCommit {
    aggregate: AggregateId,
    sequence: u64,
    ordinal: u32,
    at: Timestamp,
    /// The events as a JSON array. Its numbers keep their text, and it is smaller than a DynamoDB
    /// list.
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
    /// The sequence with which the next commit begins.
    pub fn next_sequence(&self) -> u64 {
        self.sequence + self.events.len() as u64
    }

    /// The sequence of the last event: the aggregate's version after this commit.
    pub fn version(&self) -> u64 {
        self.next_sequence() - 1
    }

    /// The bytes of its events and its cause, by which the size of a history is limited.
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

    /// Decodes the events. Fails where one is damaged, or written by newer code.
    pub fn decoded<A: EventSourced>(&self) -> Result<Vec<A::Event>, UnreadableCommit> {
        let decoded = self.events.iter().map(A::decode).collect::<Result<_, _>>();
        decoded.map_err(UnreadableCommit::from)
    }

    /// The commit as a DynamoDB item.
    pub fn to_item(&self) -> Result<Item, UnreadableCommit> {
        let events = serde_json::to_string(&self.events).map_err(UnreadableCommit::damaged)?;
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
        .map_err(UnreadableCommit::damaged)
    }

    /// Reads a commit from a DynamoDB item. Fails where the item is not a commit; its events are
    /// not decoded.
    pub fn from_item(item: Item) -> Result<Self, UnreadableCommit> {
        let stored: StoredCommit = from_item(item)
            .map_err(|_| UnreadableCommit::damaged("its attributes are not those of a commit"))?;
        let events: Vec<EncodedEvent> = serde_json::from_str(&stored.events)
            .map_err(|e| UnreadableCommit::damaged(position_of(&e)))?;
        if events.is_empty() || stored.sequence == 0 {
            return Err(UnreadableCommit::damaged(
                "no events, or a sequence of zero",
            ));
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
