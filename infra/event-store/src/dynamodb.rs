//! The table of commits on AWS: a DynamoDB table.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeValue, ConsumedCapacity, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure,
    },
};

use crate::{
    commit::{AGGREGATE, Item, SEQUENCE},
    failure::describe,
    table::{CommitTable, Page, Put, Unavailable},
};

/// A DynamoDB table of commits.
#[derive(Debug)]
pub struct DynamoDbTable {
    client: Client,
    name: String,
    usage: Mutex<Usage>,
}

/// The cost of a table's calls, as DynamoDB reports it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// The number of calls. Retries by the SDK itself are not counted.
    pub requests: u64,
    /// Read units that were consumed.
    pub read_units: f64,
    /// Write units that were consumed. A failed condition costs some, which DynamoDB does not
    /// report.
    pub write_units: f64,
}

impl DynamoDbTable {
    /// The table with the name `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
            usage: Mutex::default(),
        }
    }

    /// The cost of all calls so far.
    pub fn usage(&self) -> Usage {
        *self
            .usage
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn read(&self, capacity: Option<ConsumedCapacity>) {
        self.count(capacity, |usage| &mut usage.read_units);
    }

    fn written(&self, capacity: Option<ConsumedCapacity>) {
        self.count(capacity, |usage| &mut usage.write_units);
    }

    // A unit is a whole or a half: exact in a float.
    #[allow(clippy::float_arithmetic)]
    fn count(&self, capacity: Option<ConsumedCapacity>, of: fn(&mut Usage) -> &mut f64) {
        let mut usage = self
            .usage
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        usage.requests += 1;
        *of(&mut usage) += capacity
            .and_then(|capacity| capacity.capacity_units)
            .unwrap_or(0.0);
    }

    async fn query(
        &self,
        aggregate: &str,
        bound: Option<(&str, u64)>,
        newest_first: bool,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        // Every name goes through a placeholder, since `aggregate` is a reserved word.
        let mut condition = "#aggregate = :aggregate".to_owned();
        let mut query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(!newest_first)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .expression_attribute_names("#aggregate", AGGREGATE)
            .expression_attribute_values(":aggregate", AttributeValue::S(aggregate.to_owned()));
        if let Some((comparison, sequence)) = bound {
            condition.push_str(&format!(" AND #sequence {comparison} :sequence"));
            query = query
                .expression_attribute_names("#sequence", SEQUENCE)
                .expression_attribute_values(":sequence", AttributeValue::N(sequence.to_string()));
        }
        let answer = query.key_condition_expression(condition).send().await;
        let answer = answer.map_err(unavailable)?;
        self.read(answer.consumed_capacity);
        Ok(Page {
            items: answer.items.unwrap_or_default(),
            more: answer.last_evaluated_key.is_some(),
            half_units: 0,
        })
    }
}

#[async_trait]
impl CommitTable for DynamoDbTable {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#aggregate)")
            .expression_attribute_names("#aggregate", AGGREGATE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.written(answer.consumed_capacity);
                Ok(Put::Written)
            }
            Err(error) => {
                self.written(None);
                let refused = error.as_service_error().and_then(|error| {
                    match error {
                    aws_sdk_dynamodb::operation::put_item::PutItemError::
                        ConditionalCheckFailedException(refused) => refused.item.clone(),
                    _ => None,
                }
                });
                refused.map(Put::Occupied).ok_or_else(|| unavailable(error))
            }
        }
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        self.query(
            aggregate,
            before.map(|sequence| ("<", sequence)),
            true,
            limit,
        )
        .await
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        self.query(aggregate, Some((">=", from)), false, limit)
            .await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        let answer = self
            .client
            .scan()
            .table_name(&self.name)
            .segment(i32::try_from(segment).unwrap_or(i32::MAX))
            .total_segments(i32::try_from(segments).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(key))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(unavailable)?;
        let half_units = half_units(answer.consumed_capacity.as_ref());
        self.read(answer.consumed_capacity);
        Ok(Page {
            items: answer.items.unwrap_or_default(),
            more: answer.last_evaluated_key.is_some(),
            half_units,
        })
    }
}

/// The cost of a call as DynamoDB reports it, in halves of a capacity unit.
// A unit is a whole or a half: exact in a float.
#[allow(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub fn half_units(capacity: Option<&ConsumedCapacity>) -> u64 {
    let units = capacity.and_then(|capacity| capacity.capacity_units);
    (units.unwrap_or(0.0) * 2.0).round() as u64
}

/// The key attributes of an item, without the others.
fn key(item: &Item) -> HashMap<String, AttributeValue> {
    let of_key = |name: &&str| {
        item.get(*name)
            .map(|value| ((*name).to_owned(), value.clone()))
    };
    [AGGREGATE, SEQUENCE].iter().filter_map(of_key).collect()
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> Unavailable {
    Unavailable(describe(&error))
}
