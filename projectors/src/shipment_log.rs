//! The read model `shipment-log`: a row per update, a function of its event alone, and a row
//! `CURRENT` per shipment, a function of its history.

use domain::{
    Json, Shipment, ShipmentId, json::Object, shipment::ShipmentUpdated, time::Precision,
};
use event_store::{Commit, commit::UnreadableCommit};

pub use crate::tables::CURRENT;
use crate::{Environment, tables::Row};

/// In whose partitions of the index of watched shipments those stand that have stalled. A status of
/// this name cannot meet them there: only [known ones](domain::shipment::Status::EXPECTING_UPDATES)
/// are watched.
pub const STALLED: &str = "STALLED";

/// What stands where a carrier did not say.
pub const UNKNOWN: &str = "Unknown";

/// The rows of a commit's updates; other events have none.
pub fn entries(commit: &Commit, environment: &Environment) -> Result<Vec<Row>, UnreadableCommit> {
    let events = commit.decoded::<Shipment>()?;
    let numbered = events.iter().zip(commit.sequence..);
    let updates = numbered.filter_map(|(event, sequence)| Some((event.update()?, sequence)));
    Ok(updates
        .map(|(update, sequence)| entry(update, sequence, environment))
        .collect())
}

/// The row of one update, the shipment's event number `sequence`.
pub fn entry(update: &ShipmentUpdated, sequence: u64, environment: &Environment) -> Row {
    let mut row = Object::from([
        ("shipmentId".to_owned(), update.shipment_id.as_str().into()),
        ("entry".to_owned(), entry_key(update, sequence).into()),
        ("timestamp".to_owned(), update.timestamp.to_string().into()),
        (
            "timestampMs".to_owned(),
            update.timestamp.millis().unsigned_abs().into(),
        ),
        ("status".to_owned(), update.status.as_str().into()),
        (
            "statusShard".to_owned(),
            environment.partition(update.status.as_str(), update.shipment_id.as_str()),
        ),
        (
            "location".to_owned(),
            update.location.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        (
            "carrier".to_owned(),
            update.carrier.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        ("eventType".to_owned(), update.kind.as_str().into()),
        (
            "eventSource".to_owned(),
            update.origin.source.clone().into(),
        ),
        ("eventId".to_owned(), update.origin.id.clone().into()),
        (
            "eventTime".to_owned(),
            update.origin.time.to_string().into(),
        ),
        ("processedAt".to_owned(), update.at.to_string().into()),
        ("version".to_owned(), sequence.into()),
        (
            "attributes".to_owned(),
            Json::Object(update.attributes.clone()),
        ),
        ("rawEvent".to_owned(), raw_event(update).to_string().into()),
    ]);
    insert(
        &mut row,
        "timestampOffset",
        update.timestamp_offset.as_deref(),
    );
    let precision = update.timestamp_precision.map(Precision::as_str);
    insert(&mut row, "timestampPrecision", precision);
    insert(&mut row, "carrierStatus", update.carrier_status.as_deref());
    insert(
        &mut row,
        "trackingNumber",
        update.tracking_number.as_deref(),
    );
    insert(
        &mut row,
        "orderId",
        update.order_id.as_ref().map(|id| id.as_str()),
    );
    row
}

/// The sort key of a row of the log.
pub(crate) fn key(row: &Row) -> String {
    match row.get("entry") {
        Some(Json::String(entry)) => entry.clone(),
        _ => String::new(),
    }
}

/// `<timestamp>#<sequence>`, the sequence with leading zeros so that it sorts as a number: a
/// shipment has at most 20,000.
fn entry_key(update: &ShipmentUpdated, sequence: u64) -> String {
    format!("{}#{sequence:06}", update.timestamp)
}

/// The event that brought the update, put together again from what was kept of it.
fn raw_event(update: &ShipmentUpdated) -> Json {
    let mut detail = update.attributes.clone();
    insert(&mut detail, "shipmentId", Some(update.shipment_id.as_str()));
    let status = update.carrier_status.as_deref();
    insert(
        &mut detail,
        "status",
        Some(status.unwrap_or(update.status.as_str())),
    );
    insert(
        &mut detail,
        "timestamp",
        Some(&update.timestamp.to_string()),
    );
    // Where an object was sent, it is among the attributes.
    if !detail.contains_key("location") {
        insert(&mut detail, "location", update.location.as_deref());
    }
    insert(&mut detail, "carrier", update.carrier.as_deref());
    insert(
        &mut detail,
        "trackingNumber",
        update.tracking_number.as_deref(),
    );
    insert(
        &mut detail,
        "orderId",
        update.order_id.as_ref().map(|id| id.as_str()),
    );
    Json::Object(Object::from([
        ("id".to_owned(), update.origin.id.clone().into()),
        ("source".to_owned(), update.origin.source.clone().into()),
        ("detail-type".to_owned(), update.kind.as_str().into()),
        ("time".to_owned(), update.origin.time.to_string().into()),
        ("detail".to_owned(), Json::Object(detail)),
    ]))
}

/// The row that says how a shipment of version `version` stands; `None` before its first update.
///
/// One that may yet stall stands in an index by when it was heard of last. Once it is found to be
/// stalled it goes to partitions of its own, [`STALLED`], so that whoever watches meets it no more,
/// and the list of stalled shipments reads them alone.
pub fn current(shipment: &Shipment, version: u64, environment: &Environment) -> Option<Row> {
    let now = shipment.current.as_ref()?;
    let mut row = current_key(&now.shipment_id);
    row.extend([
        ("currentStatus".to_owned(), now.status.as_str().into()),
        (
            "currentStatusShard".to_owned(),
            environment.partition(now.status.as_str(), now.shipment_id.as_str()),
        ),
        (
            "currentTimestamp".to_owned(),
            now.timestamp.to_string().into(),
        ),
        (
            "location".to_owned(),
            now.location.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        ("version".to_owned(), version.into()),
        ("updates".to_owned(), shipment.updates.into()),
    ]);
    let carrier = shipment
        .carrier
        .as_ref()
        .map_or(UNKNOWN, |known| known.value.as_str());
    insert(&mut row, "carrier", Some(carrier));
    let tracking_number = shipment
        .tracking_number
        .as_ref()
        .map(|known| known.value.as_str());
    insert(&mut row, "trackingNumber", tracking_number);
    let stalled_since = shipment.stalled_since().map(|since| since.to_string());
    insert(&mut row, "stalledSince", stalled_since.as_deref());
    let watched = shipment.watched_since();
    let watched = watched.map(|last_update_at| (now.status.as_str(), last_update_at));
    let stalled = shipment.stalled_since().map(|since| (STALLED, since));
    if let Some((value, last_update_at)) = watched.or(stalled) {
        let partition = environment.partition(value, now.shipment_id.as_str());
        row.insert("watchShard".to_owned(), partition);
        row.insert("heardAt".to_owned(), last_update_at.to_string().into());
    }
    // The second name is for an index that shows no update: they have an `orderId`, too.
    let order_id = shipment.order_id.as_ref().map(|known| known.value.as_str());
    for name in ["orderId", "currentOrderId"] {
        insert(&mut row, name, order_id);
    }
    Some(row)
}

/// The key of a shipment's row `CURRENT`.
pub fn current_key(id: &ShipmentId) -> Row {
    Row::from([
        ("shipmentId".to_owned(), id.as_str().into()),
        ("entry".to_owned(), CURRENT.into()),
    ])
}

fn insert(row: &mut Row, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        row.insert(name.to_owned(), value.into());
    }
}
