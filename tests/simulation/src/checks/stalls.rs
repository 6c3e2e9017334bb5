//! A shipment without updates is marked as stalled once, in time and not too early. Its next update
//! ends that.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Json, Timestamp};
use event_store::Commit;
use projectors::shipment_log;
use serde_json::Value;

use super::{Histories, rows::stage};
use crate::observed::Observed;

const HOUR: i64 = 60 * 60 * 1_000;

/// Returns after how many hours without an update a shipment of this status is stalled in this
/// world. `None` means never.
fn hours(status: &str) -> Option<i64> {
    match status {
        "CREATED" => Some(3),
        "IN_TRANSIT" => Some(2),
        "OUT_FOR_DELIVERY" => Some(1),
        _ => None,
    }
}

/// What a shipment's history says, up to some event.
#[derive(Default)]
struct ShipmentView {
    /// When the last update arrived.
    at: Option<Timestamp>,
    /// The current update: timestamp, stage, sequence, status.
    current: Option<(String, usize, u64, String)>,
    /// Whether the shipment was marked as stalled since that update became current.
    marked: bool,
    /// Whether the last event is a mark.
    stalled: bool,
}

impl ShipmentView {
    fn update(&mut self, data: &Value, sequence: u64) {
        let status = text(data, "status");
        let update = (text(data, "timestamp"), stage(&status), sequence, status);
        self.at = time(data, "at");
        self.stalled = false;
        if self
            .current
            .as_ref()
            .is_none_or(|current| *current <= update)
        {
            (self.current, self.marked) = (Some(update), false);
        }
    }

    fn status(&self) -> &str {
        self.current.as_ref().map_or("", |current| &current.3)
    }

    /// Returns from when on the shipment is stalled without another update, in milliseconds since
    /// 1970. `None` where it never is.
    fn due(&self) -> Option<i64> {
        Some(self.at?.millis() + hours(self.status())? * HOUR)
    }
}

fn text(data: &Value, name: &str) -> String {
    data[name].as_str().unwrap_or_default().to_owned()
}

fn time(data: &Value, name: &str) -> Option<Timestamp> {
    data[name].as_str()?.parse().ok()
}

/// Every mark is of a shipment that had no update for as long as its status allows, and that was
/// not marked before since that update. Once faults are off, the mark comes within an hour.
pub(super) fn marks(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    for (aggregate, history) in shipments(histories) {
        let mut shipment = ShipmentView::default();
        for commit in history {
            for (event, sequence) in commit.events.iter().zip(commit.sequence..) {
                let data: Value = serde_json::from_str(event.data.get()).unwrap();
                if event.kind != "ShipmentStalled" {
                    shipment.update(&data, sequence);
                    continue;
                }
                if let Some(wrong) = wrong(seen, commit, &data, &shipment) {
                    found.push(format!("{aggregate} event {sequence}: {wrong}"));
                }
                (shipment.marked, shipment.stalled) = (true, true);
            }
        }
    }
}

/// Returns what is wrong about a mark, or `None` where it is right.
fn wrong(
    seen: &Observed,
    commit: &Commit,
    data: &Value,
    shipment: &ShipmentView,
) -> Option<String> {
    let status = shipment.status();
    let Some(due) = shipment.due() else {
        return Some(format!(
            "marked as stalled with the status {status}, which never stalls"
        ));
    };
    if shipment.marked {
        return Some("marked as stalled twice since the same update".to_owned());
    }
    if time(data, "stalledSince") != shipment.at || text(data, "status") != status {
        return Some(format!(
            "marked as stalled for an update that is not the last: {data}"
        ));
    }
    let place = seen.written.iter().position(|item| {
        item["aggregate"].as_s() == Ok(&commit.aggregate.to_string())
            && item["sequence"].as_n() == Ok(&commit.sequence.to_string())
    })?;
    if seen.clock_at_write[place].millis() < due {
        return Some("marked as stalled before its time".to_owned());
    }
    let (before, quiet) = seen.quiet_since?;
    let late = commit.at.millis() - due.max(quiet.millis());
    (place >= before && late > HOUR).then(|| format!("marked as stalled {late} ms too late"))
}

/// At the end every shipment that can stall is marked, and the rows `CURRENT` say which shipments
/// are stalled.
pub(super) fn rows(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let mut silent = BTreeSet::new();
    for (aggregate, history) in shipments(histories) {
        let mut shipment = ShipmentView::default();
        for (event, sequence) in history
            .iter()
            .flat_map(|commit| commit.events.iter().zip(commit.sequence..))
        {
            match event.kind.as_str() {
                "ShipmentStalled" => (shipment.marked, shipment.stalled) = (true, true),
                _ => {
                    let data: Value = serde_json::from_str(event.data.get()).unwrap();
                    shipment.update(&data, sequence);
                }
            }
        }
        if shipment.due().is_some() && !shipment.marked {
            found.push(format!("{aggregate} is stalled, and was never marked"));
        }
        if shipment.stalled {
            silent.insert(aggregate.as_str());
        }
    }
    let rows: BTreeMap<String, bool> = seen
        .shipments
        .iter()
        .filter(|row| row.get("entry") == Some(&shipment_log::CURRENT.into()))
        .filter_map(|row| match row.get("shipmentId")? {
            Json::String(id) => Some((format!("shipment#{id}"), row.contains_key("stalledSince"))),
            _ => None,
        })
        .collect();
    for (aggregate, stalled) in rows {
        if stalled != silent.contains(aggregate.as_str()) {
            found.push(format!(
                "the row of {aggregate} says stalled: {stalled}, its history says the opposite"
            ));
        }
    }
}

fn shipments(histories: &Histories) -> impl Iterator<Item = (&String, &Vec<Commit>)> {
    let shipments = histories.iter();
    shipments.filter(|(aggregate, _)| aggregate.starts_with("shipment#"))
}
