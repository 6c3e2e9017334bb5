//! Answers, and reports about files, agree with what is stored.

use std::collections::BTreeMap;

use domain::{EventSourced as _, Order};
use event_store::Commit;
use serde_json::Value;
use support::files::BUCKET;

use super::{
    Histories,
    persons::{personal, placed_by},
};
use crate::{
    observed::{Answered, Observed},
    plan::{PlannedRequest, Way},
};

/// I1, I3, I4: every final answer to a request agrees with the history.
pub(super) fn answers(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let nothing = Vec::new();
    let mut first: BTreeMap<_, &Answered> = BTreeMap::new();
    let by_key = |answered: &&Answered| !matches!(answered.planned.way, Way::Carrier | Way::Erase);
    for answered in seen.answers.iter().filter(by_key) {
        let planned = &answered.planned;
        let history = histories.get(&planned.aggregate).unwrap_or(&nothing);
        match answered.status {
            200 => acknowledged(answered, history, found),
            400 | 404 | 409 | 412 | 422 => refused(seen, answered, history, found),
            other => found.push(format!("answered {other}: {}", answered.body)),
        }
        // The same command gets the same answer. A refused one may get another answer later.
        if answered.status == 200 {
            let earlier = first.entry(planned.identity()).or_insert(answered);
            let known = is_known(earlier) && is_known(answered);
            if earlier.body != answered.body && !known {
                found.push(format!("I3: {} and {}", earlier.body, answered.body));
            }
        }
    }
}

/// Returns whether an answer says that another command had placed the same order before.
fn is_known(answered: &Answered) -> bool {
    answered.body.contains("\"Order already known\"")
}

/// Checks the answer for an order that was known already: the stored order is the requested one,
/// and the answer has its status at the version that it names.
fn known(answered: &Answered, history: &[Commit], found: &mut Vec<String>) {
    let answer: Value = serde_json::from_str(&answered.body).unwrap();
    let placed = history.first();
    let last = history
        .iter()
        .find(|commit| Some(commit.version()) == answer["version"].as_u64());
    let status = last.and_then(|commit| {
        let events = commit.decoded::<Order>().ok()?;
        events.last().map(Order::status_of).map(str::to_owned)
    });
    if !placed.is_some_and(|commit| says(commit, &answered.planned))
        || status.as_deref() != answer["status"].as_str()
    {
        found.push(format!(
            "I1: answered as known, but it is another order or another status: {} {}",
            answered.planned.path, answered.body
        ));
    }
}

fn acknowledged(answered: &Answered, history: &[Commit], found: &mut Vec<String>) {
    if is_known(answered) {
        return known(answered, history, found);
    }
    let planned = &answered.planned;
    let version = serde_json::from_str::<Value>(&answered.body).unwrap()["version"].as_u64();
    // The answer stands for the command's own commit, or for that of an earlier command with the
    // same content. In the second case the command id is free, and another command may have used
    // it since.
    let own =
        |commit: &&Commit| commit.cause.command_id == planned.command_id() && says(commit, planned);
    let at_version = |commit: &&Commit| Some(commit.version()) == version;
    let stands_for = history
        .iter()
        .find(own)
        .or_else(|| history.iter().find(at_version));
    let Some(commit) = stands_for else {
        found.push(format!(
            "I1: acknowledged and not stored: {} {}",
            planned.path, answered.body
        ));
        return;
    };
    if Some(commit.version()) != version || !says(commit, planned) {
        let stored = &commit.events[0].kind;
        found.push(format!(
            "I1: {stored} was stored for {} {}",
            planned.path, answered.body
        ));
    }
}

/// Returns whether this commit is what the request asked for.
fn says(commit: &Commit, planned: &PlannedRequest) -> bool {
    let data: Value = serde_json::from_str(commit.events[0].data.get()).unwrap();
    match commit.events[0].kind.as_str() {
        "OrderPlaced" => {
            let quantity = &data["items"][0]["quantity"];
            let shipping = planned.body["adjustments"].is_array().then_some(499);
            let total = 255 * planned.body["items"][0]["quantity"].as_u64().unwrap_or(0)
                + shipping.unwrap_or(0);
            let exact = format!("{}.{:02}", total / 100, total % 100);
            let exact = exact.trim_end_matches('0');
            planned.path == "/orders"
                && *quantity == planned.body["items"][0]["quantity"]
                && commit.events[0]
                    .data
                    .get()
                    .contains(&format!("\"totalAmount\":{exact}"))
        }
        "OrderProcessed" => planned.path.ends_with("/complete"),
        "OrderCancelled" => planned.path.ends_with("/cancel"),
        kind => {
            kind == "ShipmentUpdated"
                && planned.path.ends_with("/updates")
                && plain_status(&data["status"]) == plain_status(&planned.body["status"])
                && same_time(&data["timestamp"], &planned.body["timestamp"])
                // A location is an object, which is stored as it was sent.
                && data["attributes"]["location"] == planned.body["location"]
        }
    }
}

