//! Histories up to some time. An aggregate's commits are bounded, in number and in bytes
//! ([`event_store::limits`]), so any history is short enough to be folded for an answer. A page of a
//! log reads it from its beginning: of 20,000 commits of 1 KB that is some 20 MB, for each page.

use std::collections::BTreeMap;

use domain::{AggregateId, EventSourced, ShipmentId, Timestamp};
use event_store::{
    Commit, Loaded, StoreError,
    commit::Unreadable,
    limits::{HISTORY_PAGE, PAGES_MAX},
};
use lambda::http::Problem;

use super::store_problem;
use crate::{
    Projectors,
    ports::{Row, RowPage},
    shipment_log,
};

/// The aggregate as it was committed by `at`; `None` where nothing was.
pub(super) async fn folded<A: EventSourced>(
    projectors: &Projectors,
    id: &AggregateId,
    at: Timestamp,
) -> Result<Option<Loaded<A>>, Problem> {
    let mut loaded = Some(Loaded::<A>::new(id.clone()));
    let take = |mut commits: Vec<Commit>| {
        commits.reverse();
        if let Some(before) = loaded.take() {
            let mut after = before.followed_by(commits)?;
            // Nobody asks for them, and a history of large commits would be held twice.
            after.recent.clear();
            loaded = Some(after);
        }
        Ok(())
    };
    until(projectors, id, at, take)
        .await
        .map_err(store_problem)?;
    Ok(loaded.filter(|loaded| loaded.version > 0))
}

/// A shipment's log as it was committed by `at`: the entries behind `after`, in order, at most
/// `limit`.
pub(super) async fn log(
    projectors: &Projectors,
    id: &ShipmentId,
    at: Timestamp,
    after: Option<&str>,
    limit: u32,
) -> Result<RowPage, Problem> {
    let id = AggregateId::Shipment(id.clone());
    // In the order of their keys; never more than a page of them, and one to know of more.
    let mut entries: BTreeMap<String, Row> = BTreeMap::new();
    let take = |commits: Vec<Commit>| {
        for commit in commits {
            for row in shipment_log::entries(&commit, &projectors.environment)
                .map_err(|error| unreadable(&commit, error))?
            {
                let key = shipment_log::key(&row);
                if after.is_none_or(|after| key.as_str() > after) {
                    entries.insert(key, row);
                }
            }
            while entries.len() > limit as usize + 1 {
                entries.pop_last();
            }
        }
        Ok(())
    };
    until(projectors, &id, at, take)
        .await
        .map_err(store_problem)?;
    let more = entries.len() > limit as usize;
    let rows = entries.into_values().take(limit as usize).collect();
    Ok(RowPage { rows, more })
}

fn unreadable(commit: &Commit, error: Unreadable) -> StoreError {
    error.of(&commit.aggregate, commit.sequence)
}

/// Hands the commits up to `at` to `take`, oldest first, some at a time. Times of commits never go
/// back, so the first that is later is behind all of them.
async fn until(
    projectors: &Projectors,
    id: &AggregateId,
    at: Timestamp,
    mut take: impl FnMut(Vec<Commit>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = 1;
    for _ in 0..PAGES_MAX {
        let page = projectors.store.history(id, from, HISTORY_PAGE).await?;
        let mut commits = page.commits;
        let by_then = commits.partition_point(|commit| commit.at <= at);
        let later = by_then < commits.len();
        commits.truncate(by_then);
        take(commits)?;
        match page.next {
            Some(next) if !later => from = next,
            _ => return Ok(()),
        }
    }
    Err(StoreError::HistoryFull(id.clone()))
}
