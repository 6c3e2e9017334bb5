//! Lists of orders and shipments: what is asked for, and the index that knows it.

use chrono::NaiveDate;
use domain::{OrderId, limits::ID_MAX, order, shipment};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use lambda::{
    Shards,
    http::{Problem, Request, Response},
};

use super::{
    merge::{Merged, Position, merge},
    parameters,
    parameters::{parsed, wrong},
    problems::row_problem,
    shown::{page, shipment_shown, shown},
};
use crate::{
    Projectors, cursor,
    indexes::Index,
    limits::PARTITIONS_AT_ONCE,
    ports::{Direction, Row, RowPage, Start},
    shipment_log::STALLED,
};

/// A list: the partitions of an index, and which way they are read.
struct Asked {
    index: Index,
    /// Partitions that are read at once; then the next ones.
    phases: Vec<Vec<String>>,
    direction: Direction,
    /// All of this as text, for cursors: they are good for nothing else.
    query: String,
    /// Does the index show too little of a row? Then each row that is shown is read, too.
    by_row: bool,
}

impl Asked {
    fn partitions(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }
}

/// `GET /orders?status=`, `?customerId=` or `?day=`, and without any of them all orders.
pub(super) async fn orders(
    projectors: &Projectors,
    request: &Request,
) -> Result<Response, Problem> {
    let filters = ["status", "customerId", "day"];
    let Some((name, value)) = parameters::at_most_one_of(request, &filters)? else {
        let asked = all_orders(projectors, parameters::direction(request)?);
        return list(projectors, request, asked, shown).await;
    };
    let value = value.as_str();
    let index = match name {
        "status" => order_status(value).map(|()| Index::OrdersByStatus),
        "customerId" => customer(value).map(|()| Index::OrdersByCustomer),
        _ => day(value).map(|()| Index::OrdersByDay),
    }?;
    let direction = parameters::direction(request)?;
    let asked = asked(projectors, index, value, direction);
    list(projectors, request, asked, shown).await
}

/// `GET /shipments?status=`, `?orderId=` or `?stalled=true`.
pub(super) async fn shipments(
    projectors: &Projectors,
    request: &Request,
) -> Result<Response, Problem> {
    let (name, value) = parameters::one_of(request, &["status", "orderId", "stalled"])?;
    let value = value.as_str();
    let asked = match name {
        "status" => {
            let status = shipment::Status::try_from(value.to_owned());
            status.map_err(|error| wrong("status", error.to_string()))?;
            let direction = parameters::direction(request)?;
            asked(projectors, Index::ShipmentsByStatus, value, direction)
        }
        "orderId" => {
            parsed::<OrderId>("orderId", value)?;
            let why = "an order's shipments are in the order of their ids, not of time";
            parameters::without(request, "sort", why)?;
            asked(projectors, Index::ShipmentsByOrder, value, Direction::Up)
        }
        _ => {
            if value != "true" {
                return Err(wrong("stalled", "true was expected"));
            }
            let direction = parameters::direction(request)?;
            asked(projectors, Index::ShipmentsWatched, STALLED, direction)
        }
    };
    list(projectors, request, asked, shipment_shown).await
}

/// All orders in order of `createdAt`: every status's partitions, merged.
///
/// An order that is closed meanwhile leaves one partition and comes into another. Those that orders
/// leave are read first, so that it is met at least once; where it is met twice, the later status
/// is shown.
fn all_orders(projectors: &Projectors, direction: Direction) -> Asked {
    let shards = projectors.environment.shards.count();
    let of_phase = |open: bool| {
        let of_status = |status: order::Status| {
            (0..shards).map(move |shard| Shards::partition(status.as_str(), shard))
        };
        let statuses = order::Status::ALL.into_iter();
        let statuses = statuses.filter(|status| status.is_open() == open);
        statuses.flat_map(of_status).collect()
    };
    Asked {
        index: Index::OrdersByStatus,
        phases: [true, false].map(of_phase).into(),
        direction,
        query: format!("all orders {direction:?} {shards}"),
        by_row: false,
    }
}

fn order_status(text: &str) -> Result<(), Problem> {
    let names = order::Status::ALL.map(order::Status::as_str);
    match names.contains(&text) {
        true => Ok(()),
        false => Err(wrong(
            "status",
            format!("one of {} was expected", names.join(", ")),
        )),
    }
}

