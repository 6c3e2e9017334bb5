//! What must hold of every run, whatever went wrong: the invariants I1 to I12 as far as an
//! observer can see them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AggregateId, Json, Order, Shipment};
use event_store::{Commit, Loaded, commit::Item};
use projectors::{ports::Row, processed_orders, shipment_log};
use serde_json::Value;
use support::files::BUCKET;

use crate::{
    observed::{Answered, Observed},
    plan::{MARKER, Wanted, Way},
    world::environment,
};

/// The consumers' numbers, as `given_up` has them.
const PROJECT: usize = 0;
const NOTIFY: usize = 1;

type Histories = BTreeMap<String, Vec<Commit>>;

/// Everything that does not hold, in words.
pub fn violations(seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if !seen.at_rest {
        found.push("it never comes to rest".to_owned());
    }
    let histories = histories(seen, &mut found);
    immutable(seen, &mut found);
    for (aggregate, history) in &histories {
        whole(aggregate, history, &mut found);
        once(aggregate, history, &mut found);
    }
    answers(seen, &histories, &mut found);
    files(seen, &histories, &mut found);
    rows(seen, &histories, &mut found);
    log(seen, &histories, &mut found);
    messages(seen, &histories, &mut found);
    automatic(seen, &histories, &mut found);
    parked(seen, &mut found);
    secrets(seen, &mut found);
    found
}

/// I2, in part: every stored item is a commit. The poisoned order's is one, too.
fn histories(seen: &Observed, found: &mut Vec<String>) -> Histories {
    let mut histories = Histories::new();
    for item in &seen.stored {
        match Commit::from_item(item.clone()) {
            Ok(commit) => {
                histories
                    .entry(commit.aggregate.to_string())
                    .or_default()
                    .push(commit);
            }
            Err(error) => found.push(format!("I2: {error}")),
        }
    }
    histories
}

/// I5: what was written stays as it was.
fn immutable(seen: &Observed, found: &mut Vec<String>) {
    if seen.written.len() != seen.stored.len() {
        found.push("I5: a commit was written over another".to_owned());
    }
    let key = |item: &Item| {
        (
            item["aggregate"].as_s().cloned().ok(),
            item["sequence"].as_n().cloned().ok(),
        )
    };
    let stored: BTreeMap<_, &Item> = seen.stored.iter().map(|item| (key(item), item)).collect();
    for item in &seen.written {
        if stored.get(&key(item)) != Some(&item.as_ref()) {
            found.push(format!(
                "I5: {:?} is not as it was written",
                item["aggregate"]
            ));
        }
    }
}

/// I2: sequences and ordinals without gap or fork, times in order.
fn whole(aggregate: &str, history: &[Commit], found: &mut Vec<String>) {
    let (mut sequence, mut ordinal, mut at) = (1, 1, None);
    for commit in history {
        if (commit.sequence, commit.ordinal) != (sequence, ordinal) {
            found.push(format!("I2: {aggregate} has a gap at {sequence}"));
        }
        if at.is_some_and(|before| commit.at < before) {
            found.push(format!("I2: {aggregate} goes back in time at {sequence}"));
        }
        (sequence, ordinal, at) = (commit.next_sequence(), ordinal + 1, Some(commit.at));
    }
}

/// I1, I3: a command has one effect, and so has a content that is known.
fn once(aggregate: &str, history: &[Commit], found: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    for commit in history {
        if !ids.insert(&commit.cause.command_id) {
            found.push(format!(
                "I3: {aggregate} did {} twice",
                commit.cause.command_id
            ));
        }
    }
    if aggregate.starts_with("order#") {
        let placed = count(history, "OrderPlaced");
        let closed = count(history, "OrderProcessed") + count(history, "OrderCancelled");
        if placed > 1 || closed > 1 {
            found.push(format!(
                "I1: {aggregate} was placed {placed} times, closed {closed} times"
            ));
        }
    }
}

fn count(history: &[Commit], kind: &str) -> usize {
    history
        .iter()
        .flat_map(|commit| &commit.events)
        .filter(|event| event.kind == kind)
        .count()
}

// ---- Answers

