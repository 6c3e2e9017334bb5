//! Takes up again what is parked, and what lies among the dead letters. Whatever succeeds is
//! removed, and only then: a retry may be stopped at any moment and started again.

use domain::AggregateId;
use futures::{StreamExt, stream};
use projectors::parked::{self as parking, Parked, TakenUp, take_up};
use serde::Serialize;

mod came;
mod queue;
mod round;
mod stream_letters;
mod tally;

pub use crate::{
    dead_letters::{Consumer, LetterId},
    retried::{Came, Retried, RetriedKind},
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
    /// One kind alone.
    pub only: Option<Only>,
    /// What is stuck for one reason alone.
    pub group: Option<Group>,
}

/// One kind of what is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// What is parked.
    Parked,
    /// What was given up: of the stream, and in the queue.
    DeadLetters,
    /// What the stream's consumers have given up.
    Stream,
    /// What lies in the queue.
    Queue,
}

/// Whatever is stuck for one reason, as lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The consumer that has stopped, or the function that has given up: as
    /// [`Parked::consumer`] or [`DeadLetter::role`](crate::dead_letters::DeadLetter::role) says.
    pub role: Option<String>,
    /// Why: as [`Parked::code`] or [`DeadLetter::reason`](crate::dead_letters::DeadLetter::reason)
    /// says.
    pub reason: Option<String>,
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

    /// Is anything wanted of this one of the three kinds?
    fn takes(&self, kind: Only) -> bool {
        let of_kind = match self.only {
            None => true,
            Some(Only::DeadLetters) => kind != Only::Parked,
            Some(only) => only == kind,
        };
        of_kind
            && (kind == Only::Parked || self.aggregate.is_none())
            && (kind != Only::Queue || self.consumer.is_none())
    }

    /// Is something wanted that is stuck there for this reason?
    fn is_for(&self, role: Option<&str>, reason: Option<&str>) -> bool {
        let same =
            |group: &Group| group.role.as_deref() == role && group.reason.as_deref() == reason;
        self.group.as_ref().is_none_or(same)
    }

    async fn parked(&self, environment: &Environment) -> Result<Vec<Parked>, OperatorError> {
        if !self.takes(Only::Parked) {
            return Ok(Vec::new());
        }
        let mut parked = parked::all(environment).await?;
        let aggregate = self.aggregate.as_ref().map(AggregateId::to_string);
        parked.retain(|one| {
            aggregate.as_ref().is_none_or(|id| one.aggregate == *id)
                && self.consumer.is_none_or(|of| one.consumer == of.name())
                && self.is_for(Some(&one.consumer), Some(&one.code))
        });
        Ok(parked)
    }

    fn places(&self, environment: &Environment) -> Result<Option<Places>, OperatorError> {
        match self.takes(Only::Stream) || self.takes(Only::Queue) {
            true => Places::of(environment).map(Some),
            false => Ok(None),
        }
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
    let became = taken_up(environment, &parked).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of_group(only: Only, role: Option<&str>, reason: Option<&str>) -> Wanted {
        Wanted {
            only: Some(only),
            group: Some(Group {
                role: role.map(str::to_owned),
                reason: reason.map(str::to_owned),
            }),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_group_is_what_has_its_reason_and_nothing_else() {
        let wanted = of_group(Only::Queue, Some("bus"), Some("invalid_field"));
        assert!(wanted.is_for(Some("bus"), Some("invalid_field")));
        for other in [
            (Some("bus"), None),
            (Some("bus"), Some("order_closed")),
            (Some("import"), Some("invalid_field")),
            (None, Some("invalid_field")),
        ] {
            assert!(!wanted.is_for(other.0, other.1), "{other:?}");
        }
        assert!(of_group(Only::Queue, None, None).is_for(None, None));
        assert!(Wanted::default().is_for(Some("bus"), None));
    }

    #[test]
    fn one_kind_alone_leaves_the_others() {
        let kinds = [Only::Parked, Only::Stream, Only::Queue];
        let taken = |wanted: Wanted| kinds.map(|kind| wanted.takes(kind));
        let only = |only| Wanted {
            only: Some(only),
            ..Wanted::default()
        };
        assert_eq!(taken(Wanted::default()), [true, true, true]);
        assert_eq!(taken(only(Only::DeadLetters)), [false, true, true]);
        assert_eq!(taken(only(Only::Stream)), [false, true, false]);
        assert_eq!(taken(only(Only::Queue)), [false, false, true]);
        let of_consumer = Wanted {
            consumer: Some(Consumer::Notify),
            ..Wanted::default()
        };
        assert_eq!(taken(of_consumer), [true, true, false]);
    }
}
