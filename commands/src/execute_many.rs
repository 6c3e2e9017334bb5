//! Logs many updates of one shipment with one load. Updates that are logged already cost nothing,
//! and new ones share as few commits as can hold them.
//!
//! An update is recognised by the id of the event that brought it (`origin.id`), which stands in
//! the history. The digest of its commit does not identify it, since one commit holds many updates.
//! So the whole history is read, which takes one request for each 1 MB.

use std::collections::HashSet;

use domain::{
    AggregateId, Digest, EventSourced as _, Json, Refusal, Shipment, ShipmentId,
    aggregate::Command,
    shipment::{Status, Update},
};
use event_store::{Append, Cause, Clock, Commit, EventStore, Loaded, clock::backoff};

use crate::{
    execute::Failure,
    limits::{
        CONFLICT_ATTEMPTS, CONFLICT_WAIT_FIRST, CONFLICT_WAIT_MAX, SCAN_BYTES_PER_COMMIT,
        SCANS_PER_COMMIT, UNAVAILABLE_ATTEMPTS,
    },
};

/// Updates of one shipment to be logged, with their cause.
#[derive(Debug, Clone)]
pub struct Updates {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The updates, in the order in which they are logged. Each has a unique `origin.id`, which
    /// stays the same whenever the update is sent again.
    pub intents: Vec<Update>,
    /// The sender of the updates: the first part of every command id.
    pub actor: String,
    /// The trigger that the updates came by.
    pub source: String,
    /// The id that all commands and events of one business transaction share.
    pub correlation_id: String,
    /// The id of the request that led to the updates.
    pub causation_id: String,
    /// The W3C `traceparent` of the updates, where they have one.
    pub traceparent: Option<String>,
}

/// The result of logging many updates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// The statuses of the updates that were logged now, in their order.
    pub new: Vec<Status>,
    /// The number of updates that were logged before.
    pub known: usize,
    /// The other updates, each with its refusal.
    pub refused: Vec<Refused>,
    /// The sequence of the shipment's last event.
    pub version: u64,
}

/// An update that cannot be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The id of the event that brought it, its `origin.id`.
    pub id: String,
    /// Why it cannot be logged.
    pub refusal: Refusal,
}

/// The result of one attempt that did not fail.
enum Attempt {
    Settled,
    RivalWasFirst,
}

/// Logs those updates that are not logged yet: each once, however often and concurrently they are
/// sent. After a failure some may be logged; sending all again logs the others.
pub async fn log_all(
    store: &EventStore,
    clock: &dyn Clock,
    updates: &Updates,
) -> Result<Logged, Failure> {
    let mut logged = Logged::default();
    let mut unavailable = 0;
    for attempt in 1..=CONFLICT_ATTEMPTS {
        if attempt > 1 {
            let longest = backoff(attempt - 1, CONFLICT_WAIT_FIRST, CONFLICT_WAIT_MAX);
            clock.sleep(clock.jitter(longest)).await;
        }
        match log_new(store, clock, updates, &mut logged).await {
            Ok(Attempt::Settled) => return Ok(logged),
            Ok(Attempt::RivalWasFirst) => {}
            Err(Failure::Unavailable(reason)) => {
                unavailable += 1;
                if unavailable == UNAVAILABLE_ATTEMPTS {
                    return Err(Failure::Unavailable(reason));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    let reason = format!("{CONFLICT_ATTEMPTS} times a rival was first");
    Err(Failure::Unavailable(reason))
}

/// An attempt on the loaded shipment; `logged` has the results of earlier attempts.
async fn log_new(
    store: &EventStore,
    clock: &dyn Clock,
    updates: &Updates,
    logged: &mut Logged,
) -> Result<Attempt, Failure> {
    let id = AggregateId::Shipment(updates.shipment_id.clone());
    let history = store.whole_history(&id).await?;
    let mut known = known(&history)?;
    let mut loaded: Loaded<Shipment> = Loaded::from_history(id, history)?;
    let is_new = |intent: &&Update| known.insert(intent.origin.id.clone());
    let new: Vec<&Update> = updates.intents.iter().filter(is_new).collect();
    logged.known = updates.intents.len() - new.len() - logged.new.len();
    logged.refused.clear();
    for intents in commits(&new) {
        let (commit, refused) = decide(&loaded, clock, updates, intents)?;
        logged.refused.extend(refused);
        let Some(commit) = commit else {
            continue;
        };
        match store.append(&commit).await? {
            Append::Done => {
                let events = commit.decoded::<Shipment>().unwrap_or_default();
                let updates = events.iter().filter_map(|event| event.update());
                logged
                    .new
                    .extend(updates.map(|update| update.status.clone()));
                loaded = loaded.apply_newest_first(vec![commit])?;
            }
            Append::Occupied(_) => return Ok(Attempt::RivalWasFirst),
        }
    }
    logged.version = loaded.version;
    Ok(Attempt::Settled)
}

/// The `origin.id`s of all updates in a history.
fn known(history: &[Commit]) -> Result<HashSet<String>, Failure> {
    let mut known = HashSet::new();
    for commit in history {
        let events = commit.decoded::<Shipment>();
        let events = events.map_err(|error| error.of(&commit.aggregate, commit.sequence))?;
        let updates = events.iter().filter_map(|event| event.update());
        known.extend(updates.map(|update| update.origin.id.clone()));
    }
    Ok(known)
}

/// Splits the updates into one slice for each commit, within the limits of a commit.
fn commits<'u, 'i>(updates: &'u [&'i Update]) -> impl Iterator<Item = &'u [&'i Update]> {
    let mut rest = updates;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |intent: &&&Update| {
            let before = bytes;
            bytes += Json::Object(intent.detail.clone()).to_string().len();
            before < SCAN_BYTES_PER_COMMIT
        };
        let taken = rest.iter().take(SCANS_PER_COMMIT).take_while(fits).count();
        let (now, later) = rest.split_at(taken);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// The commit that the updates lead to, `None` where all are refused; and the refusals.
fn decide(
    loaded: &Loaded<Shipment>,
    clock: &dyn Clock,
    updates: &Updates,
    intents: &[&Update],
) -> Result<(Option<Commit>, Vec<Refused>), Failure> {
    // A clock that was set back must not date a commit before its predecessor.
    let now = clock.now();
    let at = loaded.at.map_or(now, |last| last.max(now));
    let mut state = loaded.state.clone();
    let (mut events, mut ids, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for intent in intents {
        let command = Command {
            at,
            intent: (*intent).clone().into(),
        };
        match state.decide(&command) {
            Ok(decided) => {
                state = state.folded(decided.clone());
                events.extend(decided);
                ids.push(Json::from(intent.origin.id.as_str()));
            }
            Err(refusal) => refused.push(Refused {
                id: intent.origin.id.clone(),
                refusal,
            }),
        }
    }
    if events.is_empty() {
        return Ok((None, refused));
    }
    let digest = Digest::of(&Json::Array(ids));
    let cause = Cause {
        // It contains the digest of these updates, so that no other command of this sender has it.
        command_id: format!("{}/{}", updates.actor, digest.as_str()),
        digest,
        actor: updates.actor.clone(),
        source: updates.source.clone(),
        correlation_id: updates.correlation_id.clone(),
        causation_id: updates.causation_id.clone(),
        traceparent: updates.traceparent.clone(),
    };
    Ok((
        Some(loaded.next_commit(events, at, cause.bounded())?),
        refused,
    ))
}
