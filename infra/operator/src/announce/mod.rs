//! Announcing: the messages of events that were sent before are sent again, with the same ids, so a
//! consumer that has received one already recognises the repeat.

use domain::AggregateId;
use event_store::Commit;
use projectors::{limits::HISTORY_PAGES_MAX, notify, rebuild::RebuildError};
use serde::Serialize;

mod period;

pub use period::{PeriodOptions, PeriodReport, PeriodRun, period_price};

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{HISTORY_PAGE, PREVIEWED_MESSAGES_MAX},
    messages::{self, Messages, no_events},
};

/// The events of one order or shipment that were announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedOne {
    /// The order or shipment.
    pub aggregate: AggregateId,
    /// The events begin with the first commit whose first event has this sequence or a higher one.
    pub from_sequence: u64,
    /// The sequence of the last event.
    pub to_sequence: u64,
}

/// The messages that [`one`] would send, at most [`PREVIEWED_MESSAGES_MAX`]. Fails as [`one`] does.
pub async fn preview(
    environment: &Environment,
    id: &AggregateId,
    from_sequence: u64,
) -> Result<Messages, OperatorError> {
    messages::of_history(environment, id, from_sequence, PREVIEWED_MESSAGES_MAX).await
}

/// Sends the messages of an order or shipment, from the first commit on whose first event has the
/// sequence `from_sequence` or a higher one. Fails with `NotFound` where it has no such events, and
/// with `Corrupt` where one of them cannot be read or its message will never be accepted: the
/// events before that one are announced.
pub async fn one(
    environment: &Environment,
    id: &AggregateId,
    from_sequence: u64,
) -> Result<AnnouncedOne, OperatorError> {
    let behind = notify::history(&environment.projectors, id, from_sequence).await?;
    if behind == from_sequence {
        return Err(no_events(id, from_sequence));
    }
    Ok(AnnouncedOne {
        aggregate: id.clone(),
        from_sequence,
        to_sequence: behind - 1,
    })
}

/// The messages that [`event`] would send. Fails as [`event`] does.
pub async fn preview_event(
    environment: &Environment,
    id: &AggregateId,
    sequence: u64,
) -> Result<Messages, OperatorError> {
    let commit = commit_of(environment, id, sequence).await?;
    let mut found = Messages::default();
    match messages::of_commit(environment, &commit) {
        Ok(messages) => found.messages = messages,
        Err(refused) => found.refused.push(refused),
    }
    Ok(found)
}

/// Sends the messages of one event and of all other events in the same commit. Fails with
/// `NotFound` where there is no such event, and with `Corrupt` where its commit cannot be read or a
/// message will never be accepted.
pub async fn event(
    environment: &Environment,
    id: &AggregateId,
    sequence: u64,
) -> Result<AnnouncedOne, OperatorError> {
    let commit = commit_of(environment, id, sequence).await?;
    let (from_sequence, to_sequence) = (commit.sequence, commit.next_sequence() - 1);
    notify::commits(&environment.projectors, vec![commit]).await?;
    Ok(AnnouncedOne {
        aggregate: id.clone(),
        from_sequence,
        to_sequence,
    })
}

/// The commit that contains an event.
async fn commit_of(
    environment: &Environment,
    id: &AggregateId,
    sequence: u64,
) -> Result<Commit, OperatorError> {
    let mut next = 1;
    for _ in 0..HISTORY_PAGES_MAX {
        let history = environment.projectors.store.history(id, next, HISTORY_PAGE);
        let page = history.await.map_err(RebuildError::from)?;
        let Some(last) = page.commits.last() else {
            break;
        };
        next = last.next_sequence();
        let holds = |commit: &Commit| (commit.sequence..commit.next_sequence()).contains(&sequence);
        if let Some(commit) = page.commits.into_iter().find(holds) {
            return Ok(commit);
        }
        if page.next.is_none() {
            break;
        }
    }
    Err(OperatorError::NotFound(format!(
        "{id} has no event {sequence}"
    )))
}
