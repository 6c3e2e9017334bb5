//! What a consumer of the stream has stopped at.

pub use projectors::parked::{Parked, ParkedPage};

use crate::{environment::Environment, error::OperatorError};

/// A page of what is parked, in no order that means anything, behind the `next` of the page before.
pub async fn page(
    environment: &Environment,
    after: Option<&str>,
) -> Result<ParkedPage, OperatorError> {
    Ok(projectors::parked::page(&environment.projectors, after).await?)
}

/// Everything that is parked, oldest first, of the first pages that
/// [`PARKED_PAGES_MAX`](projectors::limits::PARKED_PAGES_MAX) says.
pub async fn all(environment: &Environment) -> Result<Vec<Parked>, OperatorError> {
    Ok(projectors::parked::all(&environment.projectors).await?)
}
