//! Lists of orders and shipments: what is asked for, and the index that knows it.

use chrono::NaiveDate;
use domain::{OrderId, limits::FOREIGN_ID_MAX, order, shipment};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use lambda::{
    Shards,
    http::{Problem, Request, Response},
};

use super::{
    merge::{Merged, Place, merge},
    page, parameters,
    parameters::wrong,
    parse, row_problem, shipment_shown, shown,
};
use crate::{
    Projectors, cursor,
    indexes::Index,
    limits::PARTITIONS_AT_ONCE,
    ports::{Direction, Row, RowPage, Start},
};

/// A list: the partitions of an index, and which way they are read.
struct Asked {
    index: Index,
    partitions: Vec<String>,
    direction: Direction,
    /// All of this as text, for cursors: they are good for nothing else.
    query: String,
}

/// `GET /orders?status=`, `?customerId=` or `?day=`.
pub(super) async fn orders(
    projectors: &Projectors,
    request: &Request,
) -> Result<Response, Problem> {
    let (name, value) = parameters::one_of(request, &["status", "customerId", "day"])?;
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

/// `GET /shipments?status=` or `?orderId=`.
pub(super) async fn shipments(
    projectors: &Projectors,
    request: &Request,
) -> Result<Response, Problem> {
    let (name, value) = parameters::one_of(request, &["status", "orderId"])?;
    let value = value.as_str();
    let (index, direction) = if name == "status" {
        let status = shipment::Status::try_from(value.to_owned());
        status.map_err(|error| wrong("status", error.to_string()))?;
        (Index::ShipmentsByStatus, parameters::direction(request)?)
    } else {
        parse::<OrderId>("orderId", value)?;
        let why = "an order's shipments are in the order of their ids, not of time";
        parameters::without(request, "sort", why)?;
        (Index::ShipmentsByOrder, Direction::Up)
    };
    let asked = asked(projectors, index, value, direction);
    list(projectors, request, asked, shipment_shown).await
}

fn order_status(text: &str) -> Result<(), Problem> {
    use order::Status::{Cancelled, New, Processed, Processing};
    let names = [New, Processing, Processed, Cancelled].map(order::Status::as_str);
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
    match (1..=FOREIGN_ID_MAX).contains(&length) {
        true => Ok(()),
        false => Err(wrong(
            "customerId",
            format!("1 to {FOREIGN_ID_MAX} characters were expected"),
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
        Index::OrdersByStatus | Index::OrdersByDay | Index::ShipmentsByStatus => (0..shards)
            .map(|shard| Shards::partition(value, shard))
            .collect(),
    };
    let query = format!("{index:?} {direction:?} {shards} {value}");
    Asked {
        index,
        partitions,
        direction,
        query,
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
    let behind = parameters::place(request, &asked.query)?
        .map(|text| {
            Place::parse(&text, asked.index, asked.partitions.len()).ok_or_else(cursor::foreign)
        })
        .transpose()?;
    // One more than is shown says whether there are more.
    let pages = read(projectors, &asked, behind.as_ref(), limit + 1).await?;
    let Merged { rows, next } = merge(pages, asked.index, asked.direction, limit as usize);
    let next = next.map(|place| cursor::encode(&asked.query, &place.to_string()));
    Ok(page(rows.into_iter().map(show).collect(), next))
}

/// A page of every partition, in the order of the shards.
async fn read(
    projectors: &Projectors,
    asked: &Asked,
    behind: Option<&Place>,
    limit: u32,
) -> Result<Vec<RowPage>, Problem> {
    // Boxed, since the compiler cannot see that the bare futures may change their thread.
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(asked.partitions.len());
    for (shard, partition) in asked.partitions.iter().enumerate() {
        let start = behind.map_or(Start::Beginning, |place| place.start_in(shard));
        let rows = projectors.rows.as_ref();
        let (index, direction) = (asked.index, asked.direction);
        let read = async move { rows.list(index, partition, &start, direction, limit).await };
        reads.push(read.boxed());
    }
    stream::iter(reads)
        .buffered(PARTITIONS_AT_ONCE)
        .try_collect()
        .await
        .map_err(row_problem)
}
