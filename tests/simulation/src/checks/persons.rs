//! Personal data are in plain text only where they may be, complete before an erasure, and
//! completely erased after it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Erasures,
    erasure::Event,
    personal::{ERASED, Stored},
};
use event_store::{Commit, limits::KEY_CACHE_TIME};
use serde_json::Value;
use support::files::BUCKET;

use super::Histories;
use crate::{
    observed::{HistoryRead, Observed},
    plan::{
        PlannedRequest, Way,
        persons::{PERSONAL, plain_digests},
    },
};

/// By owner: the highest version of a key that an erasure in the history covers.
type Noted = BTreeMap<String, u32>;

/// Runs all checks of personal data.
pub(super) fn persons(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let errors = seen.unsealing_errors.iter();
    found.extend(errors.map(|error| format!("an order cannot be opened: {error}")));
    let noted = noted(seen, histories, found);
    keys(seen, &noted, found);
    for (aggregate, history) in histories {
        let placed = history.first().and_then(|commit| commit.events.first());
        let stored = placed.and_then(|event| Stored::of(event).ok().flatten());
        if let Some(stored) = stored {
            order(seen, &noted, (aggregate, history, &stored), found);
        }
    }
    for read in &seen.reads {
        shown(read, found);
    }
    open(seen, found);
}

/// The histories hold no erasure that was not requested, and every erasure that was answered.
fn noted(seen: &Observed, histories: &Histories, found: &mut Vec<String>) -> Noted {
    let mut noted = Noted::new();
    for (aggregate, history) in histories {
        let Some(owner) = aggregate.strip_prefix("erasure#") else {
            continue;
        };
        for commit in history {
            let id = &commit.cause.command_id;
            let mut asked = seen.erasures.iter();
            let asked = asked.any(|asked| {
                (&asked.planned.aggregate, &asked.planned.command_id()) == (aggregate, id)
            });
            if !asked {
                found.push(format!("{id} of {aggregate} was never asked for"));
            }
            for event in commit.decoded::<Erasures>().unwrap() {
                let Event::CustomerErased(erased) = event;
                let latest = noted.entry(owner.to_owned()).or_default();
                *latest = erased.key.max(*latest);
            }
        }
    }
    for asked in seen.erasures.iter().filter(|asked| asked.answered) {
        if !histories.contains_key(&asked.planned.aggregate) {
            let aggregate = &asked.planned.aggregate;
            found.push(format!(
                "{aggregate} was answered, and is not in the history"
            ));
        }
    }
    noted
}

/// Exactly the keys that a recorded erasure covers are destroyed.
fn keys(seen: &Observed, noted: &Noted, found: &mut Vec<String>) {
    for (owner, record) in &seen.keys {
        let latest = noted.get(owner);
        let covered = latest.is_some_and(|latest| *latest >= record.version);
        let destroyed = record.wrapped.is_none();
        // Where nothing is projected, an interrupted erasure that nobody repeats stays incomplete.
        let carried_out = !seen.commands_only;
        if record.version > 0 && destroyed && !covered {
            found.push(format!(
                "key {} of {owner} is destroyed unasked",
                record.version
            ));
        }
        if record.version > 0 && !destroyed && covered && carried_out {
            found.push(format!(
                "key {} of {owner} outlives its erasure",
                record.version
            ));
        }
        if latest.is_some() != record.erased_at.is_some() && carried_out {
            found.push(format!(
                "{owner} is noted as erased, and not in the table of keys"
            ));
        }
    }
}

/// Returns the requests that may have led to the commit that placed an order.
pub(super) fn placed_by<'a>(seen: &'a Observed, commit: &Commit) -> Vec<&'a PlannedRequest> {
    let id = &commit.cause.command_id;
    let aggregate = commit.aggregate.to_string();
    let sent = seen.planned.iter().filter(|planned| {
        planned.path == "/orders" && planned.aggregate == aggregate && planned.command_id() == *id
    });
    let in_files = seen.files.iter().filter(|file| {
        let (key, version) = (&file.object.key, file.object.version());
        format!("file/{BUCKET}/{key}/{version}/0") == *id
    });
    let in_files = in_files.map(|file| &file.planned);
    sent.filter(|planned| planned.way != Way::File)
        .chain(in_files)
        .collect()
}

/// Returns the personal data of an order, or of the body of a request: the customer's name and
/// the other personal data.
pub(super) fn personal(data: &Value) -> [Value; 2] {
    ["customerName", "personal"].map(|name| data[name].clone())
}

