//! A stream's records, and what is answered to the stream.
//!
//! A record is a doorbell that brings one commit. The stream keeps order per item only, so a batch
//! may hold an aggregate's commits in any order, some of them twice, and some of them never before.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use event_store::{
    Commit,
    commit::{AGGREGATE, SEQUENCE},
};
use lambda::Failed;
use serde_dynamo::AttributeValue;
use serde_json::{Value, json, value::RawValue};

use crate::Projectors;

/// A commit that has arrived, or one that cannot be read.
#[derive(Debug)]
pub struct Arrival {
    /// The record's number in the stream.
    pub number: String,
    /// Whose commit it is, as the key says.
    pub aggregate: String,
    /// The sequence that it begins with, as the key says.
    pub sequence: u64,
    /// The commit; where it cannot be read, why, for logs.
    pub commit: Result<Commit, String>,
}

/// The commits that a batch brings, in its order.
///
/// A change or removal of a stored commit is no commit: it breaks the promise that events are
/// immutable, and is shouted about.
pub fn arrivals(projectors: &Projectors, payload: &RawValue) -> Result<Vec<Arrival>, Failed> {
    let event: Event = serde_json::from_str(payload.get())
        .map_err(|_| Failed("not a batch of a DynamoDB stream".to_owned()))?;
    let records = event.records.into_iter();
    Ok(records
        .filter_map(|record| arrival(projectors, record))
        .collect())
}

impl From<Commit> for Arrival {
    /// A commit that was read, and not brought by the stream.
    fn from(commit: Commit) -> Self {
        Self {
            number: String::new(),
            aggregate: commit.aggregate.to_string(),
            sequence: commit.sequence,
            commit: Ok(commit),
        }
    }
}

fn arrival(projectors: &Projectors, record: EventRecord) -> Option<Arrival> {
    let change = record.change;
    let number = change.sequence_number.unwrap_or_default();
    let keys = change.keys.into_inner();
    let aggregate = match keys.get(AGGREGATE) {
        Some(AttributeValue::S(aggregate)) => aggregate.clone(),
        _ => String::new(),
    };
    let sequence = match keys.get(SEQUENCE) {
        Some(AttributeValue::N(sequence)) => sequence.parse().unwrap_or_default(),
        _ => 0,
    };
    if record.event_name != "INSERT" {
        let change = record.event_name;
        tracing::error!(
            aggregate,
            sequence,
            change,
            "a stored commit was tampered with"
        );
        projectors.metrics.tampered(projectors.clock.now());
        return None;
    }
    let item = change.new_image.into_inner();
    let item = item
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let commit = Commit::from_item(item).map_err(|error| error.to_string());
    let commit = commit.and_then(|commit| match commit.aggregate.to_string() == aggregate {
        true => Ok(commit),
        false => Err("its key and its content differ".to_owned()),
    });
    Some(Arrival {
        number,
        aggregate,
        sequence,
        commit,
    })
}

/// One aggregate's commits of a batch.
#[derive(Debug)]
pub struct Group {
    /// The number in the stream of the first record.
    pub number: String,
    /// Whose commits they are, as the key says.
    pub aggregate: String,
    /// The commits before the first one that cannot be read: by sequence, each once.
    pub commits: Vec<Commit>,
    /// The first one that cannot be read: its sequence, and why.
    pub unreadable: Option<(u64, String)>,
}

/// A batch by aggregate, in the order of their first records.
pub fn groups(arrivals: Vec<Arrival>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for arrival in arrivals {
        let known = groups
            .iter()
            .position(|group| group.aggregate == arrival.aggregate);
        let place = known.unwrap_or_else(|| {
            groups.push(Group {
                number: arrival.number,
                aggregate: arrival.aggregate,
                commits: Vec::new(),
                unreadable: None,
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        match arrival.commit {
            Ok(commit) => group.commits.push(commit),
            Err(reason) => {
                let first = group
                    .unreadable
                    .as_ref()
                    .map_or(u64::MAX, |(sequence, _)| *sequence);
                if arrival.sequence < first {
                    group.unreadable = Some((arrival.sequence, reason));
                }
            }
        }
    }
    for group in &mut groups {
        let end = group
            .unreadable
            .as_ref()
            .map_or(u64::MAX, |(sequence, _)| *sequence);
        group.commits.retain(|commit| commit.sequence < end);
        group.commits.sort_by_key(|commit| commit.sequence);
        group.commits.dedup_by_key(|commit| commit.sequence);
    }
    groups
}

/// The answer to the stream: go on, or come again from record `failed_at` on.
pub fn response(failed_at: Option<String>) -> Value {
    let failures = failed_at.map(|number| json!({ "itemIdentifier": number }));
    json!({ "batchItemFailures": failures.into_iter().collect::<Vec<_>>() })
}
