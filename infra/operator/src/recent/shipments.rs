//! Shipments that need a person's attention: those in a critical status, and those that are
//! stalled.

use domain::{Json, ShipmentId, shipment::Status};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use lambda::Shards;
use projectors::{
    indexes::Index,
    ports::{Direction, Row, RowPage, Start, Table},
    shipment_log::{STALLED, current_key},
};
use serde::Serialize;

use crate::{environment::Environment, error::OperatorError, limits::RECENT_AT_ONCE};

/// Shipments, in the order that the function which returns them documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentShipments {
    /// The first shipments.
    pub shipments: Vec<ShipmentNow>,
    /// Whether there may be more.
    pub more: bool,
}

/// The current state of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentNow {
    /// The shipment's id.
    pub shipment_id: String,
    /// The shipment's status.
    pub status: String,
    /// The time of the scan that gave it this status, as the row contains it.
    pub timestamp: String,
    /// The place of that scan.
    pub location: String,
    /// The carrier.
    pub carrier: String,
    /// The id of the shipment's order, where the shipment names one.
    pub order_id: Option<String>,
    /// The arrival of the shipment's last update, where the shipment is stalled.
    pub stalled_since: Option<String>,
}

/// The shipments that are in a critical status now, those with the latest scan first, at most
/// `limit`. It makes one query for each status and shard.
pub async fn alerts(
    environment: &Environment,
    limit: usize,
) -> Result<RecentShipments, OperatorError> {
    let partitions = partitions(environment, Status::CRITICAL.into_iter());
    // One more than the limit is read: it says whether there are more.
    let wanted = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let index = Index::ShipmentsByStatus;
    let pages = pages(environment, index, partitions, Direction::Down, wanted).await?;
    let mut shipments: Vec<ShipmentNow> = rows(&pages).map(shipment).collect();
    shipments.sort_by(|one, other| other.timestamp.cmp(&one.timestamp));
    let more = shipments.len() > limit;
    shipments.truncate(limit);
    Ok(RecentShipments { shipments, more })
}

/// The stalled shipments, those without an update for the longest time first, at most `limit`. It
/// makes one query for each shard, and then reads the row of each shipment that it returns, which
/// says whether it is still stalled.
pub async fn stalled(
    environment: &Environment,
    limit: usize,
) -> Result<RecentShipments, OperatorError> {
    let partitions = partitions(environment, [STALLED].into_iter());
    // One more than the limit is read: it says whether there are more.
    let wanted = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let index = Index::ShipmentsWatched;
    let pages = pages(environment, index, partitions, Direction::Up, wanted).await?;
    let mut entries: Vec<&Row> = rows(&pages).collect();
    entries.sort_by_key(|entry| text(entry, "heardAt"));
    let more = entries.len() > limit;
    entries.truncate(limit);
    let shipments = looked_up(environment, entries).await?;
    Ok(RecentShipments { shipments, more })
}

/// Reads the rows of these index entries and returns those shipments that are stalled.
async fn looked_up(
    environment: &Environment,
    entries: Vec<&Row>,
) -> Result<Vec<ShipmentNow>, OperatorError> {
    let ids = entries
        .into_iter()
        .filter_map(|entry| text(entry, "shipmentId"));
    let mut looks: Vec<BoxFuture<'_, Result<Option<Row>, OperatorError>>> = Vec::new();
    for id in ids {
        let look = async move {
            let Ok(id) = id.parse::<ShipmentId>() else {
                return Ok(None);
            };
            let rows = environment.projectors.rows.as_ref();
            Ok(rows.get(Table::ShipmentLog, current_key(&id)).await?)
        };
        looks.push(look.boxed());
    }
    let found = stream::iter(looks).buffered(RECENT_AT_ONCE);
    let found: Vec<Option<Row>> = found.try_collect().await?;
    let shipments = found.iter().flatten().map(shipment);
    Ok(shipments
        .filter(|one| one.stalled_since.is_some())
        .collect())
}

/// The index partitions of these statuses: one for each status and shard.
fn partitions<'a>(
    environment: &Environment,
    statuses: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let shards = environment.settings.shards.count();
    let of_status = |status: &'a str| (0..shards).map(|shard| Shards::partition(status, shard));
    statuses.flat_map(of_status).collect()
}

/// Reads one page of each partition, in the order of `partitions`.
async fn pages(
    environment: &Environment,
    index: Index,
    partitions: Vec<String>,
    direction: Direction,
    limit: u32,
) -> Result<Vec<RowPage>, OperatorError> {
    let rows = environment.projectors.rows.as_ref();
    // Boxed, since the compiler cannot prove that the bare futures are `Send`.
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let read = async move {
            rows.list(index, &partition, &Start::Beginning, direction, limit)
                .await
        };
        reads.push(read.boxed());
    }
    let read = stream::iter(reads).buffered(RECENT_AT_ONCE);
    Ok(read.try_collect().await?)
}

fn rows(pages: &[RowPage]) -> impl Iterator<Item = &Row> {
    pages.iter().flat_map(|page| &page.rows)
}

fn shipment(row: &Row) -> ShipmentNow {
    let named = |name: &str| text(row, name).unwrap_or_default();
    ShipmentNow {
        shipment_id: named("shipmentId"),
        status: named("currentStatus"),
        timestamp: named("currentTimestamp"),
        location: named("location"),
        carrier: named("carrier"),
        order_id: text(row, "orderId"),
        stalled_since: text(row, "stalledSince"),
    }
}

fn text(row: &Row, name: &str) -> Option<String> {
    match row.get(name) {
        Some(Json::String(text)) => Some(text.clone()),
        _ => None,
    }
}
