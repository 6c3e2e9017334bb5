//! Batches of the DynamoDB stream, as Lambda delivers them.

use event_store::{Commit, commit};
use lambda::Payload;
use serde_json::{Value, json, value::RawValue};

/// Returns a batch of commits. The sequence numbers of its records are `1`, `2`, and so on.
pub fn batch(commits: &[Commit]) -> Payload {
    let items: Vec<commit::Item> = commits
        .iter()
        .map(|commit| commit.to_item().unwrap())
        .collect();
    batch_of_items(&items)
}

/// Returns a batch of items of the events table, numbered from 1.
pub fn batch_of_items(items: &[commit::Item]) -> Payload {
    let records: Vec<Record> = items.iter().map(Record::of).collect();
    batch_of_records(&records)
}

/// Returns a batch of records, numbered from 1.
pub fn batch_of_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Payload {
    let numbered: Vec<String> = records
        .into_iter()
        .zip(1..)
        .map(|(record, number)| format!("{}{number}\"}}}}", record.0))
        .collect();
    RawValue::from_string(format!("{{\"Records\":[{}]}}", numbered.join(","))).unwrap()
}

/// A record of the stream as JSON, up to its sequence number, which each batch adds. So it can be
/// delivered many times.
#[derive(Debug, Clone)]
pub struct Record(String);

impl Record {
    /// Returns the record of the insertion of an item.
    pub fn of(item: &commit::Item) -> Self {
        let image = attributes(item);
        let keys = json!({ "aggregate": image["aggregate"], "sequence": image["sequence"] });
        Self(format!(
            r#"{{"eventID":"event","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{{"ApproximateCreationDateTime":1705320000.0,"Keys":{keys},"NewImage":{image},"SizeBytes":1,"StreamViewType":"NEW_AND_OLD_IMAGES","SequenceNumber":""#
        ))
    }
}

/// Returns an item as DynamoDB JSON.
fn attributes(item: &commit::Item) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue;
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::M(members) => json!({ "M": attributes(members) }),
        AttributeValue::B(bytes) => json!({ "B": base64(bytes.as_ref()) }),
        other => panic!("no commit holds {other:?}"),
    };
    item.iter()
        .map(|(name, member)| (name.clone(), value(member)))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes)
}