/// I1, I3, I4: what was answered is what is stored.
fn answers(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let nothing = Vec::new();
    let mut first: BTreeMap<_, &Answered> = BTreeMap::new();
    for answered in &seen.answers {
        let wanted = &answered.wanted;
        let history = histories.get(&wanted.aggregate).unwrap_or(&nothing);
        match answered.status {
            200 => acknowledged(answered, history, found),
            400 | 404 | 409 | 412 | 422 => refused(seen, answered, history, found),
            other => found.push(format!("answered {other}: {}", answered.body)),
        }
        // The same command, the same answer; a refused one may be answered anew.
        if answered.status == 200 {
            let earlier = first.entry(wanted.identity()).or_insert(answered);
            if earlier.body != answered.body {
                found.push(format!("I3: {} and {}", earlier.body, answered.body));
            }
        }
    }
}

fn acknowledged(answered: &Answered, history: &[Commit], found: &mut Vec<String>) {
    let wanted = &answered.wanted;
    let version = serde_json::from_str::<Value>(&answered.body).unwrap()["version"].as_u64();
    // Its own commit; or that of another command which had said the same before, and then its id
    // is free, and may have been used for something else since.
    let own =
        |commit: &&Commit| commit.cause.command_id == wanted.command_id() && says(commit, wanted);
    let at_version = |commit: &&Commit| Some(commit.version()) == version;
    let stands_for = history
        .iter()
        .find(own)
        .or_else(|| history.iter().find(at_version));
    let Some(commit) = stands_for else {
        found.push(format!(
            "I1: acknowledged and not stored: {} {}",
            wanted.path, answered.body
        ));
        return;
    };
    if Some(commit.version()) != version || !says(commit, wanted) {
        let stored = &commit.events[0].kind;
        found.push(format!(
            "I1: {stored} was stored for {} {}",
            wanted.path, answered.body
        ));
    }
}

/// Is this commit what the command asked for?
fn says(commit: &Commit, wanted: &Wanted) -> bool {
    let data: Value = serde_json::from_str(commit.events[0].data.get()).unwrap();
    match commit.events[0].kind.as_str() {
        "OrderPlaced" => {
            let quantity = &data["items"][0]["quantity"];
            let total = 255 * wanted.body["items"][0]["quantity"].as_u64().unwrap_or(0);
            let exact = format!("{}.{:02}", total / 100, total % 100);
            let exact = exact.trim_end_matches('0');
            wanted.path == "/orders"
                && *quantity == wanted.body["items"][0]["quantity"]
                && commit.events[0]
                    .data
                    .get()
                    .contains(&format!("\"totalAmount\":{exact}"))
        }
        "OrderProcessed" => wanted.path.ends_with("/complete"),
        "OrderCancelled" => wanted.path.ends_with("/cancel"),
        _ => {
            wanted.path.ends_with("/updates")
                && data["status"] == wanted.body["status"]
                && same_time(&data["timestamp"], &wanted.body["timestamp"])
        }
    }
}

/// Is the time of an update the one that was sent, where one was?
fn same_time(stored: &Value, sent: &Value) -> bool {
    let seconds = |time: &Value| time.as_str().map(|text| text[..19].to_owned());
    sent.is_null() || seconds(stored) == seconds(sent)
}

/// I3, I4: a refused command has left no trace; its id can only stand for another one.
fn refused(seen: &Observed, answered: &Answered, history: &[Commit], found: &mut Vec<String>) {
    let wanted = &answered.wanted;
    let stored = history
        .iter()
        .find(|commit| commit.cause.command_id == wanted.command_id());
    let Some(commit) = stored else {
        if answered.status == 422 {
            found.push(format!(
                "I3: 422 for {}, whose id is free",
                wanted.command_id()
            ));
        }
        return;
    };
    // The id is taken: by another command that somebody sent under it, and this one was told so;
    // or this very command was refused before another copy of it came through.
    let of_id = || {
        seen.wanted.iter().filter(|other| {
            (&other.aggregate, other.command_id()) == (&wanted.aggregate, wanted.command_id())
        })
    };
    let others = of_id().any(|other| other.identity() != wanted.identity());
    let copies = of_id().count();
    if says(commit, wanted) && !others && copies == 1 {
        found.push(format!(
            "I4: {} answered {} for its own effect",
            wanted.command_id(),
            answered.status
        ));
    }
}

