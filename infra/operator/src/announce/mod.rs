//! Messages sent once more, with the same ids: whoever has heard one already knows it again.

use domain::AggregateId;
use projectors::notify;
use serde::Serialize;

mod time;

pub use time::{TimeOptions, TimeReport, TimeRun, time_price};

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::PREVIEWED_MESSAGES_MAX,
    messages::{self, Messages, no_events},
};

/// What was announced of one order or shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedOne {
    /// Whose events they are.
    pub aggregate: AggregateId,
    /// From the first commit on that begins with this event or a later one
    pub from_sequence: u64,
    /// to this event.
    pub to_sequence: u64,
}

/// Which messages [`one`] would send, at most
/// [`PREVIEWED_MESSAGES_MAX`]. Its errors are those of
/// [`one`].
pub async fn preview(
    environment: &Environment,
    id: &AggregateId,
    from_sequence: u64,
) -> Result<Messages, OperatorError> {
    messages::of_history(environment, id, from_sequence, PREVIEWED_MESSAGES_MAX).await
}

/// Sends the messages of an order or shipment, from the first commit on that begins with event
/// `from_sequence` or a later one. `NotFound` where it has no events from there on; `Corrupt` where
/// one of them cannot be read or will never be accepted: what came before it is announced.
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
