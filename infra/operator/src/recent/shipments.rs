//! Shipments that somebody has to look at: those now in a critical status, and those that are stalled.

use domain::{Json, ShipmentId, Timestamp, shipment::Status};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use lambda::Shards;
use projectors::{
    indexes::Index,
    ports::{Direction, Row, RowPage, Start, Table},
    shipment_log::current_key,
};
use serde::Serialize;

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{RECENT_AT_ONCE, STALLED_LOOKED_AT, STALLED_PER_PARTITION},
};

/// Shipments, in an order that whoever gives them says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentShipments {
    /// The first ones.
    pub shipments: Vec<ShipmentNow>,
    /// May there be more?
    pub more: bool,
}

/// A shipment as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentNow {
    /// Which.
    pub shipment_id: String,
    /// Its status.
    pub status: String,
    /// When the scan was that says so.
    pub timestamp: String,
    /// Where.
    pub location: String,
    /// Who carries it.
    pub carrier: String,
    /// Its order, where it names one.
    pub order_id: Option<String>,
    /// Since when nothing was heard of it, where it is stalled.
    pub stalled_since: Option<String>,
}

/// The shipments now in a critical status, by their last scan, newest first, at most `limit`: one
/// query of each status and shard.
pub async fn alerts(
    environment: &Environment,
    limit: usize,
) -> Result<RecentShipments, OperatorError> {
    let partitions = partitions(environment, Status::CRITICAL.into_iter());
    let partitions = partitions.into_iter().map(|(_, partition)| partition);
    // One more than is asked for says whether there are more.
    let wanted = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let pages = pages(environment, partitions.collect(), Direction::Down, wanted).await?;
    let mut shipments: Vec<ShipmentNow> = rows(&pages).map(shipment).collect();
    shipments.sort_by(|one, other| other.timestamp.cmp(&one.timestamp));
    let more = shipments.len() > limit;
    shipments.truncate(limit);
    Ok(RecentShipments { shipments, more })
}

/// Stalled shipments, the longest without a scan first, at most `limit`. Those that are under way are
/// asked for whose last scan is older than the environment allows, one query of each status and shard
/// of some rows; of the oldest of them the rows are read, which alone say whether one is stalled.
pub async fn stalled(
    environment: &Environment,
    limit: usize,
) -> Result<RecentShipments, OperatorError> {
    let now = environment.now().millis();
    let allowed = |status: &str| environment.projectors.stalled_after.of(status);
    let watched = Status::UNDER_WAY.into_iter();
    let watched = partitions(
        environment,
        watched.filter(|status| allowed(status).is_some()),
    );
    let names = watched.iter().map(|(_, partition)| partition.clone());
    let limit_of_each = STALLED_PER_PARTITION;
    let pages = pages(environment, names.collect(), Direction::Up, limit_of_each).await?;
    let (mut silent, mut more) = (Vec::new(), false);
    for ((status, _), page) in watched.iter().zip(&pages) {
        let after = allowed(status).map_or(0, |after| after.as_millis());
        let before = i64::try_from(after)
            .ok()
            .and_then(|it| Timestamp::from_millis(now - it));
        let before = before.map_or(String::new(), |before| before.to_string());
        // Times in rows have one length, so that their text sorts as they do.
        let old = page
            .rows
            .iter()
            .map(shipment)
            .take_while(|one| one.timestamp < before);
        let old: Vec<ShipmentNow> = old.collect();
        more |= page.more && old.len() == page.rows.len();
        silent.extend(old);
    }
    silent.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
    more |= silent.len() > STALLED_LOOKED_AT;
    silent.truncate(STALLED_LOOKED_AT);
    let mut stalled = looked_up(environment, silent).await?;
    more |= stalled.len() > limit;
    stalled.truncate(limit);
    Ok(RecentShipments {
        shipments: stalled,
        more,
    })
}

/// Those of them whose rows say that they are stalled.
async fn looked_up(
    environment: &Environment,
    silent: Vec<ShipmentNow>,
) -> Result<Vec<ShipmentNow>, OperatorError> {
    let mut looks: Vec<BoxFuture<'_, Result<Option<ShipmentNow>, OperatorError>>> = Vec::new();
    for one in silent {
        let look = async move {
            let Ok(id) = one.shipment_id.parse::<ShipmentId>() else {
                return Ok(None);
            };
            let rows = environment.projectors.rows.as_ref();
            let row = rows.get(Table::ShipmentLog, current_key(&id)).await?;
            let since = row.and_then(|row| text(&row, "stalledSince"));
            Ok(since.map(|since| ShipmentNow {
                stalled_since: Some(since),
                ..one
            }))
        };
        looks.push(look.boxed());
    }
    let found = stream::iter(looks).buffered(RECENT_AT_ONCE);
    let found: Vec<Option<ShipmentNow>> = found.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The partitions of these statuses, each with its status.
fn partitions<'a>(
    environment: &Environment,
    statuses: impl Iterator<Item = &'a str>,
) -> Vec<(&'a str, String)> {
    let shards = environment.settings.shards.count();
    let of_status =
        |status: &'a str| (0..shards).map(move |shard| (status, Shards::partition(status, shard)));
    statuses.flat_map(of_status).collect()
}

/// A page of each partition, in their order.
async fn pages(
    environment: &Environment,
    partitions: Vec<String>,
    direction: Direction,
    limit: u32,
) -> Result<Vec<RowPage>, OperatorError> {
    let rows = environment.projectors.rows.as_ref();
    // Boxed, since the compiler cannot see that the bare futures may change their thread.
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let read = async move {
            let (index, start) = (Index::ShipmentsByStatus, Start::Beginning);
            rows.list(index, &partition, &start, direction, limit).await
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
