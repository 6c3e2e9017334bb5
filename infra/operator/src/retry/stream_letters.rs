//! Retries the objects of the bucket: batches that the stream's consumers have failed to handle.

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

use super::{selection::Selection, tally::Tally};
use crate::{
    dead_letters::{
        Consumer, LetterId,
        letter::{self, FailedBatch},
        not_found,
        store::DeadLetterStore,
        truncated,
    },
    environment::Environment,
    error::OperatorError,
    limits::{ABOUT_MAX, OBJECTS_AT_ONCE, OBJECTS_PAGE, RETRIED_PAGES_MAX},
    retried::{RetriedKind, RetryResult, Tried},
};

/// Retries the selected dead letters of the stream.
pub(super) async fn all(
    environment: &Environment,
    store: &DeadLetterStore,
    selection: &Selection,
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    let mut after: Option<String> = None;
    for _ in 0..RETRIED_PAGES_MAX {
        let page = store.objects(after.as_deref(), OBJECTS_PAGE).await?;
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        after = keys.last().cloned();
        // The keys are owned, so that a caller that spawns this future does not need closures for
        // every lifetime.
        let work = keys.into_iter().map(|key| async move {
            let tried = retry_object(environment, store, selection, &key).await;
            (key, tried)
        });
        let mut done = stream::iter(work).buffered(OBJECTS_AT_ONCE);
        while let Some((key, tried)) = done.next().await {
            if let Some(Tried { about, result }) = tried {
                tally.note(RetriedKind::Stream, key, about, result)?;
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

/// Retries one object. Fails with `NotFound` where it does not exist any more.
pub(super) async fn one(environment: &Environment, key: &str) -> Result<Tried, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let tried = retry_object(environment, &store, &Selection::default(), key).await;
    tried.ok_or_else(|| not_found(&LetterId::Stream(key.to_owned())))
}

/// Retries one object, and deletes it where that succeeds; `None` where it is not selected or does
/// not exist any more.
async fn retry_object(
    environment: &Environment,
    store: &DeadLetterStore,
    selection: &Selection,
    key: &str,
) -> Option<Tried> {
    let unknown = |result| Tried {
        about: Vec::new(),
        result,
    };
    let unreachable = |error: OperatorError| RetryResult::Unreachable(error.to_string());
    let content = match store.object(key).await {
        Ok(content) => content?,
        Err(error) => return Some(unknown(unreachable(error))),
    };
    let FailedBatch {
        consumer,
        condition,
        batch,
    } = match letter::read(&content, &environment.names) {
        Ok(read) => read,
        Err(reason) => {
            let reason = truncated(reason);
            return selection
                .matches(None, Some(&reason))
                .then_some(unknown(RetryResult::Stays(reason)));
        }
    };
    let other = selection.consumer.is_some_and(|wanted| wanted != consumer);
    if other || !selection.matches(Some(consumer.name()), condition.as_deref()) {
        return None;
    }
    let projectors = &environment.projectors;
    let arrivals = match arrivals(projectors, &batch) {
        Ok(arrivals) => arrivals,
        Err(error) => return Some(unknown(RetryResult::Stays(error.to_string()))),
    };
    let about = aggregates(&arrivals).into_iter().take(ABOUT_MAX).collect();
    let done = match consumer {
        Consumer::Project => project(projectors, arrivals).await,
        Consumer::Notify => announce(projectors, arrivals).await,
    };
    let result = match done {
        Err(RebuildError::Corrupt(reason)) => RetryResult::Stays(reason),
        Err(error) => RetryResult::Unreachable(error.to_string()),
        Ok(()) => match store.delete_object(key).await {
            Ok(()) => RetryResult::Done,
            Err(error) => unreachable(error),
        },
    };
    Some(Tried { about, result })
}

/// The aggregates that a batch names.
fn aggregates(arrivals: &[Arrival]) -> BTreeSet<String> {
    arrivals.iter().map(|one| one.aggregate.clone()).collect()
}

/// Rebuilds the rows of every aggregate that the batch names. All are tried; the error is that of
/// the first one that cannot be rebuilt.
async fn project(projectors: &Projectors, arrivals: Vec<Arrival>) -> Result<(), RebuildError> {
    let mut corrupt = Ok(());
    for name in aggregates(&arrivals) {
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

/// Announces exactly the commits that the batch contains, as far as they can be read; the error is
/// that of the first one that cannot.
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
