//! What the stream's consumers have given up, taken up again: the objects of the bucket.

use std::collections::BTreeSet;

use domain::AggregateId;
use event_store::Commit;
use futures::{StreamExt, stream};
use projectors::{
    Projectors,
    batch::{Arrival, arrivals},
    notify,
    rebuild::{RebuildError, erase},
};

use super::{tally::Tally, wanted::Wanted};
use crate::{
    dead_letters::{
        Consumer, LetterId, cut, gone,
        letter::{self, GivenUp},
        places::Places,
    },
    environment::Environment,
    error::OperatorError,
    limits::{OBJECTS_AT_ONCE, OBJECTS_PAGE, RETRIED_PAGES_MAX},
    retried::{Became, RetriedKind},
};

/// Takes up what is wanted of what the stream's consumers have given up.
pub(super) async fn all(
    environment: &Environment,
    places: &Places,
    wanted: &Wanted,
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    let mut after: Option<String> = None;
    for _ in 0..RETRIED_PAGES_MAX {
        let page = places.objects(after.as_deref(), OBJECTS_PAGE).await?;
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        after = keys.last().cloned();
        // Owned, so that whoever spawns this is not asked for closures of every lifetime.
        let work = keys.into_iter().map(|key| async move {
            let became = retried(environment, places, wanted, &key).await;
            (key, became)
        });
        let mut done = stream::iter(work).buffered(OBJECTS_AT_ONCE);
        while let Some((key, became)) = done.next().await {
            if let Some(became) = became {
                tally.note(RetriedKind::Stream, key, became)?;
            }
        }
        drop(done);
        if !page.more {
            return Ok(());
        }
    }
    Err(OperatorError::TooMany(
        "there are more objects than one retry takes: start it again".to_owned(),
    ))
}

/// Takes up one object.
pub(super) async fn one(environment: &Environment, key: &str) -> Result<Became, OperatorError> {
    let places = Places::of(environment)?;
    let became = retried(environment, &places, &Wanted::default(), key).await;
    became.ok_or_else(|| gone(&LetterId::Stream(key.to_owned())))
}

/// `None` where it is not wanted, or gone meanwhile.
async fn retried(
    environment: &Environment,
    places: &Places,
    wanted: &Wanted,
    key: &str,
) -> Option<Became> {
    let unreachable = |error: OperatorError| Some(Became::Unreachable(error.to_string()));
    let content = match places.object(key).await {
        Ok(content) => content?,
        Err(error) => return unreachable(error),
    };
    let GivenUp {
        consumer,
        condition,
        batch,
    } = match letter::read(&content, &environment.names) {
        Ok(read) => read,
        Err(reason) => {
            let reason = cut(reason);
            return wanted
                .is_for(None, Some(&reason))
                .then_some(Became::Stays(reason));
        }
    };
    let other = wanted.consumer.is_some_and(|wanted| wanted != consumer);
    if other || !wanted.is_for(Some(consumer.name()), condition.as_deref()) {
        return None;
    }
    let projectors = &environment.projectors;
    let arrivals = match arrivals(projectors, &batch) {
        Ok(arrivals) => arrivals,
        Err(error) => return Some(Became::Stays(error.to_string())),
    };
    let done = match consumer {
        Consumer::Project => project(projectors, arrivals).await,
        Consumer::Notify => announce(projectors, arrivals).await,
    };
    match done {
        Err(RebuildError::Corrupt(reason)) => Some(Became::Stays(reason)),
        Err(error) => Some(Became::Unreachable(error.to_string())),
        Ok(()) => match places.delete_object(key).await {
            Ok(()) => Some(Became::Done),
            Err(error) => unreachable(error),
        },
    }
}

/// Makes the rows of every aggregate again that the batch names. All are tried; the first that
/// cannot be is the error.
async fn project(projectors: &Projectors, arrivals: Vec<Arrival>) -> Result<(), RebuildError> {
    let names: BTreeSet<String> = arrivals.into_iter().map(|one| one.aggregate).collect();
    let mut corrupt = Ok(());
    for name in names {
        let rebuilt = match name.parse::<AggregateId>() {
            Ok(id) => erase::aggregate(projectors, &id).await.map(drop),
            Err(_) => {
                let reason = format!("no order and no shipment: {name:?}");
                Err(RebuildError::Corrupt(reason))
            }
        };
        match rebuilt {
            Err(RebuildError::Corrupt(reason)) => {
                corrupt = corrupt.and(Err(RebuildError::Corrupt(reason)));
            }
            other => other?,
        }
    }
    corrupt
}

/// Announces exactly the commits that the batch brings. Those that can be are; the first that
/// cannot is the error.
async fn announce(projectors: &Projectors, arrivals: Vec<Arrival>) -> Result<(), RebuildError> {
    let mut unreadable = Ok(());
    let mut commits: Vec<Commit> = Vec::new();
    for arrival in arrivals {
        match arrival.commit {
            Ok(commit) => commits.push(commit),
            Err(reason) => {
                let (aggregate, sequence) = (arrival.aggregate, arrival.sequence);
                let reason = format!("{reason} (event {sequence} of {aggregate})");
                unreadable = unreadable.and(Err(RebuildError::Corrupt(reason)));
            }
        }
    }
    notify::commits(projectors, commits).await?;
    unreadable
}
