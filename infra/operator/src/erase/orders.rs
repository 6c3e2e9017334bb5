//! The orders of an owner, and the personal data in their events and rows.

use std::collections::BTreeSet;

use domain::{
    AggregateId, Json, OrderId, Timestamp,
    event::EncodedEvent,
    personal::{ERASED, FIELDS, Owner, Stored},
};
use event_store::StoreError;
use futures::{StreamExt, TryStreamExt, stream};
use lambda::read_models::Kind;
use projectors::{
    indexes::Index,
    limits::LIST_MAX,
    ports::{Direction, Row, Start, Table},
    row,
};
use serde::{Deserialize, Serialize};

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{ERASED_ORDER_PAGES_MAX, ERASED_ORDERS_AT_ONCE},
    progress::{Progress, Stage},
};

/// The orders of an owner, as numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// The number of orders that were found.
    pub number: u64,
    /// Whether there are more orders than were read. They are erased nevertheless, but their files
    /// are not searched.
    pub more: bool,
    /// The time at which the first order was placed.
    pub since: Option<Timestamp>,
    /// The number of orders whose rows show personal data now.
    pub rows: u64,
    /// The number of orders with an event that an older build has stored with unencrypted personal
    /// data. Answers and rows show `[erased]` in their place, but the stored event contains them
    /// until a person rewrites it.
    pub stored_openly: u64,
    /// The number of orders whose first event this build cannot read.
    pub unreadable: u64,
}

/// The orders of an owner, each with its id.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) orders: Orders,
    pub(super) ids: BTreeSet<OrderId>,
    /// The orders whose rows show personal data.
    pub(super) shown: Vec<OrderId>,
    /// The files that contain the orders, as `s3://<bucket>/<key>`.
    pub(super) sources: BTreeSet<String>,
}

/// The members that are read of an order's first event; personal data are not read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    at: Option<Timestamp>,
    #[serde(default)]
    customer_id: Option<String>,
    #[serde(default)]
    source_file: Option<String>,
}

/// An order, as its first events and its rows show it.
#[derive(Debug)]
struct InspectedOrder {
    id: OrderId,
    /// What the first event says; `None` where there is no event or it cannot be read.
    placed: Option<Placed>,
    is_unreadable: bool,
    is_open: bool,
    is_shown: bool,
}

/// Finds the owner's orders. Fails with `Usage` for an order that names a customer.
pub(super) async fn find(
    environment: &Environment,
    owner: &Owner,
    progress: &dyn Progress,
) -> Result<Found, OperatorError> {
    let mut found = Found::default();
    progress.begins(Stage::ReadingOrders, 0, 0);
    let looked = match owner {
        Owner::Customer(id) => of_customer(environment, id, &mut found, progress).await,
        Owner::Order(id) => of_order(environment, id, &mut found).await,
    };
    progress.ends();
    looked.map(|()| found)
}

async fn of_order(
    environment: &Environment,
    id: &OrderId,
    found: &mut Found,
) -> Result<(), OperatorError> {
    let looked = look(environment, id.clone()).await?;
    let customer = looked.placed.as_ref().and_then(|it| it.customer_id.clone());
    if let Some(customer) = customer {
        return Err(OperatorError::Usage(format!(
            "order#{id} is of a customer, whose key its personal data have: erase the customer {customer}"
        )));
    }
    if looked.placed.is_some() || looked.is_unreadable {
        found.add(looked);
    }
    Ok(())
}

