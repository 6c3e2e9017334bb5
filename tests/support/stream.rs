//! Batches of the stream, as Lambda delivers them.

use event_store::{Commit, commit::Item};
use lambda::Payload;
use serde_json::{Value, json, value::to_raw_value};

/// A batch of commits; record numbers are `1`, `2`, …
pub fn batch(commits: &[Commit]) -> Payload {
    let items: Vec<Item> = commits
        .iter()
        .map(|commit| commit.to_item().unwrap())
        .collect();
    batch_of_items(&items)
}

/// A batch of any items of the events table.
pub fn batch_of_items(items: &[Item]) -> Payload {
    let records: Vec<Value> = items
        .iter()
        .zip(1..)
        .map(|(item, n)| record(item, n))
        .collect();
    to_raw_value(&json!({ "Records": records })).unwrap()
}

fn record(item: &Item, number: usize) -> Value {
    let image = attributes(item);
    json!({
        "eventID": format!("event-{number}"),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_705_320_000.0,
            "Keys": { "aggregate": image["aggregate"], "sequence": image["sequence"] },
            "NewImage": image,
            "SequenceNumber": number.to_string(),
            "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

/// An item in DynamoDB's JSON.
fn attributes(item: &Item) -> Value {
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
