//! Each scan of a webhook is one update, however often and in whichever order it was delivered.

use std::collections::{BTreeMap, BTreeSet};

use domain::Json;
use event_store::Commit;
use serde_json::Value;

use super::Histories;
use crate::{
    observed::{Answered, Observed},
    plan::{Way, carrier},
};

/// Returns how often each scan stands in the histories, by shipment and text.
fn logged(histories: &Histories) -> BTreeMap<(&str, String), usize> {
    let mut logged = BTreeMap::new();
    for (aggregate, history) in histories {
        let of_carriers = |commit: &&Commit| commit.cause.source == "carriers";
        let commits = history.iter().filter(of_carriers);
        for event in commits.flat_map(|commit| &commit.events) {
            let data: Value = serde_json::from_str(event.data.get()).unwrap();
            let text = data["attributes"]["message"].as_str().unwrap_or_default();
            let scan = (aggregate.as_str(), text.to_owned());
            *logged.entry(scan).or_default() += 1;
        }
    }
    logged
}

/// I1, I3: every scan of an accepted webhook is in the history, none is there twice, and none of a
/// forged webhook. A webhook whose scans are all known causes no write.
pub(super) fn webhooks(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let logged = logged(histories);
    let webhooks = seen
        .planned
        .iter()
        .filter(|planned| planned.way == Way::Carrier);
    let trusted = webhooks.filter(|planned| !carrier::is_forged(planned));
    let planned: BTreeSet<(&str, String)> = trusted
        .flat_map(|planned| {
            let scans = carrier::scans(&planned.body).into_iter();
            scans.map(|text| (planned.aggregate.as_str(), text))
        })
        .collect();
    for (scan, count) in &logged {
        if *count > 1 {
            found.push(format!("I3: {scan:?} was logged {count} times"));
        }
        if !planned.contains(scan) {
            found.push(format!(
                "a scan that no trusted webhook brought was logged: {scan:?}"
            ));
        }
    }
    let answers = seen.answers.iter();
    for answered in answers.filter(|answered| answered.planned.way == Way::Carrier) {
        match (answered.status, carrier::is_forged(&answered.planned)) {
            (401, true) => {}
            (200, false) => accepted(seen, answered, &logged, found),
            (status, forged) => found.push(format!(
                "a webhook was answered {status}, forged: {forged}: {}",
                answered.body
            )),
        }
    }
}

fn accepted(
    seen: &Observed,
    answered: &Answered,
    logged: &BTreeMap<(&str, String), usize>,
    found: &mut Vec<String>,
) {
    let body = answered.planned.body.to_string();
    if carrier::is_kept(&answered.body) {
        let body = Value::from(body).to_string();
        if !seen.set_aside.iter().any(|letter| letter.contains(&body)) {
            found.push("I1: a webhook was said to be kept, and is not".to_owned());
        }
        return;
    }
    let scans = carrier::scans(&answered.planned.body);
    let answer: Value = serde_json::from_str(&answered.body).unwrap();
    let count = |name: &str| answer[name].as_u64().unwrap_or_default() as usize;
    let missing = scans.iter().filter(|text| {
        let scan = (answered.planned.aggregate.as_str(), (*text).clone());
        !logged.contains_key(&scan)
    });
    // A scan that cannot be logged is a dead letter, of this webhook or of an earlier one.
    let is_kept = |text: &&String| seen.set_aside.iter().any(|letter| letter.contains(*text));
    let (kept, lost): (Vec<&String>, Vec<&String>) = missing.partition(is_kept);
    if !lost.is_empty() || kept.len() > count("refused") {
        found.push(format!(
            "I1: acknowledged and not logged: {lost:?} {kept:?}"
        ));
    }
    if count("logged") + count("known") + count("refused") != scans.len() {
        found.push(format!(
            "the counts do not add up to {} scans: {answer}",
            scans.len()
        ));
    }
    if answered.already_acknowledged && answered.puts > 0 {
        found.push(format!(
            "{} puts for a webhook whose scans are all known",
            answered.puts
        ));
    }
}

/// I6: each scan in the history has exactly one row in the log.
pub(super) fn rows(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in &seen.shipments {
        if let (Some(Json::String(id)), Some(Json::Object(attributes))) =
            (row.get("shipmentId"), row.get("attributes"))
            && let Some(Json::String(text)) = attributes.get("message")
        {
            let scan = (format!("shipment#{id}"), text.clone());
            *rows.entry(scan).or_default() += 1;
        }
    }
    for (aggregate, text) in logged(histories).into_keys() {
        let scan = (aggregate.to_owned(), text);
        let count = rows.get(&scan).copied().unwrap_or_default();
        if count != 1 {
            found.push(format!("I6: {scan:?} has {count} rows"));
        }
    }
}