/// Returns a status in upper case without underscores and spaces, which carriers write in
/// different ways.
fn plain_status(status: &Value) -> String {
    let text = status.as_str().unwrap_or_default().to_uppercase();
    text.replace(['_', ' '], "")
}

/// Returns whether the stored time of an update is the one that was sent, to the second. Returns
/// true where none was sent.
fn same_time(stored: &Value, sent: &Value) -> bool {
    let seconds = |time: &Value| time.as_str().map(|text| text[..19].to_owned());
    sent.is_null() || seconds(stored) == seconds(sent)
}

/// I3, I4: a refused command has stored nothing. Its id can only be that of another command.
fn refused(seen: &Observed, answered: &Answered, history: &[Commit], found: &mut Vec<String>) {
    let planned = &answered.planned;
    let stored = history
        .iter()
        .find(|commit| commit.cause.command_id == planned.command_id());
    let Some(commit) = stored else {
        if answered.status == 422 {
            found.push(format!(
                "I3: 422 for {}, whose id is free",
                planned.command_id()
            ));
        }
        return;
    };
    // The id is in the history. Either another command was sent under it, and this one was refused
    // for that; or this command was refused before another copy of it succeeded.
    let of_id = || {
        seen.planned.iter().filter(|other| {
            (&other.aggregate, other.command_id()) == (&planned.aggregate, planned.command_id())
        })
    };
    let others = of_id().any(|other| other.identity() != planned.identity());
    let copies = of_id().count();
    if says(commit, planned) && !others && copies == 1 {
        found.push(format!(
            "I4: {} answered {} for its own effect",
            planned.command_id(),
            answered.status
        ));
    }
}

/// I1, I3: every file has a report, and the report agrees with the history.
pub(super) fn files(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    for file in &seen.files {
        let (key, version) = (&file.object.key, file.object.version());
        let Some(report) = &file.report else {
            found.push(format!("I1: {key} {version} has no report"));
            continue;
        };
        let id = format!("file/{BUCKET}/{key}/{version}/0");
        let history = histories.get(&file.planned.aggregate);
        let own = history.and_then(|commits| {
            let mut commits = commits.iter();
            commits.find(|commit| commit.cause.command_id == id)
        });
        let said = own.is_some_and(|commit| says(commit, &file.planned));
        let equal = history.is_some_and(|commits| says(&commits[0], &file.planned));
        // Orders that differ in personal data alone can be distinguished only until one is erased.
        let another = history.is_some_and(|commits| {
            let sent = personal(&file.planned.body);
            let mut others = placed_by(seen, &commits[0]).into_iter();
            others.any(|other| personal(&other.body) != sent)
        });
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        let right = match (count("accepted"), count("alreadyKnown"), count("rejected")) {
            (1, 0, 1) => said,
            (0, 1, 1) => own.is_none() && equal,
            (0, 0, 2) => own.is_none() && history.is_some() && (!equal || another),
            _ => false,
        };
        if !right {
            found.push(format!("I1: {key} {version} was reported {report}"));
        }
    }
}

/// I1: each command of the bus is in the history, or is a dead letter.
pub(super) fn events(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let nothing = Vec::new();
    let by_bus = seen
        .planned
        .iter()
        .filter(|planned| planned.way == Way::Bus);
    for planned in by_bus {
        let history = histories.get(&planned.aggregate).unwrap_or(&nothing);
        let done = history.iter().any(|commit| says(commit, planned));
        let event = format!("\"id\":\"{}\"", planned.key);
        let aside = seen.set_aside.iter().any(|other| other.contains(&event));
        if !done && !aside {
            found.push(format!("I1: the event {} is lost", planned.key));
        }
    }
}