/// I1, I3: what was reported of a file is what is stored, and every file has its report.
fn files(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    for file in &seen.files {
        let (key, version) = (&file.object.key, file.object.version());
        let upload = format!("upload/{key}/{version}\"");
        let delivered = !seen.undelivered.iter().any(|event| event.contains(&upload));
        let Some(report) = &file.report else {
            if delivered {
                found.push(format!("I1: {key} {version} has no report"));
            }
            continue;
        };
        let id = format!("file/{BUCKET}/{key}/{version}/0");
        let history = histories.get(&file.wanted.aggregate);
        let own = history.and_then(|commits| {
            let mut commits = commits.iter();
            commits.find(|commit| commit.cause.command_id == id)
        });
        let said = own.is_some_and(|commit| says(commit, &file.wanted));
        let equal = history.is_some_and(|commits| says(&commits[0], &file.wanted));
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        let right = match (count("accepted"), count("alreadyKnown"), count("rejected")) {
            (1, 0, 1) => said,
            (0, 1, 1) => own.is_none() && equal,
            (0, 0, 2) => own.is_none() && history.is_some() && !equal,
            _ => false,
        };
        if !right {
            found.push(format!("I1: {key} {version} was reported {report}"));
        }
    }
}

// ---- Rows

fn given_up(seen: &Observed, consumer: usize, aggregate: &str) -> bool {
    seen.given_up
        .iter()
        .any(|(by, what)| *by == consumer && what == aggregate)
}

/// The rows that an aggregate has after each commit from number `from` on.
fn folds<A: domain::EventSourced>(
    history: &[Commit],
    from: usize,
    row: impl Fn(&Loaded<A>) -> Option<Row>,
) -> Option<Vec<String>> {
    let mut rows = Vec::new();
    for end in from..=history.len() {
        let id: AggregateId = history[0].aggregate.clone();
        let loaded = Loaded::<A>::from_history(id, history[..end].to_vec()).ok()?;
        rows.push(Json::Object(row(&loaded)?).to_string());
    }
    Some(rows)
}

/// I6, I7: a row is the fold of a prefix of its history, at rest of all of it; it never went back.
fn rows(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let environment = environment();
    for row in &seen.went_back {
        found.push(format!("I7: {row} went back"));
    }
    for (aggregate, history) in histories {
        let exempt = given_up(seen, PROJECT, aggregate);
        let from = if exempt { 1 } else { history.len() };
        let (rows, expected) = match &history[0].aggregate {
            AggregateId::Order(id) => (
                find(&seen.orders, "orderId", id.as_str(), None),
                folds::<Order>(history, from, |loaded| {
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
                folds::<Shipment>(history, from, |loaded| {
                    shipment_log::current(&loaded.state, loaded.version, &environment)
                }),
            ),
        };
        // What cannot be folded is parked, and has no row.
        let Some(expected) = expected else { continue };
        let right = match rows.as_slice() {
            [] => exempt,
            [row] if exempt => expected.contains(row),
            [row] => expected.last() == Some(row),
            _ => false,
        };
        if !right {
            found.push(format!(
                "I6: {aggregate}: {rows:?} is not {:?}",
                expected.last()
            ));
        }
    }
    let strangers = seen.orders.iter().filter(|row| {
        let id = row["orderId"].to_string().replace('"', "");
        !histories.contains_key(&format!("order#{id}"))
    });
    found.extend(strangers.map(|row| format!("I6: a row of nothing: {row:?}")));
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

/// I6: a log entry for every update, and none for anything else.
fn log(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
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
                let domain::shipment::Event::ShipmentUpdated(update) = event;
                let row = shipment_log::entry(update, sequence, &environment);
                let row = Json::Object(row).to_string();
                if !logged.contains(&row) && !given_up(seen, PROJECT, aggregate) {
                    found.push(format!(
                        "I6: {aggregate} event {sequence} is not in the log"
                    ));
                }
                expected.insert(row);
            }
        }
    }
    let strangers = logged.difference(&expected);
    found.extend(strangers.map(|row| format!("I6: in the log and nowhere else: {row}")));
}

// ---- Messages

