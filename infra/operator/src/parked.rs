//! The parked aggregates: orders and shipments at which a consumer of the stream has stopped.

pub use projectors::parked::{Parked, ParkedPage};

use domain::AggregateId;

use crate::{dead_letters::Consumer, environment::Environment, error::OperatorError};

/// A page of the parked aggregates, in no particular order. `after` is the `next` of the page
/// before.
pub async fn page(
    environment: &Environment,
    after: Option<&str>,
) -> Result<ParkedPage, OperatorError> {
    Ok(projectors::parked::page(&environment.projectors, after).await?)
}

/// All parked aggregates, the oldest first, as far as
/// [`PARKED_PAGES_MAX`](projectors::limits::PARKED_PAGES_MAX) pages contain them.
pub async fn all(environment: &Environment) -> Result<Vec<Parked>, OperatorError> {
    Ok(projectors::parked::all(&environment.projectors).await?)
}

/// The parked entries of one order or shipment; none where both consumers go on with it.
pub async fn of(environment: &Environment, id: &AggregateId) -> Result<Vec<Parked>, OperatorError> {
    let name = id.to_string();
    let looks = Consumer::ALL
        .map(|consumer| projectors::parked::one(&environment.projectors, consumer.name(), &name));
    let found = futures::future::try_join_all(looks).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The parked entry of one consumer for one order or shipment, which is named as [`Parked`] names
/// it. Fails with `NotFound` where there is none.
pub async fn one(
    environment: &Environment,
    consumer: &str,
    aggregate: &str,
) -> Result<Parked, OperatorError> {
    let found = projectors::parked::one(&environment.projectors, consumer, aggregate).await?;
    found.ok_or_else(|| {
        OperatorError::NotFound(format!("{consumer} has parked nothing of {aggregate}"))
    })
}

/// What the code of a parked entry means, for an operator; `None` for a code that this build does
/// not know.
pub fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "unreadable_commit" => "what is stored cannot be read: damaged, or written by newer code",
        "unreadable_event" => "newer code has written an event that this code does not know",
        "message_refused" => "EventBridge or SNS will never accept a message of it",
        "corrupt_history" => "the events up to this one do not fit together, or one cannot be read",
        "row_refused" => "DynamoDB will never accept a row of it",
        "panic" => "a defect: the logs say more",
        _ => return None,
    })
}
