//! A batch of stream records, and the answer to the stream.
//!
//! Each record brings one commit. The stream keeps order per item only, so a batch may hold an
//! aggregate's commits in any order, may repeat them, and may lack earlier ones.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use event_store::{
    Commit,
    commit::{AGGREGATE, SEQUENCE},
};
use lambda::Failed;
use serde_dynamo::AttributeValue;
use serde_json::{Value, json, value::RawValue};

use crate::Projectors;

/// A commit that a stream record brings, or the error where it cannot be read.
#[derive(Debug)]
pub struct Arrival {
    /// The record's sequence number in the stream.
    pub number: String,
    /// The commit's aggregate, by the item's key.
    pub aggregate: String,
    /// The sequence of the commit's first event, by the item's key.
    pub sequence: u64,
    /// The commit; where it cannot be read, the reason, for logs.
    pub commit: Result<Commit, String>,
}

/// The commits that a batch brings, in its order.
///
/// A record that changes or removes a stored commit brings none. It breaks the promise that events
/// are immutable, so it is logged as an error and counted in a metric with an alarm.
pub fn arrivals(projectors: &Projectors, payload: &RawValue) -> Result<Vec<Arrival>, Failed> {
    let event: Event = serde_json::from_str(payload.get())
        .map_err(|_| Failed("not a batch of a DynamoDB stream".to_owned()))?;
    let records = event.records.into_iter();
    Ok(records
        .filter_map(|record| arrival(projectors, record))
        .collect())
}

impl From<Commit> for Arrival {
    /// A commit that was read from the store, and not brought by the stream.
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

/// The commits of one aggregate in a batch.
#[derive(Debug)]
pub struct Group {
    /// The sequence number in the stream of the group's first record.
    pub number: String,
    /// The aggregate, by the items' keys.
    pub aggregate: String,
    /// The commits before the first unreadable one, ordered by sequence, without duplicates.
    pub commits: Vec<Commit>,
    /// The sequence of the first unreadable commit, and the reason.
    pub unreadable: Option<(u64, String)>,
}

/// Groups a batch by aggregate, in the order of the groups' first records.
pub fn groups(arrivals: Vec<Arrival>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for arrival in arrivals {
        let known = groups
            .iter()
            .position(|group| group.aggregate == arrival.aggregate);
        let index = known.unwrap_or_else(|| {
            groups.push(Group {
                number: arrival.number,
                aggregate: arrival.aggregate,
                commits: Vec::new(),
                unreadable: None,
            });
            groups.len() - 1
        });
        let group = &mut groups[index];
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

/// The answer to the stream: the batch is done, or must be delivered again from record `failed_at`
/// on.
pub fn response(failed_at: Option<String>) -> Value {
    let failures = failed_at.map(|number| json!({ "itemIdentifier": number }));
    json!({ "batchItemFailures": failures.into_iter().collect::<Vec<_>>() })
}
