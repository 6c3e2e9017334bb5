//! Takes up again what is parked, and what lies among the dead letters. Whatever succeeds is
//! removed, and only then: a retry may be stopped at any moment and started again.

use domain::AggregateId;
use futures::{StreamExt, stream};
use projectors::parked::{self as parking, Parked, TakenUp, take_up};
use serde::Serialize;

mod queue;
mod round;
mod stream_letters;
mod tally;

pub use crate::{
    dead_letters::{Consumer, LetterId},
    retried::{Retried, RetriedKind},
};
pub use tally::Report;

use crate::{
    dead_letters::places::Places,
    environment::Environment,
    error::OperatorError,
    limits::PARKED_AT_ONCE,
    parked,
    progress::{Progress, Stage},
    retried::Became,
};
use tally::Tally;

/// What is to be taken up; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What is parked of one order or shipment alone, and no dead letters.
    pub aggregate: Option<AggregateId>,
    /// What one consumer of the stream has parked or given up alone.
    pub consumer: Option<Consumer>,
    /// One of both alone.
    pub only: Option<Only>,
}

/// One kind of what is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// What is parked.
    Parked,
    /// What was given up.
    DeadLetters,
}

/// What a retry would take up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// What is parked, oldest first.
    pub parked: Vec<Parked>,
    /// Objects in the bucket, of either consumer.
    pub objects: u64,
    /// May there be more?
    pub more_objects: bool,
    /// Messages in the queue, about.
    pub messages: u64,
    /// Messages that somebody else has taken, about.
    pub hidden: u64,
}

impl Preview {
    /// Is there anything?
    pub fn is_wrong(&self) -> bool {
        !self.parked.is_empty() || self.objects + self.messages + self.hidden > 0
    }
}

impl Wanted {
    /// An error where it contradicts itself: no dead letter is of one order or shipment.
    pub fn check(&self) -> Result<(), OperatorError> {
        if self.aggregate.is_some() && self.only == Some(Only::DeadLetters) {
            let text = "a dead letter is not of one order or shipment: leave out one of both";
            return Err(OperatorError::Usage(text.to_owned()));
        }
        Ok(())
    }

    async fn parked(&self, environment: &Environment) -> Result<Vec<Parked>, OperatorError> {
        if self.only == Some(Only::DeadLetters) {
            return Ok(Vec::new());
        }
        let mut parked = parked::all(environment).await?;
        let aggregate = self.aggregate.as_ref().map(AggregateId::to_string);
        parked.retain(|one| {
            aggregate.as_ref().is_none_or(|id| one.aggregate == *id)
                && self.consumer.is_none_or(|of| one.consumer == of.name())
        });
        Ok(parked)
    }

    fn places(&self, environment: &Environment) -> Result<Option<Places>, OperatorError> {
        match self.only == Some(Only::Parked) || self.aggregate.is_some() {
            true => Ok(None),
            false => Places::of(environment).map(Some),
        }
    }
}

/// Says what there is to take up, and does nothing.
pub async fn preview(environment: &Environment, wanted: &Wanted) -> Result<Preview, OperatorError> {
    wanted.check()?;
    let parked = wanted.parked(environment).await?;
    let places = wanted.places(environment)?;
    let objects = match &places {
        Some(places) => places.count_objects().await?,
        None => Default::default(),
    };
    let depth = match &places {
        Some(places) if wanted.consumer.is_none() => places.depth().await?,
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

/// Takes up what is wanted: first what is parked, then the objects of the bucket, then the messages
/// of the queue. An error where it had to end before: what was told until then is done.
pub async fn all(
    environment: &Environment,
    wanted: &Wanted,
    progress: &dyn Progress,
) -> Result<Report, OperatorError> {
    wanted.check()?;
    let parked = wanted.parked(environment).await?;
    let places = wanted.places(environment)?;
    let mut tally = Tally::new(progress);
    all_parked(environment, &parked, &mut tally).await?;
    if let Some(places) = &places {
        stream_letters::all(environment, places, wanted.consumer, &mut tally).await?;
        if wanted.consumer.is_none() {
            queue::all(environment, places, &mut tally).await?;
        }
    }
    Ok(tally.report)
}

/// Takes up what one consumer has parked of one order or shipment, named as [`Parked`] names it.
/// `NotFound` where it has parked nothing of it.
pub async fn one_parked(
    environment: &Environment,
    consumer: &str,
    aggregate: &str,
) -> Result<Retried, OperatorError> {
    let parked = parking::one(&environment.projectors, consumer, aggregate).await?;
    let parked = parked.ok_or_else(|| {
        OperatorError::NotFound(format!("{consumer} has parked nothing of {aggregate}"))
    })?;
    let became = taken_up(environment, &parked).await;
    Ok(became.of(RetriedKind::Parked, name(&parked)))
}

/// Takes up one dead letter. `NotFound` where it is gone, or hidden since somebody has taken it.
pub async fn one_letter(
    environment: &Environment,
    id: &LetterId,
) -> Result<Retried, OperatorError> {
    match id {
        LetterId::Stream(key) => {
            let became = stream_letters::one(environment, key).await?;
            Ok(became.of(RetriedKind::Stream, key.clone()))
        }
        LetterId::Message(id) => {
            let became = queue::one(environment, id).await?;
            Ok(became.of(RetriedKind::Message, id.clone()))
        }
    }
}

async fn all_parked(
    environment: &Environment,
    parked: &[Parked],
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    // By their places, so that whoever spawns this is not asked for closures of every lifetime.
    let work = (0..parked.len()).map(|place| async move {
        let one = &parked[place];
        (name(one), taken_up(environment, one).await)
    });
    let mut done = stream::iter(work).buffer_unordered(PARKED_AT_ONCE);
    tally
        .progress
        .begins(Stage::TakingUp, 0, parked.len() as u64);
    let mut noted = Ok(());
    while let Some((name, became)) = done.next().await {
        tally.progress.advances(1);
        noted = tally.note(RetriedKind::Parked, name, became);
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

async fn taken_up(environment: &Environment, parked: &Parked) -> Became {
    match take_up(&environment.projectors, parked).await {
        Ok(TakenUp::Done) => Became::Done,
        Ok(TakenUp::Stays(reason)) => Became::Stays(reason),
        Err(error) => Became::Unreachable(error.to_string()),
    }
}

/// What something parked is called: consumer and aggregate.
fn name(parked: &Parked) -> String {
    format!("{} {}", parked.consumer, parked.aggregate)
}
