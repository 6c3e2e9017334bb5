//! Takes up again what is parked, and what lies among the dead letters. Whatever succeeds is
//! removed, and only then: a retry may be stopped at any moment and started again.

use futures::{StreamExt, stream};
use projectors::parked::{self as parking, Parked, Resumed, resume};
use serde::Serialize;

mod came;
mod queue;
mod round;
mod stream_letters;
mod tally;
mod wanted;

pub use crate::{
    dead_letters::{Consumer, LetterId},
    retried::{Came, Retried, RetriedKind},
};
pub use tally::Report;
pub use wanted::{Group, Only, Wanted};

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::PARKED_AT_ONCE,
    progress::{Progress, Stage},
    retried::Became,
};
use tally::Tally;

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

/// Says what there is to take up, and does nothing.
pub async fn preview(environment: &Environment, wanted: &Wanted) -> Result<Preview, OperatorError> {
    wanted.check()?;
    let parked = wanted.parked(environment).await?;
    let places = wanted.places(environment)?;
    let objects = match &places {
        Some(places) if wanted.takes(Only::Stream) => places.count_objects().await?,
        _ => Default::default(),
    };
    let depth = match &places {
        Some(places) if wanted.takes(Only::Queue) => places.depth().await?,
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
        if wanted.takes(Only::Stream) {
            stream_letters::all(environment, places, wanted, &mut tally).await?;
        }
        if wanted.takes(Only::Queue) {
            queue::all(environment, places, wanted, &mut tally).await?;
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
    let became = resumed(environment, &parked).await;
    Ok(became.of(RetriedKind::Parked, name(&parked)))
}

/// Takes up one dead letter, and says what became of what was in it where that is known within some
/// seconds. `NotFound` where it is gone, or hidden since somebody has taken it.
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
            let (became, came) = queue::one(environment, id).await?;
            let became = match (&came, became) {
                // The letter is gone, and another one is there in its place.
                (Some(Came::Refused(letter)), Became::Done) => {
                    Became::Stays(format!("refused once more: {}", letter.why()))
                }
                (_, became) => became,
            };
            Ok(Retried {
                came,
                ..became.of(RetriedKind::Message, id.clone())
            })
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
        (name(one), resumed(environment, one).await)
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

async fn resumed(environment: &Environment, parked: &Parked) -> Became {
    match resume(&environment.projectors, parked).await {
        Ok(Resumed::Done) => Became::Done,
        Ok(Resumed::Stays(reason)) => Became::Stays(reason),
        Err(error) => Became::Unreachable(error.to_string()),
    }
}

/// What something parked is called: consumer and aggregate.
fn name(parked: &Parked) -> String {
    format!("{} {}", parked.consumer, parked.aggregate)
}
