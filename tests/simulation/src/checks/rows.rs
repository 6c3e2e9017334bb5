//! Rows agree with the histories.

use std::collections::BTreeSet;

use domain::{AggregateId, Json, Order, Shipment, personal::FIELDS};
use event_store::{Commit, Loaded};
use projectors::{ports::Row, processed_orders, shipment_log};

use super::Histories;
use crate::{observed::Observed, world::environment};

/// Returns the row that an aggregate must have after all its commits, as JSON. Returns `None`
/// where the history cannot be read or the aggregate has no row.
fn fold<A: domain::EventSourced>(
    history: &[Commit],
    row: impl Fn(&Loaded<A>) -> Option<Row>,
) -> Option<String> {
    let id: AggregateId = history[0].aggregate.clone();
    let loaded = Loaded::<A>::from_history(id, history.to_vec()).ok()?;
    Some(Json::Object(row(&loaded)?).to_string())
}

/// I6, I7: at the end each row is the fold of its whole history, no row is left over, and no
/// row's version ever went back.
pub(super) fn rows(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let environment = environment();
    for row in &seen.went_back {
        found.push(format!("I7: {row} went back"));
    }
    for (aggregate, history) in histories {
        let opened = seen.opened.get(aggregate).unwrap_or(history);
        let (rows, expected) = match &history[0].aggregate {
            AggregateId::Order(id) => (
                find(&seen.orders, "orderId", id.as_str(), None),
                fold::<Order>(opened, |loaded| {
                    processed_orders::row(&loaded.state, loaded.version, &environment)
                }),
            ),
            AggregateId::Shipment(id) => (
                find(
                    &seen.shipments,
                    "shipmentId",
                    id.as_str(),
                    Some(shipment_log::CURRENT),
                ),
                fold::<Shipment>(history, |loaded| {
                    shipment_log::current(&loaded.state, loaded.version, &environment)
                }),
            ),
            // Erasures have no rows.
            AggregateId::Erasure(_) => continue,
        };
        if let AggregateId::Order(_) = &history[0].aggregate {
            same_but_personal(aggregate, [history, opened], found);
        }
        // A history that cannot be folded is parked and has no row.
        let Some(expected) = expected else { continue };
        if rows.as_slice() != [expected.as_str()] {
            found.push(format!("I6: {aggregate}: {rows:?} is not {expected}"));
        }
    }
    let tables = [
        ("order", "orderId", &seen.orders),
        ("shipment", "shipmentId", &seen.shipments),
    ];
    for (kind, name, rows) in tables {
        let unexpected = rows.iter().filter(|row| {
            let id = row[name].to_string().replace('"', "");
            !histories.contains_key(&format!("{kind}#{id}"))
        });
        found.extend(unexpected.map(|row| format!("I6: a row without a history: {row:?}")));
    }
}

/// Sealing or erasing personal data changes nothing else of an order.
fn same_but_personal(aggregate: &str, histories: [&[Commit]; 2], found: &mut Vec<String>) {
    let bare = |history: &[Commit]| {
        fold::<Order>(history, |loaded| {
            let mut row = processed_orders::row(&loaded.state, loaded.version, &environment())?;
            for field in FIELDS {
                row.remove(field.as_str());
            }
            Some(row)
        })
    };
    let [sealed, opened] = histories.map(bare);
    if sealed != opened {
        found.push(format!("{aggregate}: {opened:?} is opened from {sealed:?}"));
    }
}

fn find(rows: &[Row], name: &str, id: &str, entry: Option<&str>) -> Vec<String> {
    let is = |row: &&Row| {
        row.get(name) == Some(&id.into())
            && entry.is_none_or(|entry| row.get("entry") == Some(&entry.into()))
    };
    rows.iter()
        .filter(is)
        .map(|row| Json::Object(row.clone()).to_string())
        .collect()
}

/// I6: the current status of a shipment is that of its latest update; at equal timestamps that of
/// the highest stage, and then of the highest sequence. It is computed from the rows of the log
/// and the contract's list of stages, not by the code under test.
pub(super) fn current(seen: &Observed, found: &mut Vec<String>) {
    let text = |row: &Row, name: &str| match row.get(name) {
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    };
    let rows = seen.shipments.iter();
    let (currents, log): (Vec<&Row>, Vec<&Row>) =
        rows.partition(|row| text(row, "entry") == shipment_log::CURRENT);
    for current in currents {
        let id = text(current, "shipmentId");
        let own = log.iter().filter(|row| text(row, "shipmentId") == id);
        let latest = own.max_by_key(|row| {
            let entry = text(row, "entry");
            let sequence: u64 = entry.rsplit('#').next().unwrap().parse().unwrap();
            let way = stage(&text(row, "status"));
            (text(row, "timestamp"), way, sequence)
        });
        let expected = latest.map(|row| text(row, "status"));
        let stands = text(current, "currentStatus");
        if expected.as_ref() != Some(&stands) {
            found.push(format!(
                "I6: the row of {id} has the status {stands}, its log {expected:?}"
            ));
        }
    }
}

/// Returns the stage of a status on a shipment's way, from 0 to 3. A status that is not in the list
/// is at stage 1, under way.
pub(super) fn stage(status: &str) -> usize {
    let ways: [&[&str]; 4] = [
        &["CREATED"],
        &["IN_TRANSIT", "DELAYED"],
        &["OUT_FOR_DELIVERY"],
        &["LOST", "DELIVERED"],
    ];
    ways.iter()
        .position(|way| way.contains(&status))
        .unwrap_or(1)
}

/// I6: the log has one entry for every update, and no other entry.
pub(super) fn log(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let environment = environment();
    let entries = |row: &&Row| row.get("entry") != Some(&shipment_log::CURRENT.into());
    let logged: BTreeSet<String> = seen
        .shipments
        .iter()
        .filter(entries)
        .map(|row| Json::Object(row.clone()).to_string())
        .collect();
    let mut expected = BTreeSet::new();
    for (aggregate, history) in histories
        .iter()
        .filter(|(name, _)| name.starts_with("shipment#"))
    {
        for commit in history {
            for (event, sequence) in commit
                .decoded::<Shipment>()
                .unwrap()
                .iter()
                .zip(commit.sequence..)
            {
                let Some(update) = event.update() else {
                    continue;
                };
                let row = shipment_log::entry(update, sequence, &environment);
                let row = Json::Object(row).to_string();
                if !logged.contains(&row) {
                    found.push(format!(
                        "I6: {aggregate} event {sequence} is not in the log"
                    ));
                }
                expected.insert(row);
            }
        }
    }
    let unexpected = logged.difference(&expected);
    found.extend(unexpected.map(|row| format!("I6: a log row without an update: {row}")));
}
