//! The role `notify`: announces commits as messages. It is stateless: the messages of a commit
//! follow from that commit alone.

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use domain::AggregateId;
use event_store::{Commit, Deadline, clock::backoff};
use lambda::{Answer, Invocation};
use serde_json::value::RawValue;

use crate::{
    Projectors,
    batch::{Arrival, arrivals, response},
    limits::{
        ANNOUNCED_AT_ONCE, BATCH_RESERVE, CALL_BYTES_MAX, HISTORY_PAGES_MAX, MESSAGES_PER_CALL,
        SEND_ATTEMPTS, SEND_WAIT_FIRST, SEND_WAIT_MAX,
    },
    notifications::{Messages, messages},
    ports::{Alert, Announcement, Sent},
    rebuild::RebuildError,
};

/// A message to be sent, with the index of its arrival in the batch.
struct Pending<M> {
    arrival: usize,
    message: M,
}

/// The messages that were not accepted: those to send again, and those that will never be accepted.
#[derive(Default)]
struct Unsent {
    accepted: u64,
    failed: Vec<usize>,
    refused: BTreeMap<usize, String>,
    /// Why one of them failed, as the service has said it last.
    why: Option<String>,
}

/// The result of sending the messages of several arrivals.
struct SendResult {
    /// The first arrival with a message that must be sent again.
    first_failed: Option<usize>,
    /// Why a message was not accepted, as the service has said it last.
    why: Option<String>,
    /// The arrivals to park, each with a code and a reason: a commit that cannot be read, or a
    /// message that will never be accepted.
    parked: BTreeMap<usize, (&'static str, String)>,
    /// The number of messages that were accepted.
    messages: u64,
}

/// The result of announcing commits again.
pub(crate) struct AnnouncedAgain {
    /// The number of messages that were accepted.
    pub messages: u64,
    /// The aggregates with a message that will never be accepted, and the reason.
    pub refused: BTreeMap<String, String>,
}

/// Handles a batch of the stream. The stream delivers it again from the first record on that is not
/// done: one of its messages was not accepted within the time, or its aggregate could not be
/// parked.
pub async fn handle(
    projectors: &Projectors,
    payload: &RawValue,
    invocation: &Invocation,
) -> Answer {
    let arrivals = arrivals(projectors, payload)?;
    let clock = projectors.clock.as_ref();
    let deadline = Deadline::before(invocation.deadline, BATCH_RESERVE, clock);
    let sent = send_messages(projectors, &arrivals, &deadline).await;
    let mut failed_at = sent.first_failed;
    for (index, (code, reason)) in sent.parked {
        let Arrival {
            aggregate,
            sequence,
            ..
        } = &arrivals[index];
        let park = projectors.park("notify", aggregate, *sequence, code, &reason);
        let reason = match deadline.within(park).await {
            Some(Ok(())) => continue,
            Some(Err(error)) => error.to_string(),
            None => "the time is up".to_owned(),
        };
        // A function error instead would make the stream deliver the whole batch again.
        tracing::warn!(reason, sequence, aggregate, "an aggregate cannot be parked");
        failed_at = failed_at.into_iter().chain([index]).min();
        break;
    }
    Ok(response(
        failed_at.map(|index| arrivals[index].number.clone()),
    ))
}

/// Announces an aggregate's commits again, from sequence `from` on; returns the sequence after the
/// last of them. A message that will never be accepted is the error `Corrupt`; the commits before
/// it are announced.
pub async fn history(
    projectors: &Projectors,
    id: &AggregateId,
    from: u64,
) -> Result<u64, RebuildError> {
    let mut from = from;
    for _ in 0..HISTORY_PAGES_MAX {
        let page = projectors
            .store
            .history(id, from, ANNOUNCED_AT_ONCE)
            .await?;
        from = page.commits.last().map_or(from, Commit::next_sequence);
        commits(projectors, page.commits).await?;
        if page.next.is_none() {
            return Ok(from);
        }
    }
    Err(RebuildError::Corrupt(format!(
        "the history of {id} has no end"
    )))
}

/// Announces commits again; returns the number of their messages. A message that will never be
/// accepted is the error `Corrupt`; all others are sent.
pub async fn commits(projectors: &Projectors, commits: Vec<Commit>) -> Result<u64, RebuildError> {
    let again = announce_again(projectors, commits).await?;
    match again.refused.into_values().next() {
        Some(reason) => Err(RebuildError::Corrupt(reason)),
        None => Ok(again.messages),
    }
}

/// Announces commits again; messages that will never be accepted are part of the result.
pub(crate) async fn announce_again(
    projectors: &Projectors,
    commits: Vec<Commit>,
) -> Result<AnnouncedAgain, RebuildError> {
    let arrivals: Vec<Arrival> = commits.into_iter().map(Arrival::from).collect();
    let deadline = Deadline::never(projectors.clock.as_ref());
    let sent = send_messages(projectors, &arrivals, &deadline).await;
    if let Some(index) = sent.first_failed {
        let aggregate = &arrivals[index].aggregate;
        let why = sent.why.map_or(String::new(), |why| format!(": {why}"));
        return Err(RebuildError::Unavailable(format!(
            "a message of {aggregate} was not accepted{why}"
        )));
    }
    let refused = sent.parked.into_iter().map(|(index, (code, reason))| {
        let aggregate = arrivals[index].aggregate.clone();
        (aggregate, format!("{code}: {reason}"))
    });
    Ok(AnnouncedAgain {
        messages: sent.messages,
        refused: refused.collect(),
    })
}

/// Sends messages that belong to no commit to the bus; returns the number of those that were not
/// accepted within the time.
pub(crate) async fn put_all(
    projectors: &Projectors,
    announcements: Vec<Announcement>,
    deadline: &Deadline<'_>,
) -> usize {
    let pending = announcements.into_iter().enumerate();
    let pending = pending.map(|(arrival, message)| Pending { arrival, message });
    let pending = pending.collect();
    let unsent = send(projectors, pending, announcement_bytes, put, deadline).await;
    unsent.failed.len() + unsent.refused.len()
}

/// Sends the messages of the arrivals, until all are accepted or the time is up.
async fn send_messages(
    projectors: &Projectors,
    arrivals: &[Arrival],
    deadline: &Deadline<'_>,
) -> SendResult {
    let mut announcements = Vec::new();
    let mut alerts = Vec::new();
    let mut parked: BTreeMap<usize, (&'static str, String)> = BTreeMap::new();
    for (index, arrival) in arrivals.iter().enumerate() {
        match messages_of_arrival(arrival, &projectors.environment.name) {
            Ok(messages) => {
                let pending = |message| Pending {
                    arrival: index,
                    message,
                };
                announcements.extend(messages.announcements.into_iter().map(pending));
                alerts.extend(messages.alerts.into_iter().map(|message| Pending {
                    arrival: index,
                    message,
                }));
            }
            Err((code, reason)) => {
                parked.insert(index, (code, reason));
            }
        }
    }
    // Concurrently, so that alerts are sent while the bus is slow.
    let (of_bus, of_topic) = futures::join!(
        send(projectors, announcements, announcement_bytes, put, deadline),
        send(projectors, alerts, alert_bytes, publish, deadline),
    );
    let (mut first_failed, mut messages): (Option<usize>, u64) = (None, 0);
    let mut why = None;
    for unsent in [of_bus, of_topic] {
        messages += unsent.accepted;
        why = why.or(unsent.why);
        first_failed = first_failed.into_iter().chain(unsent.failed).min();
        for (index, reason) in unsent.refused {
            parked.insert(index, ("message_refused", reason));
        }
    }
    for (index, arrival) in arrivals.iter().enumerate() {
        let done = first_failed.is_none_or(|failed| index < failed) && !parked.contains_key(&index);
        if let (true, Ok(commit)) = (done, &arrival.commit) {
            log(commit);
        }
    }
    SendResult {
        first_failed,
        why,
        parked,
        messages,
    }
}

/// The messages of an arrival. An error has a code and a reason for parking it.
fn messages_of_arrival(
    arrival: &Arrival,
    environment: &str,
) -> Result<Messages, (&'static str, String)> {
    let commit = arrival.commit.as_ref();
    let commit = commit.map_err(|reason| ("unreadable_commit", reason.clone()))?;
    messages_of(commit, environment)
}

/// The messages of a commit. An error has a code and a reason, for an operator: an event cannot be
/// decoded, or decoding panicked.
pub fn messages_of(commit: &Commit, environment: &str) -> Result<Messages, (&'static str, String)> {
    let made = std::panic::catch_unwind(AssertUnwindSafe(|| messages(commit, environment)));
    match made {
        Ok(Ok(messages)) => Ok(messages),
        Ok(Err(error)) => Err(("unreadable_event", error.to_string())),
        Err(_) => Err(("panic", "a panic".to_owned())),
    }
}

/// One line, by which what was announced is found from either end of its way.
fn log(commit: &Commit) {
    let cause = &commit.cause;
    tracing::info!(
        aggregate = %commit.aggregate,
        version = commit.version(),
        source = cause.source,
        correlation_id = cause.correlation_id,
        causation_id = cause.causation_id,
        traceparent = cause.traceparent,
        "a commit was announced"
    );
}

async fn put(projectors: &Projectors, announcements: &[Announcement]) -> Vec<Sent> {
    projectors.bus.put(announcements).await
}

async fn publish(projectors: &Projectors, alerts: &[Alert]) -> Vec<Sent> {
    projectors.topic.publish(alerts).await
}

/// Sends messages in calls of ten, checks the result of every entry, and sends failed ones again.
/// Once the time is up, it drops the call under way, whose messages may have been accepted: a
/// message without a result counts as failed.
async fn send<M: Clone>(
    projectors: &Projectors,
    mut pending: Vec<Pending<M>>,
    bytes: fn(&M) -> usize,
    call: impl AsyncFn(&Projectors, &[M]) -> Vec<Sent>,
    deadline: &Deadline<'_>,
) -> Unsent {
    let mut unsent = Unsent::default();
    for attempt in 1..=SEND_ATTEMPTS {
        if attempt > 1 {
            let longest = backoff(attempt - 1, SEND_WAIT_FIRST, SEND_WAIT_MAX);
            let wait = projectors.clock.jitter(longest);
            if deadline
                .within(projectors.clock.sleep(wait))
                .await
                .is_none()
            {
                break;
            }
        }
        let mut again = Vec::new();
        while !pending.is_empty() {
            let rest = pending.split_off(call_length(&pending, per_call(attempt), bytes));
            let messages: Vec<M> = pending.iter().map(|one| one.message.clone()).collect();
            let Some(answers) = deadline.within(call(projectors, &messages)).await else {
                tracing::warn!(attempt, "the time is up before all messages are sent");
                again.extend(pending.into_iter().chain(rest));
                break;
            };
            again.extend(unsent.sort(pending, answers, attempt));
            pending = rest;
        }
        pending = again;
        if pending.is_empty() {
            break;
        }
    }
    unsent.failed = pending.iter().map(|one| one.arrival).collect();
    unsent
}

impl Unsent {
    /// Records the accepted and the refused messages of a call; returns those to send again.
    fn sort<M>(
        &mut self,
        sent: Vec<Pending<M>>,
        answers: Vec<Sent>,
        attempt: u32,
    ) -> Vec<Pending<M>> {
        let mut again = Vec::new();
        let mut answers = answers.into_iter();
        for one in sent {
            match answers.next() {
                Some(Sent::Accepted) => self.accepted += 1,
                Some(Sent::Refused(reason)) => {
                    self.refused.insert(one.arrival, reason);
                }
                Some(Sent::Failed(reason)) => {
                    tracing::warn!(reason, attempt, "a message was not accepted");
                    self.why = Some(reason);
                    again.push(one);
                }
                // A message without an entry in the answer was not accepted.
                None => again.push(one),
            }
        }
        again
    }
}

/// The number of messages in one call: ten, but one in the last attempts, so that a malformed
/// message because of which its whole call is refused is found.
fn per_call(attempt: u32) -> usize {
    if attempt + 1 < SEND_ATTEMPTS {
        MESSAGES_PER_CALL
    } else {
        1
    }
}

/// The number of first messages that fit into one call; at least one.
fn call_length<M>(pending: &[Pending<M>], most: usize, bytes: fn(&M) -> usize) -> usize {
    let mut total = 0;
    let fits = |one: &&Pending<M>| {
        total += bytes(&one.message);
        total <= CALL_BYTES_MAX
    };
    pending
        .iter()
        .take(most)
        .take_while(fits)
        .count()
        .max(1)
        .min(pending.len())
}

/// The size of a message in bytes as EventBridge counts it: 14 for the time, and the texts.
fn announcement_bytes(message: &Announcement) -> usize {
    14 + message.source.len() + message.detail_type.len() + message.detail.to_string().len()
}

/// The size of an alert in bytes as SNS counts it: the text, and attributes with names, types and
/// values.
fn alert_bytes(message: &Alert) -> usize {
    let attribute = |(name, value): &(&str, String)| name.len() + "String".len() + value.len();
    message.subject.len()
        + message.body.len()
        + message.attributes.iter().map(attribute).sum::<usize>()
}
