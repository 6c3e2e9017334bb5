//! The history of an order or shipment: every event, its cause, and its messages.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    AggregateId, Erasures, EventSourced, Json, Order, Shipment, Timestamp,
    event::{EncodedEvent, Undecodable},
};
use event_store::{
    Commit, StoreError,
    commit::{Item, SEQUENCE},
    dynamodb::DynamoDbTable,
    table::CommitTable,
};
use serde::Serialize;

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{HISTORY_PAGE, HISTORY_PAGES_MAX},
    messages::{self, Message},
};

/// A history. It contains an entry for each event that cannot be read, too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// The order or shipment.
    pub aggregate: AggregateId,
    /// The events, by sequence.
    pub events: Vec<HistoryEvent>,
}

/// An event. Its JSON is what the HTTP API shows of it. The version and the messages are for
/// operators only: this value has them, its JSON has not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    /// The event's sequence, from 1; 0 where even that cannot be read.
    pub sequence: u64,
    /// The event's type, such as `OrderPlaced`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The version of the type in which the data are written, from 1.
    #[serde(skip)]
    pub version: Option<u32>,
    /// The time at which it was committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The event's data, with numbers as they were written. They may contain what customers have
    /// sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// The actor that sent the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The trigger that the command came by, such as `http`, `invoke`, `bus` or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The id of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// The correlation id, which all commands and events of one chain share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The id of the request or event that caused the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// Why the event, or a part of it, cannot be read, for an operator: a damaged commit, an event
    /// of newer code, or a gap before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The event's messages, whether or not they were sent; none where it cannot be read.
    #[serde(skip)]
    pub messages: Vec<Message>,
}

impl History {
    /// The number of entries that cannot be read.
    pub fn unreadable(&self) -> u64 {
        let unreadable = |event: &&HistoryEvent| event.unreadable.is_some();
        self.events.iter().filter(unreadable).count() as u64
    }
}

/// Reads the history of an order or shipment. With `at`, commits after that time are left out.
/// Fails with `NotFound` where there are no events.
pub async fn history(
    environment: &Environment,
    id: &AggregateId,
    at: Option<Timestamp>,
) -> Result<History, OperatorError> {
    let events = events(environment, id, at).await?;
    if events.is_empty() {
        let then = at.map_or(String::new(), |at| format!(" by {at}"));
        return Err(OperatorError::NotFound(format!("{id} has no events{then}")));
    }
    Ok(History {
        aggregate: id.clone(),
        events,
    })
}

async fn events(
    environment: &Environment,
    id: &AggregateId,
    at: Option<Timestamp>,
) -> Result<Vec<HistoryEvent>, OperatorError> {
    let table = environment.names.events();
    let table: Arc<dyn CommitTable> =
        Arc::new(DynamoDbTable::new(environment.dynamodb.clone(), table));
    let (mut events, mut expected, mut from) = (Vec::new(), Some(1), 1);
    for _ in 0..HISTORY_PAGES_MAX {
        let page = table.oldest(&id.to_string(), from, HISTORY_PAGE).await;
        let page = page.map_err(|error| OperatorError::of_call(error.to_string()))?;
        for item in page.items {
            let sequence = sequence(&item);
            from = from.max(sequence + 1);
            let commit = Commit::from_item(item);
            if at.is_some_and(|at| commit.as_ref().is_ok_and(|commit| commit.at > at)) {
                return Ok(events);
            }
            if let Some(expected) = expected.filter(|expected| *expected != sequence) {
                let reason = format!("a commit that begins with {expected} was expected");
                events.push(HistoryEvent::unreadable(sequence, reason));
            }
            // The number of events in an unreadable commit is not known, nor is the sequence that
            // follows.
            expected = commit.as_ref().ok().map(Commit::next_sequence);
            match commit {
                Ok(commit) => match environment.projectors.store.opened(vec![commit]).await {
                    Ok(opened) => {
                        let read = |commit| of_commit(environment, id, commit);
                        events.extend(opened.iter().flat_map(read));
                    }
                    Err(StoreError::Unavailable(error)) => {
                        return Err(OperatorError::Unavailable(error.to_string()));
                    }
                    Err(error) => {
                        events.push(HistoryEvent::unreadable(sequence, error.to_string()));
                    }
                },
                Err(error) => {
                    events.push(HistoryEvent::unreadable(sequence, error.to_string()));
                }
            }
        }
        if !page.more {
            return Ok(events);
        }
    }
    Err(OperatorError::TooMany(format!(
        "the history of {id} has more than {HISTORY_PAGES_MAX} pages"
    )))
}

fn sequence(item: &Item) -> u64 {
    let number = item.get(SEQUENCE).and_then(|value| value.as_n().ok());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// A commit's events with their messages. An event that this code cannot decode has the reason in
/// `unreadable`.
fn of_commit(environment: &Environment, id: &AggregateId, commit: &Commit) -> Vec<HistoryEvent> {
    // Where no messages can be made, an event of the commit cannot be read and says so itself.
    let messages = messages::of_commit(environment, commit).unwrap_or_default();
    let mut by_event: BTreeMap<u64, Vec<Message>> = BTreeMap::new();
    for message in messages {
        by_event.entry(message.sequence).or_default().push(message);
    }
    let mut events = read(id, commit);
    for event in &mut events {
        event.messages = by_event.remove(&event.sequence).unwrap_or_default();
    }
    events
}

fn read(id: &AggregateId, commit: &Commit) -> Vec<HistoryEvent> {
    let numbered = commit.events.iter().zip(commit.sequence..);
    let read = numbered.map(|(event, sequence)| {
        let data = Json::parse(event.data.get()).map_err(|error| error.to_string())?;
        let decoded = match id {
            AggregateId::Order(_) => decoded::<Order>(event),
            AggregateId::Shipment(_) => decoded::<Shipment>(event),
            AggregateId::Erasure(_) => decoded::<Erasures>(event),
        };
        let cause = commit.cause.clone();
        Ok(HistoryEvent {
            sequence,
            kind: Some(event.kind.clone()),
            version: Some(event.version),
            at: Some(commit.at),
            data: Some(data),
            actor: Some(cause.actor),
            source: Some(cause.source),
            command_id: Some(cause.command_id),
            correlation_id: Some(cause.correlation_id),
            causation_id: Some(cause.causation_id),
            unreadable: decoded.err().map(|error| error.to_string()),
            messages: Vec::new(),
        })
    });
    let read: Result<Vec<HistoryEvent>, String> = read.collect();
    read.unwrap_or_else(|reason| vec![HistoryEvent::unreadable(commit.sequence, reason)])
}

fn decoded<A: EventSourced>(event: &EncodedEvent) -> Result<(), Undecodable> {
    A::decode(event).map(drop)
}

impl HistoryEvent {
    /// The entry for an event that cannot be read.
    pub fn unreadable(sequence: u64, reason: String) -> Self {
        Self {
            sequence,
            kind: None,
            version: None,
            at: None,
            data: None,
            actor: None,
            source: None,
            command_id: None,
            correlation_id: None,
            causation_id: None,
            unreadable: Some(reason),
            messages: Vec::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_event_says_why_and_nothing_else() {
        let json = serde_json::to_string(&HistoryEvent::unreadable(7, "damaged".to_owned()));
        assert_eq!(json.unwrap(), r#"{"sequence":7,"unreadable":"damaged"}"#);
    }
}