fn customer(text: &str) -> Result<(), Problem> {
    let length = text.chars().count();
    match (1..=ID_MAX).contains(&length) {
        true => Ok(()),
        false => Err(wrong(
            "customerId",
            format!("1 to {ID_MAX} characters were expected"),
        )),
    }
}

fn day(text: &str) -> Result<(), Problem> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    // As rows write it, and in no other way.
    match day.is_ok_and(|day| day.format("%Y-%m-%d").to_string() == text) {
        true => Ok(()),
        false => Err(wrong("day", "a day was expected, such as 2024-01-15")),
    }
}

/// The partitions of `value`: one of every shard, where the index is spread.
fn asked(projectors: &Projectors, index: Index, value: &str, direction: Direction) -> Asked {
    let shards = projectors.environment.shards.count();
    let partitions = match index {
        Index::OrdersByCustomer | Index::ShipmentsByOrder => vec![value.to_owned()],
        Index::OrdersByStatus
        | Index::OrdersByDay
        | Index::ShipmentsByStatus
        | Index::ShipmentsWatched => (0..shards)
            .map(|shard| Shards::partition(value, shard))
            .collect(),
    };
    let query = format!("{index:?} {direction:?} {shards} {value}");
    Asked {
        index,
        phases: vec![partitions],
        direction,
        query,
        by_row: index == Index::ShipmentsWatched,
    }
}

async fn list(
    projectors: &Projectors,
    request: &Request,
    asked: Asked,
    show: fn(Row) -> Row,
) -> Result<Response, Problem> {
    let why = "a list is of now; an order or a shipment by itself is also of then";
    parameters::without(request, "at", why)?;
    let why = "a list is not waited for; an order or a shipment by itself is";
    parameters::without(request, "minVersion", why)?;
    let limit = parameters::limit(request)?;
    let behind = parameters::cursor_position(request, &asked.query)?
        .map(|text| {
            Position::parse(&text, asked.index, asked.partitions()).ok_or_else(cursor::foreign)
        })
        .transpose()?;
    // One more than is shown says whether there are more.
    let pages = read(projectors, &asked, behind.as_ref(), limit + 1).await?;
    let Merged { rows, next } = merge(pages, asked.index, asked.direction, limit as usize);
    let next = next.map(|position| cursor::encode(&asked.query, &position.to_string()));
    let rows = match asked.by_row {
        true => stalled_rows(projectors, &rows).await?,
        false => rows,
    };
    Ok(page(rows.into_iter().map(show).collect(), next))
}

/// The rows of these entries, in their order, without those that are not stalled any more: of such
/// a shipment the index is behind.
async fn stalled_rows(projectors: &Projectors, entries: &[Row]) -> Result<Vec<Row>, Problem> {
    let table = Index::ShipmentsWatched.table();
    let key = |entry: &Row| {
        let names = ["shipmentId", "entry"];
        let members = names.map(|name| (name.to_owned(), entry.get(name).cloned()));
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    };
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(entries.len());
    for key in entries.iter().map(key) {
        reads.push(projectors.rows.get(table, key).boxed());
    }
    let reads = stream::iter(reads).buffered(PARTITIONS_AT_ONCE);
    let rows: Vec<Option<Row>> = reads.try_collect().await.map_err(row_problem)?;
    let is_stalled = |row: &Row| row.contains_key("stalledSince");
    Ok(rows.into_iter().flatten().filter(is_stalled).collect())
}

/// A page of every partition, in the order of the shards.
async fn read(
    projectors: &Projectors,
    asked: &Asked,
    behind: Option<&Position>,
    limit: u32,
) -> Result<Vec<RowPage>, Problem> {
    let mut pages: Vec<RowPage> = Vec::with_capacity(asked.partitions());
    for phase in &asked.phases {
        // Boxed, since the compiler cannot see that the bare futures may change their thread.
        let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(phase.len());
        for (shard, partition) in phase.iter().enumerate() {
            let shard = pages.len() + shard;
            let start = behind.map_or(Start::Beginning, |position| position.start_in(shard));
            let rows = projectors.rows.as_ref();
            let (index, direction) = (asked.index, asked.direction);
            let read = async move { rows.list(index, partition, &start, direction, limit).await };
            reads.push(read.boxed());
        }
        let read = stream::iter(reads).buffered(PARTITIONS_AT_ONCE);
        let read: Vec<RowPage> = read.try_collect().await.map_err(row_problem)?;
        pages.extend(read);
    }
    Ok(pages)
}
