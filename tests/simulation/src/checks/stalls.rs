//! What falls silent is marked once, in time, and not before; the next update ends it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Json, Timestamp};
use event_store::Commit;
use projectors::shipment_log;
use serde_json::Value;

use super::{Histories, rows::along};
use crate::observed::Observed;

const HOUR: i64 = 60 * 60 * 1_000;

/// Hours without an update after which a shipment of this status is stalled in this world, where
/// it ever is.
fn hours(status: &str) -> Option<i64> {
    match status {
        "CREATED" => Some(3),
        "IN_TRANSIT" => Some(2),
        "OUT_FOR_DELIVERY" => Some(1),
        _ => None,
    }
}

/// What a shipment's history says up to some event of it.
#[derive(Default)]
struct Heard {
    /// When its last update arrived.
    at: Option<Timestamp>,
    /// Its current update: time, way, sequence, status.
    current: Option<(String, usize, u64, String)>,
    /// Was it marked as stalled since that became current?
    marked: bool,
    /// Is the mark its last event?
    stalled: bool,
}

impl Heard {
    fn update(&mut self, data: &Value, sequence: u64) {
        let status = text(data, "status");
        let update = (text(data, "timestamp"), along(&status), sequence, status);
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

    /// From when on it is stalled, where it may be.
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

/// Every mark is of a shipment that was silent for as long as its status allows, and not marked
/// before; where nothing went wrong any more, it came within an hour.
pub(super) fn marks(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    for (aggregate, history) in shipments(histories) {
        let mut heard = Heard::default();
        for commit in history {
            for (event, sequence) in commit.events.iter().zip(commit.sequence..) {
                let data: Value = serde_json::from_str(event.data.get()).unwrap();
                if event.kind != "ShipmentStalled" {
                    heard.update(&data, sequence);
                    continue;
                }
                if let Some(wrong) = wrong(seen, commit, &data, &heard) {
                    found.push(format!("{aggregate} event {sequence}: {wrong}"));
                }
                (heard.marked, heard.stalled) = (true, true);
            }
        }
    }
}

/// What is wrong about a mark, if anything.
fn wrong(seen: &Observed, commit: &Commit, data: &Value, heard: &Heard) -> Option<String> {
    let status = heard.status();
    let Some(due) = heard.due() else {
        return Some(format!("{status} is marked as stalled"));
    };
    if heard.marked {
        return Some("stalled once more since the same update".to_owned());
    }
    if time(data, "stalledSince") != heard.at || text(data, "status") != status {
        return Some(format!("stalled, as if nothing was heard since: {data}"));
    }
    let place = seen.written.iter().position(|item| {
        item["aggregate"].as_s() == Ok(&commit.aggregate.to_string())
            && item["sequence"].as_n() == Ok(&commit.sequence.to_string())
    })?;
    if seen.shown[place].millis() < due {
        return Some("marked as stalled before its time".to_owned());
    }
    let (before, quiet) = seen.quiet?;
    let late = commit.at.millis() - due.max(quiet.millis());
    (place >= before && late > HOUR).then(|| format!("stalled, and found {late} ms later"))
}

/// In the end every shipment that may stall was found, and the rows say which are stalled.
pub(super) fn rows(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let mut silent = BTreeSet::new();
    for (aggregate, history) in shipments(histories) {
        let mut heard = Heard::default();
        for (event, sequence) in history
            .iter()
            .flat_map(|commit| commit.events.iter().zip(commit.sequence..))
        {
            match event.kind.as_str() {
                "ShipmentStalled" => (heard.marked, heard.stalled) = (true, true),
                _ => {
                    let data: Value = serde_json::from_str(event.data.get()).unwrap();
                    heard.update(&data, sequence);
                }
            }
        }
        if heard.due().is_some() && !heard.marked {
            found.push(format!("{aggregate} is silent, and nobody was told"));
        }
        if heard.stalled {
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
            found.push(format!("{aggregate} is stalled by its row: {stalled}"));
        }
    }
}

fn shipments(histories: &Histories) -> impl Iterator<Item = (&String, &Vec<Commit>)> {
    let shipments = histories.iter();
    shipments.filter(|(aggregate, _)| aggregate.starts_with("shipment#"))
}
