//! Resumes parked aggregates and retries dead letters. Whatever succeeds is removed, and only then:
//! a retry may be stopped at any moment and started again.

use futures::{StreamExt, stream};
use projectors::parked::{self as parking, Parked, Resumed, resume};
use serde::Serialize;

mod command_result;
mod queue;
mod queue_retry;
mod selection;
mod stream_letters;
mod tally;

pub use crate::{
    dead_letters::{Consumer, LetterId},
    retried::{CommandResult, Retried, RetriedKind},
};
pub use selection::{Category, Group, Selection};
pub use tally::Report;

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::PARKED_AT_ONCE,
    progress::{Progress, Stage},
    retried::RetryResult,
};
use tally::Tally;

/// What a retry would work on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The parked aggregates, the oldest first.
    pub parked: Vec<Parked>,
    /// The number of objects in the bucket, of both consumers together.
    pub objects: u64,
    /// Whether there may be more objects than were counted.
    pub more_objects: bool,
    /// The approximate number of messages in the queue.
    pub messages: u64,
    /// The approximate number of messages that another reader has received: SQS hides them.
    pub hidden: u64,
}

impl Preview {
    /// Whether there is anything to retry.
    pub fn is_wrong(&self) -> bool {
        !self.parked.is_empty() || self.objects + self.messages + self.hidden > 0
    }
}

/// Returns what a retry with this selection would work on, and changes nothing.
pub async fn preview(
    environment: &Environment,
    selection: &Selection,
) -> Result<Preview, OperatorError> {
    selection.check()?;
    let parked = selection.parked(environment).await?;
    let store = selection.store(environment)?;
    let objects = match &store {
        Some(store) if selection.includes(Category::Stream) => store.count_objects().await?,
        _ => Default::default(),
    };
    let depth = match &store {
        Some(store) if selection.includes(Category::Queue) => store.depth().await?,
        _ => Default::default(),
    };
    Ok(Preview {
        parked,
        objects: objects.number,
        more_objects: objects.more,
        messages: depth.visible,
        hidden: depth.hidden,
    })
}

/// Retries what is selected: first the parked aggregates, then the objects of the bucket, then the
/// messages of the queue. After an error, or a stop, whatever was reported until then is done.
pub async fn all(
    environment: &Environment,
    selection: &Selection,
    progress: &dyn Progress,
) -> Result<Report, OperatorError> {
    selection.check()?;
    let parked = selection.parked(environment).await?;
    let store = selection.store(environment)?;
    let mut tally = Tally::new(progress);
    all_parked(environment, &parked, &mut tally).await?;
    if let Some(store) = &store {
        if selection.includes(Category::Stream) {
            stream_letters::all(environment, store, selection, &mut tally).await?;
        }
        if selection.includes(Category::Queue) {
            queue::all(environment, store, selection, &mut tally).await?;
        }
    }
    Ok(tally.report)
}

/// Resumes one order or shipment that one consumer has parked, named as [`Parked`] names it. Fails
/// with `NotFound` where the consumer has not parked it.
pub async fn one_parked(
    environment: &Environment,
    consumer: &str,
    aggregate: &str,
) -> Result<Retried, OperatorError> {
    let parked = parking::one(&environment.projectors, consumer, aggregate).await?;
    let parked = parked.ok_or_else(|| {
        OperatorError::NotFound(format!("{consumer} has parked nothing of {aggregate}"))
    })?;
    let result = resume_parked(environment, &parked).await;
    let about = vec![parked.aggregate.clone()];
    Ok(result.into_retried(RetriedKind::Parked, name(&parked), about))
}

/// Retries one dead letter, and also returns the result of its command where that is known within
/// some seconds. Fails with `NotFound` where the dead letter does not exist any more, or is hidden
/// since another reader has received it.
pub async fn one_letter(
    environment: &Environment,
    id: &LetterId,
) -> Result<Retried, OperatorError> {
    match id {
        LetterId::Stream(key) => {
            let tried = stream_letters::one(environment, key).await?;
            let (kind, name) = (RetriedKind::Stream, key.clone());
            Ok(tried.result.into_retried(kind, name, tried.about))
        }
        LetterId::Message(id) => {
            let (tried, command_result) = queue::one(environment, id).await?;
            let result = match (&command_result, tried.result) {
                // The dead letter is removed, and the function has sent a new one in its place.
                (Some(CommandResult::Refused(letter)), RetryResult::Done) => {
                    RetryResult::Stays(format!("refused once more: {}", letter.why()))
                }
                (_, result) => result,
            };
            Ok(Retried {
                result: command_result,
                ..result.into_retried(RetriedKind::Message, id.clone(), tried.about)
            })
        }
    }
}

async fn all_parked(
    environment: &Environment,
    parked: &[Parked],
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    // By index, so that a caller that spawns this future does not need closures for every lifetime.
    let work = (0..parked.len()).map(|place| async move {
        let one = &parked[place];
        (one, resume_parked(environment, one).await)
    });
    let mut done = stream::iter(work).buffer_unordered(PARKED_AT_ONCE);
    tally
        .progress
        .begins(Stage::Resuming, 0, parked.len() as u64);
    let mut noted = Ok(());
    while let Some((one, result)) = done.next().await {
        tally.progress.advances(1);
        let about = vec![one.aggregate.clone()];
        noted = tally.note(RetriedKind::Parked, name(one), about, result);
        if noted.is_ok() && tally.progress.stopped() {
            noted = Err(OperatorError::Stopped);
        }
        if noted.is_err() {
            break;
        }
    }
    tally.progress.ends();
    noted
}

async fn resume_parked(environment: &Environment, parked: &Parked) -> RetryResult {
    match resume(&environment.projectors, parked).await {
        Ok(Resumed::Done) => RetryResult::Done,
        Ok(Resumed::Stays(reason)) => RetryResult::Stays(reason),
        Err(error) => RetryResult::Unreachable(error.to_string()),
    }
}

/// The name of a parked entry: consumer and aggregate.
fn name(parked: &Parked) -> String {
    format!("{} {}", parked.consumer, parked.aggregate)
}
