//! Carries out the erasure of a customer's personal data: destroys the key, and rewrites the rows
//! of the customer's orders. It follows from the history of erasures alone, so it can be repeated
//! at any time.
//!
//! Rows are found by an index that may lag behind its table, so a fresh erasure looks twice. A row
//! that `project` is writing meanwhile is looked at by `project` itself once it is written.

use domain::{AggregateId, OrderId, erasure::CustomerErased, personal::Owner};
use event_store::{Loaded, StoreError};
use futures::{StreamExt, stream};
use lambda::read_models::Kind;

use super::{
    aggregate::{self, Rebuilt, rows_of},
    error::RebuildError,
};
use crate::{
    Projectors,
    indexes::Index,
    limits::{AGGREGATES_AT_ONCE, ERASURE_FRESH, ERASURE_WAIT, LIST_MAX, LOG_PAGES_MAX},
    ports::{Direction, Row, Start},
    row,
};

/// Does for one aggregate once more what `project` does: rebuilds its rows, or carries out the
/// erasure.
pub async fn aggregate(projectors: &Projectors, id: &AggregateId) -> Result<Rebuilt, RebuildError> {
    match id {
        AggregateId::Erasure(owner) => carry_out(projectors, owner).await,
        id => aggregate::aggregate(projectors, id).await,
    }
}

/// Carries out the latest erasure in the history of `owner`; where there is none, nothing is done.
pub async fn carry_out(projectors: &Projectors, owner: &Owner) -> Result<Rebuilt, RebuildError> {
    let id = AggregateId::Erasure(owner.clone());
    let erasures: Loaded<domain::Erasures> = projectors.store.load(&id).await?;
    let Some(erased) = erasures.state.latest else {
        return Ok(Rebuilt::default());
    };
    let CustomerErased { at, key, .. } = erased;
    let keys = projectors.store.keys().map_err(StoreError::from)?;
    let destroyed = keys.destroy(owner, Some(key), at).await;
    destroyed.map_err(StoreError::from)?;
    let mut rewritten = rewrite(projectors, owner).await?;
    let age = projectors.clock.now().millis().abs_diff(at.millis());
    if u128::from(age) < ERASURE_FRESH.as_millis() {
        projectors.clock.sleep(ERASURE_WAIT).await;
        let again = rewrite(projectors, owner).await?;
        rewritten.rows += again.rows;
        rewritten.unreadable = again.unreadable;
    }
    match rewritten.unreadable {
        None => Ok(rewritten.rows),
        Some(reason) => Err(RebuildError::Corrupt(reason)),
    }
}

/// What a rewrite of an owner's rows did.
#[derive(Default)]
struct Rewritten {
    rows: Rebuilt,
    /// Why the history of one of the orders cannot be folded; `None` where all can.
    unreadable: Option<String>,
}

impl Rewritten {
    /// Adds the result for one order. An order whose history cannot be folded does not keep the
    /// others from being rewritten.
    fn add(&mut self, one: Result<Rebuilt, RebuildError>) -> Result<(), RebuildError> {
        match one {
            Ok(rows) => self.rows += rows,
            Err(RebuildError::Corrupt(reason)) => {
                tracing::error!(reason, "rows of an erased customer cannot be rewritten");
                self.unreadable.get_or_insert(reason);
            }
            Err(unavailable) => return Err(unavailable),
        }
        Ok(())
    }
}

/// Rewrites those rows of the owner's orders that differ from their histories.
async fn rewrite(projectors: &Projectors, owner: &Owner) -> Result<Rewritten, RebuildError> {
    let mut rewritten = Rewritten::default();
    let customer = match owner {
        Owner::Order(id) => {
            rewritten.add(rewrite_one(projectors, id.clone()).await)?;
            return Ok(rewritten);
        }
        Owner::Customer(id) => id,
    };
    let mut start = Start::Beginning;
    for _ in 0..LOG_PAGES_MAX {
        let page = projectors
            .rows
            .list(
                Index::OrdersByCustomer,
                customer,
                &start,
                Direction::Up,
                LIST_MAX,
            )
            .await?;
        let orders: Vec<OrderId> = page.rows.iter().filter_map(order).collect();
        let works = orders.into_iter().map(|id| rewrite_one(projectors, id));
        let mut works = stream::iter(works).buffer_unordered(AGGREGATES_AT_ONCE);
        while let Some(one) = works.next().await {
            rewritten.add(one)?;
        }
        match page.rows.last().filter(|_| page.more) {
            None => return Ok(rewritten),
            Some(last) => {
                start = Start::After {
                    sort: row::text(last, "createdAt"),
                    id: row::text(last, "orderId"),
                }
            }
        }
    }
    Err(RebuildError::Corrupt(
        "the orders of a customer have more pages than they may have".to_owned(),
    ))
}

async fn rewrite_one(projectors: &Projectors, id: OrderId) -> Result<Rebuilt, RebuildError> {
    let id = AggregateId::Order(id);
    rows_of(projectors, Kind::ProcessedOrders, &id).await
}

fn order(row: &Row) -> Option<OrderId> {
    row::text(row, "orderId").parse().ok()
}
