//! A DynamoDB item, and the attributes of a commit's item that others than [`crate::commit`] name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The attribute of the partition key: the aggregate's id, such as `order#<orderId>`.
pub const AGGREGATE: &str = "aggregate";
/// The attribute of the sort key: the sequence of the commit's first event.
pub const SEQUENCE: &str = "sequence";
/// The attribute that holds a commit's snapshot.
pub const SNAPSHOT: &str = "snapshot";