/// An order's personal data are stored sealed. Unsealed, they are exactly what was sent, or all of
/// them are erased.
fn order(
    seen: &Observed,
    noted: &Noted,
    (aggregate, history, stored): (&str, &[Commit], &Stored),
    found: &mut Vec<String>,
) {
    let Some(sealed) = &stored.sealed else {
        found.push(format!("the personal data of {aggregate} are not sealed"));
        return;
    };
    let placed_by = placed_by(seen, &history[0]);
    let owner = stored.owner.to_string();
    let latest = noted.get(&owner);
    let erased = latest.is_some_and(|latest| *latest >= sealed.key);
    let opened = seen
        .opened
        .get(aggregate)
        .map(|history| &history[0].events[0].data);
    let opened = opened.and_then(|data| serde_json::from_str::<Value>(data.get()).ok());
    let opened = opened.map(|data| personal(&data)).unwrap_or_default();
    let expected = placed_by.iter().map(|planned| {
        let whole = personal(&planned.body);
        let gone = |value: Value| match value {
            Value::Null => Value::Null,
            _ => ERASED.into(),
        };
        match erased {
            true => whole.map(gone),
            false => whole,
        }
    });
    let expected: Vec<[Value; 2]> = expected.collect();
    if !expected.contains(&opened) {
        found.push(format!(
            "{aggregate} shows {opened:?}, and not {expected:?}"
        ));
    }
    let digests = placed_by
        .iter()
        .flat_map(|planned| plain_digests(&planned.body));
    for plain in digests {
        if history.iter().any(|commit| commit.cause.digest == plain) {
            found.push(format!("{aggregate} has the digest of open personal data"));
        }
    }
    // An order that was written before an erasure began is erased by it.
    let written = seen
        .written
        .iter()
        .position(|item| item["aggregate"].as_s().is_ok_and(|name| name == aggregate));
    let asked = seen.erasures.iter().filter(|asked| asked.answered);
    let mut asked = asked.filter(|asked| asked.planned.aggregate == format!("erasure#{owner}"));
    if asked.any(|asked| written.is_some_and(|place| place < asked.commits_before)) && !erased {
        found.push(format!("{aggregate} was erased, and is whole"));
    }
    // No instance seals with a cached key for longer than `KEY_CACHE_TIME`.
    let served = seen
        .served
        .get(&(owner, sealed.key))
        .copied()
        .unwrap_or_default();
    let begun = seen.answers.iter().filter(|answered| {
        let planned = &answered.planned;
        planned.aggregate == aggregate && placed_by.iter().any(|by| by.key == planned.key)
    });
    let begun = begun
        .map(|answered| answered.began_at)
        .min()
        .unwrap_or_default();
    if !seen.clock_jumped && begun > served + KEY_CACHE_TIME.as_millis() as i64 {
        found.push(format!(
            "{aggregate} is sealed with a key that was kept for too long"
        ));
    }
}

/// A history that was read after the erasure was answered shows no personal data. Without faults,
/// every reading is answered with 200 or 404.
fn shown(read: &HistoryRead, found: &mut Vec<String>) {
    let HistoryRead {
        aggregate,
        erased,
        at_rest,
        status,
        text,
    } = read;
    if *erased && text.contains(PERSONAL) {
        found.push(format!("{aggregate} was shown after its erasure: {text}"));
    }
    if *at_rest && ![200, 404].contains(status) {
        found.push(format!(
            "the history of {aggregate} is answered {status}: {text}"
        ));
    }
}

/// I12: no personal data are stored or sent in plain text, except where that is intended: in rows
/// and answers of orders that are not erased, in the order files, and in dead letters. What is
/// shown of an erased order is checked by `order` and `shown`.
fn open(seen: &Observed, found: &mut Vec<String>) {
    let mut leaks = |place: &str, open: bool| {
        if open {
            found.push(format!("I12: personal data stand open in {place}"));
        }
    };
    leaks(
        "a commit",
        seen.stored.iter().any(|item| item.values().any(holds)),
    );
    leaks(
        "what is parked",
        seen.parked_rows.iter().any(|text| text.contains(PERSONAL)),
    );
    leaks("a ledger", seen.ledger.iter().any(|bytes| within(bytes)));
    let reports = seen.files.iter().filter_map(|file| file.report.as_ref());
    leaks(
        "a report",
        reports
            .map(Value::to_string)
            .any(|text| text.contains(PERSONAL)),
    );
    let announced = seen.announced.iter().map(|said| said.detail.to_string());
    leaks(
        "an announcement",
        announced.into_iter().any(|text| text.contains(PERSONAL)),
    );
    let names: BTreeSet<&String> = seen.keys.keys().collect();
    leaks(
        "the table of keys",
        names.iter().any(|name| name.contains(PERSONAL)),
    );
}

/// Returns whether a stored value holds personal data in plain text.
fn holds(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => text.contains(PERSONAL),
        AttributeValue::B(bytes) => within(bytes.as_ref()),
        AttributeValue::M(members) => members.values().any(holds),
        AttributeValue::L(values) => values.iter().any(holds),
        _ => false,
    }
}

fn within(bytes: &[u8]) -> bool {
    bytes
        .windows(PERSONAL.len())
        .any(|some| some == PERSONAL.as_bytes())
}