async fn of_customer(
    environment: &Environment,
    customer: &str,
    found: &mut Found,
    progress: &dyn Progress,
) -> Result<(), OperatorError> {
    let rows = &environment.projectors.rows;
    let mut start = Start::Beginning;
    for _ in 0..ERASED_ORDER_PAGES_MAX {
        if progress.stopped() {
            return Err(OperatorError::Stopped);
        }
        let index = Index::OrdersByCustomer;
        let page = rows.list(index, customer, &start, Direction::Up, LIST_MAX);
        let page = page.await?;
        let ids: Vec<OrderId> = page.rows.iter().filter_map(id_of).collect();
        let number = ids.len() as u64;
        let looks = ids.into_iter().map(|id| look(environment, id));
        let looks = stream::iter(looks).buffered(ERASED_ORDERS_AT_ONCE);
        let looked: Vec<InspectedOrder> = looks.try_collect().await?;
        looked.into_iter().for_each(|looked| found.add(looked));
        progress.advances(number);
        match page.rows.last().filter(|_| page.more) {
            None => return Ok(()),
            Some(last) => {
                start = Start::After {
                    sort: row::text(last, "createdAt"),
                    id: row::text(last, "orderId"),
                }
            }
        }
    }
    found.orders.more = true;
    Ok(())
}

impl Found {
    fn add(&mut self, looked: InspectedOrder) {
        let orders = &mut self.orders;
        orders.number += 1;
        orders.rows += u64::from(looked.is_shown);
        orders.stored_openly += u64::from(looked.is_open);
        orders.unreadable += u64::from(looked.is_unreadable);
        let placed = looked.placed.unwrap_or_default();
        orders.since = match (orders.since, placed.at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.sources.extend(placed.source_file);
        if looked.is_shown {
            self.shown.push(looked.id.clone());
        }
        self.ids.insert(looked.id);
    }
}

/// Reads an order: one read of its events, and one of each of its rows.
async fn look(environment: &Environment, id: OrderId) -> Result<InspectedOrder, OperatorError> {
    let name = AggregateId::Order(id.clone());
    let first = environment.projectors.store.history(&name, 1, 1);
    let (mut placed, mut is_unreadable, mut is_open) = (None, false, false);
    match first.await {
        Ok(page) => {
            for event in page.commits.iter().flat_map(|commit| &commit.events) {
                match read(event) {
                    Some((read, open)) => {
                        placed = placed.or(Some(read));
                        is_open |= open;
                    }
                    None => is_unreadable = true,
                }
            }
        }
        Err(StoreError::Unavailable(error)) => {
            return Err(OperatorError::Unavailable(error.to_string()));
        }
        Err(_) => is_unreadable = true,
    }
    let is_shown = is_shown(environment, &id).await?;
    Ok(InspectedOrder {
        id,
        placed,
        is_unreadable,
        is_open,
        is_shown,
    })
}

/// The order's data in an event, and whether the event contains unencrypted personal data; `None`
/// where the event is damaged.
fn read(event: &EncodedEvent) -> Option<(Placed, bool)> {
    let placed = match event.kind == "OrderPlaced" {
        true => serde_json::from_str(event.data.get()).ok()?,
        false => Placed::default(),
    };
    let stored = Stored::of(event).ok()?;
    Some((
        placed,
        stored.is_some_and(|stored| stored.sealed.is_none() && !stored.is_erased()),
    ))
}

/// Those of the orders whose rows show personal data.
pub(super) async fn still_shown(
    environment: &Environment,
    ids: Vec<OrderId>,
) -> Result<Vec<OrderId>, OperatorError> {
    let looks = ids.into_iter().map(|id| async move {
        let shown = is_shown(environment, &id).await?;
        Ok::<_, OperatorError>(shown.then_some(id))
    });
    let looked = stream::iter(looks).buffered(ERASED_ORDERS_AT_ONCE);
    let looked: Vec<Option<OrderId>> = looked.try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}

/// Whether a row of the order shows personal data, in any generation of its read model.
async fn is_shown(environment: &Environment, id: &OrderId) -> Result<bool, OperatorError> {
    for projectors in environment.projectors.of_kind(Kind::ProcessedOrders) {
        let rows = &projectors.rows;
        let page = rows.query_partition(Table::ProcessedOrders, id.as_str(), None, LIST_MAX);
        if page.await?.rows.iter().any(shows) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn shows(row: &Row) -> bool {
    let erased = Json::from(ERASED);
    FIELDS.iter().any(|field| {
        row.get(field.as_str())
            .is_some_and(|value| *value != erased && *value != Json::Null)
    })
}

fn id_of(row: &Row) -> Option<OrderId> {
    row::text(row, "orderId").parse().ok()
}
