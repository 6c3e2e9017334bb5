//! Reads histories up to a time in the past. The number and the bytes of an aggregate's commits are
//! limited ([`event_store::limits`]), so that any history can be folded for an answer. Each page of
//! a log reads the history from its beginning: with 20,000 commits of 1 KB, some 20 MB.

use std::collections::BTreeMap;

use domain::{AggregateId, EventSourced, ShipmentId, Timestamp};
use event_store::{
    Commit, Loaded, StoreError,
    commit::UnreadableCommit,
    limits::{HISTORY_PAGE, PAGES_MAX},
};
use lambda::http::Problem;

use super::problems::store_problem;
use crate::{
    Projectors,
    ports::{Row, RowPage},
    shipment_log,
};

/// Folds the commits up to the time `at`; `None` where there are none.
pub(super) async fn folded<A: EventSourced>(
    projectors: &Projectors,
    id: &AggregateId,
    at: Timestamp,
) -> Result<Option<Loaded<A>>, Problem> {
    let mut loaded = Some(Loaded::<A>::new(id.clone()));
    let take = |mut commits: Vec<Commit>| {
        commits.reverse();
        if let Some(before) = loaded.take() {
            let mut after = before.apply_newest_first(commits)?;
            // They are not needed here, and would hold a history of large commits in memory.
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

/// A shipment's log of the commits up to the time `at`: the entries after `after`, in order, at
/// most `limit`.
pub(super) async fn log(
    projectors: &Projectors,
    id: &ShipmentId,
    at: Timestamp,
    after: Option<&str>,
    limit: u32,
) -> Result<RowPage, Problem> {
    let id = AggregateId::Shipment(id.clone());
    // Ordered by their keys. One entry more than a page is kept, to know whether more follow.
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

fn unreadable(commit: &Commit, error: UnreadableCommit) -> StoreError {
    error.of(&commit.aggregate, commit.sequence)
}

/// Passes the commits up to the time `at` to `take`, oldest first, in pages. The times of commits
/// never go back, so the first later one ends the history.
async fn until(
    projectors: &Projectors,
    id: &AggregateId,
    at: Timestamp,
    mut take: impl FnMut(Vec<Commit>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = 1;
    for _ in 0..PAGES_MAX {
        let page = projectors.store.history(id, from, HISTORY_PAGE).await?;
        let mut commits = projectors.store.opened(page.commits).await?;
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