/// I9: every event that has a message is announced at least once, with a stable id, and nothing
/// else is announced.
fn messages(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    let mut alerts: BTreeMap<String, String> = BTreeMap::new();
    for (aggregate, history) in histories {
        for commit in history {
            for (event, sequence) in commit.events.iter().zip(commit.sequence..) {
                let data: Value = serde_json::from_str(event.data.get()).unwrap();
                for detail_type in said_of(&event.kind, event.version, &data) {
                    let id = format!("{aggregate}/{sequence}/{detail_type}");
                    if detail_type == "Shipment Alert" {
                        alerts.insert(id.clone(), aggregate.clone());
                    }
                    expected.insert(id, aggregate.clone());
                }
            }
        }
    }
    let announced: BTreeSet<&str> = seen.announced.iter().map(|said| said.id.as_str()).collect();
    let alerted: BTreeSet<&str> = seen.alerted.iter().map(|said| said.id.as_str()).collect();
    for (sent, due) in [(&announced, &expected), (&alerted, &alerts)] {
        for (id, aggregate) in due {
            if !sent.contains(id.as_str()) && !given_up(seen, NOTIFY, aggregate) {
                found.push(format!("I9: never announced: {id}"));
            }
        }
        let strangers = sent.iter().filter(|id| !due.contains_key(**id));
        found.extend(strangers.map(|id| format!("I9: announced of nothing: {id}")));
    }
    let mut details: BTreeMap<&str, &Json> = BTreeMap::new();
    for said in &seen.announced {
        if *details.entry(&said.id).or_insert(&said.detail) != &said.detail {
            found.push(format!("I9: {} says two things", said.id));
        }
    }
}

/// What is to be said of an event, by the contract and not by the code that says it.
fn said_of(kind: &str, version: u32, data: &Value) -> Vec<&'static str> {
    const CRITICAL: [&str; 4] = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"];
    match (kind, version) {
        ("OrderPlaced", 1) => vec!["Order Created"],
        ("OrderProcessed", 1) => vec!["Order Processed"],
        ("OrderCancelled", 1) => vec!["Order Cancelled"],
        ("ShipmentUpdated", 1) => {
            let changed = data["current"] == true && data["previousStatus"] != data["status"];
            let critical = CRITICAL.iter().any(|status| data["status"] == *status);
            let said = [
                (changed, "Shipment Status Changed"),
                (critical, "Shipment Alert"),
            ];
            said.into_iter()
                .filter(|(due, _)| *due)
                .map(|(_, name)| name)
                .collect()
        }
        _ => vec![],
    }
}

/// An order that nobody else completes is completed or cancelled in the end.
fn automatic(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    for (aggregate, history) in histories {
        let placed = &history[0].events[0];
        let automatic = placed.data.get().contains(r#""fulfilment":"automatic""#);
        let id = aggregate.trim_start_matches("order#");
        let undelivered = seen
            .undelivered
            .iter()
            .any(|event| event.contains(&format!("\"orderId\":\"{id}\"")));
        let excused = undelivered || given_up(seen, NOTIFY, aggregate) || placed.version != 1;
        if automatic && history.len() == 1 && !excused {
            found.push(format!("{aggregate} waits for its completion for ever"));
        }
        let own = format!("fulfil/{id}");
        if !automatic && history.iter().any(|commit| commit.cause.command_id == own) {
            found.push(format!("{aggregate} was completed for its merchant"));
        }
    }
}

/// I10: what cannot be read is parked for both consumers, and nothing else is.
fn parked(seen: &Observed, found: &mut Vec<String>) {
    let poisoned = seen.stored.iter().any(|item| {
        item["aggregate"]
            .as_s()
            .is_ok_and(|aggregate| aggregate == "order#poison")
    });
    for (consumer, name) in [(PROJECT, "project"), (NOTIFY, "notify")] {
        let id = format!("{name}#order#poison");
        let there = seen.parked.contains(&id);
        if poisoned && !there && !given_up(seen, consumer, "order#poison") {
            found.push(format!("I10: {id} is not parked"));
        }
    }
    let strangers = seen
        .parked
        .iter()
        .filter(|id| !id.ends_with("#order#poison"));
    found.extend(strangers.map(|id| format!("I10: {id} is parked")));
}

/// I12: no customer data in logs and operators' messages.
fn secrets(seen: &Observed, found: &mut Vec<String>) {
    if seen.logs.contains(MARKER) {
        found.push("I12: customer data in the logs".to_owned());
    }
    if seen.metrics.iter().any(|line| line.contains(MARKER)) {
        found.push("I12: customer data in a metric".to_owned());
    }
    let alerts = seen.alerted.iter().map(|alert| &alert.body);
    if seen
        .told
        .iter()
        .chain(alerts)
        .any(|text| text.contains(MARKER))
    {
        found.push("I12: customer data in an operator's message".to_owned());
    }
    // Operators hear of commands by the bus that are refused, and of files.
    let heard = |wanted: &Wanted| matches!(wanted.way, Way::Bus | Way::File);
    if !seen.wanted.iter().any(heard) && !seen.told.is_empty() {
        found.push(format!("an operator was told {:?}", seen.told));
    }
}
