//! Personal data: nowhere as they were sent but where they may be, whole before an erasure, and
//! erased behind it, for ever and completely.

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
    observed::{Observed, Read},
    plan::{
        Wanted, Way,
        persons::{PERSONAL, plain_digests},
    },
};

/// The version of the latest key that an erasure has been noted of, by owner.
type Noted = BTreeMap<String, u32>;

/// Everything about personal data.
pub(super) fn persons(seen: &Observed, histories: &Histories, found: &mut Vec<String>) {
    let errors = seen.sealed_for_ever.iter();
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

/// Exactly the erasures that were asked for are noted.
fn noted(seen: &Observed, histories: &Histories, found: &mut Vec<String>) -> Noted {
    let mut noted = Noted::new();
    for (aggregate, history) in histories {
        let Some(owner) = aggregate.strip_prefix("erasure#") else {
            continue;
        };
        for commit in history {
            let id = &commit.cause.command_id;
            let mut asked = seen.asked.iter();
            let asked = asked.any(|asked| {
                (&asked.wanted.aggregate, &asked.wanted.command_id()) == (aggregate, id)
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
    for asked in seen.asked.iter().filter(|asked| asked.answered) {
        if !histories.contains_key(&asked.wanted.aggregate) {
            let aggregate = &asked.wanted.aggregate;
            found.push(format!("{aggregate} is answered, and not noted"));
        }
    }
    noted
}

/// Exactly the keys are destroyed of which an erasure is noted.
fn keys(seen: &Observed, noted: &Noted, found: &mut Vec<String>) {
    for (owner, record) in &seen.keys {
        let latest = noted.get(owner);
        let covered = latest.is_some_and(|latest| *latest >= record.version);
        let destroyed = record.wrapped.is_none();
        // Where nothing is projected, an erasure that nobody repeats stays half done.
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

/// The commands that may have placed an order.
pub(super) fn placed_by<'a>(seen: &'a Observed, commit: &Commit) -> Vec<&'a Wanted> {
    let id = &commit.cause.command_id;
    let aggregate = commit.aggregate.to_string();
    let sent = seen.wanted.iter().filter(|wanted| {
        wanted.path == "/orders" && wanted.aggregate == aggregate && wanted.command_id() == *id
    });
    let in_files = seen.files.iter().filter(|file| {
        let (key, version) = (&file.object.key, file.object.version());
        format!("file/{BUCKET}/{key}/{version}/0") == *id
    });
    let in_files = in_files.map(|file| &file.wanted);
    sent.filter(|wanted| wanted.way != Way::File)
        .chain(in_files)
        .collect()
}

/// The personal data of an order or of a command.
pub(super) fn personal(data: &Value) -> [Value; 2] {
    ["customerName", "personal"].map(|name| data[name].clone())
}

/// An order's personal data are sealed, and open to what was sent, or are erased: never one by half.
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
    let expected = placed_by.iter().map(|wanted| {
        let whole = personal(&wanted.body);
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
        .flat_map(|wanted| plain_digests(&wanted.body));
    for plain in digests {
        if history.iter().any(|commit| commit.cause.digest == plain) {
            found.push(format!("{aggregate} has the digest of open personal data"));
        }
    }
    // What was written before an erasure began is erased by it.
    let written = seen
        .written
        .iter()
        .position(|item| item["aggregate"].as_s().is_ok_and(|name| name == aggregate));
    let asked = seen.asked.iter().filter(|asked| asked.answered);
    let mut asked = asked.filter(|asked| asked.wanted.aggregate == format!("erasure#{owner}"));
    if asked.any(|asked| written.is_some_and(|place| place < asked.begun)) && !erased {
        found.push(format!("{aggregate} was erased, and is whole"));
    }
    // No instance seals with a key for longer than it may keep one.
    let served = seen
        .served
        .get(&(owner, sealed.key))
        .copied()
        .unwrap_or_default();
    let begun = seen.answers.iter().filter(|answered| {
        let wanted = &answered.wanted;
        wanted.aggregate == aggregate && placed_by.iter().any(|by| by.key == wanted.key)
    });
    let begun = begun
        .map(|answered| answered.begun)
        .min()
        .unwrap_or_default();
    if !seen.jumped && begun > served + KEY_CACHE_TIME.as_millis() as i64 {
        found.push(format!(
            "{aggregate} is sealed with a key that was kept for too long"
        ));
    }
}

/// A history that was shown once its erasure was answered shows nothing of a person.
fn shown(read: &Read, found: &mut Vec<String>) {
    let Read {
        aggregate,
        hidden,
        at_rest,
        status,
        text,
    } = read;
    if *hidden && text.contains(PERSONAL) {
        found.push(format!("{aggregate} was shown after its erasure: {text}"));
    }
    if *at_rest && ![200, 404].contains(status) {
        found.push(format!(
            "the history of {aggregate} is answered {status}: {text}"
        ));
    }
}

/// Nothing is stored or sent as it was sent, but for what holds it as it was sent on purpose: rows
/// and answers of orders that are not erased, the order files, and dead letters (those of the
/// platform, and what functions set aside). What is shown of one that is erased is looked at above.
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

/// Whether a stored value holds personal data.
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
