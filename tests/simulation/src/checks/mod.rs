//! The invariants I1 to I12, as far as an outside observer can check them. They must hold of every
//! run, whatever faults struck.

mod answers;
mod messages;
mod persons;
mod rows;
mod stalls;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use event_store::{Commit, commit::Item};

use crate::{
    observed::Observed,
    plan::{MARKER, PlannedRequest, Way},
    platform::{CONSUMERS, DeadLetter, Expired},
    world::POISONED,
};

type Histories = BTreeMap<String, Vec<Commit>>;

/// Returns all violations of the invariants, a sentence each. An empty list means that all hold.
pub fn violations(seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if !seen.at_rest {
        found.push("the world never comes to rest: work is left after the last step".to_owned());
    }
    let histories = histories(seen, &mut found);
    immutable(seen, &mut found);
    for (aggregate, history) in &histories {
        contiguous(aggregate, history, &mut found);
        once(aggregate, history, &mut found);
    }
    answers::answers(seen, &histories, &mut found);
    answers::files(seen, &histories, &mut found);
    webhooks::webhooks(seen, &histories, &mut found);
    stalls::marks(seen, &histories, &mut found);
    persons::persons(seen, &histories, &mut found);
    if !seen.commands_only {
        answers::events(seen, &histories, &mut found);
        rows::rows(seen, &histories, &mut found);
        rows::log(seen, &histories, &mut found);
        rows::current(seen, &mut found);
        messages::messages(seen, &histories, &mut found);
        messages::automatic(&histories, &mut found);
        webhooks::rows(seen, &histories, &mut found);
        stalls::rows(seen, &histories, &mut found);
        stopped(seen, &mut found);
    }
    secrets(seen, &mut found);
    found
}

/// I2, in part: every stored item is a commit, that of the poisoned order included. Returns the
/// histories by aggregate.
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

/// I5: every item that was written is stored unchanged.
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

/// I2: sequences and ordinals have no gap and no fork, and times never go back.
fn contiguous(aggregate: &str, history: &[Commit], found: &mut Vec<String>) {
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

/// I1, I3: each command id has one commit, and an order is placed once and closed once.
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

/// I10: the poisoned order is parked for both consumers, or is a dead letter, or a rebuild or an
/// announcing has reported it. Nothing else is parked or stays a dead letter.
fn stopped(seen: &Observed, found: &mut Vec<String>) {
    let aggregate = |item: &Item| item["aggregate"].as_s().cloned().unwrap();
    let poisoned = seen.stored.iter().any(|item| aggregate(item) == POISONED);
    let mut is_dead_letter = [false; CONSUMERS];
    for letter in &seen.dead_letters {
        match letter {
            DeadLetter::Record { consumer, streamed } if aggregate(&streamed.item) == POISONED => {
                is_dead_letter[*consumer] = true;
            }
            other => found.push(format!("I10: a dead letter stays: {other:?}")),
        }
    }
    for (consumer, name) in ["project", "notify"].into_iter().enumerate() {
        let id = format!("{name}#{POISONED}");
        let expired =
            |record: &Expired| record.consumer == consumer && record.aggregate == POISONED;
        let reported_unreadable =
            seen.reported_unreadable[consumer] && seen.expired.iter().any(expired);
        let known = seen.parked.contains(&id) || is_dead_letter[consumer] || reported_unreadable;
        if poisoned && !known {
            found.push(format!("I10: {id} is not parked"));
        }
    }
    let ending = format!("#{POISONED}");
    let unexpected = seen.parked.iter().filter(|id| !id.ends_with(&ending));
    found.extend(unexpected.map(|id| format!("I10: {id} is parked")));
}

/// I12: logs, metrics and messages to operators hold no customer data.
fn secrets(seen: &Observed, found: &mut Vec<String>) {
    if seen.logs.contains(MARKER) {
        found.push("I12: customer data in the logs".to_owned());
    }
    if seen.metrics.iter().any(|line| line.contains(MARKER)) {
        found.push("I12: customer data in a metric".to_owned());
    }
    let alerts = seen.alerted.iter().map(|alert| &alert.body);
    if seen
        .operator_messages
        .iter()
        .chain(alerts)
        .any(|text| text.contains(MARKER))
    {
        found.push("I12: customer data in an operator's message".to_owned());
    }
    // Operators get a message about a refused command of the bus, about a file, and about a webhook
    // that cannot be logged, and about nothing else.
    let heard =
        |planned: &PlannedRequest| matches!(planned.way, Way::Bus | Way::File | Way::Carrier);
    if !seen.planned.iter().any(heard) && !seen.operator_messages.is_empty() {
        found.push(format!("an operator was told {:?}", seen.operator_messages));
    }
}
