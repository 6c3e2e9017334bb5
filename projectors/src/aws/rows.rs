//! The tables of rows in DynamoDB.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        put_item::{PutItemError, builders::PutItemFluentBuilder},
        query::QueryOutput,
    },
    types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure},
};
use domain::Number;
use event_store::{dynamodb::half_units, failure::describe};
use lambda::{Names, ReadModel, read_models::Kind};

use crate::{
    indexes::Index,
    ports::{Direction, Row, RowError, RowPage, Rows, SegmentPage, Start, Table},
    row::{from_item, to_item},
    shipment_log::CURRENT,
};

/// The tables of rows in DynamoDB.
#[derive(Debug)]
pub struct DynamoDbRows {
    client: aws_sdk_dynamodb::Client,
    processed_orders: String,
    shipment_log: String,
    parked: String,
}

impl DynamoDbRows {
    /// The tables of one environment, with the first generations of its read models.
    pub fn new(client: aws_sdk_dynamodb::Client, names: &Names) -> Self {
        Self {
            client,
            processed_orders: names.processed_orders(),
            shipment_log: names.shipment_log(),
            parked: names.parked(),
        }
    }

    /// The same tables with `model` as the read model of its kind.
    pub fn with(mut self, names: &Names, model: ReadModel) -> Self {
        let name = names.of(&model.to_string());
        match model.kind {
            Kind::ProcessedOrders => self.processed_orders = name,
            Kind::ShipmentLog => self.shipment_log = name,
        }
        self
    }

    fn name(&self, table: Table) -> &str {
        match table {
            Table::ProcessedOrders => &self.processed_orders,
            Table::ShipmentLog => &self.shipment_log,
            Table::Parked => &self.parked,
        }
    }

    fn put_item(&self, table: Table, row: Row) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(self.name(table))
            .set_item(Some(to_item(row)))
    }
}

/// The result of a write. A failed condition is no error: a row that is as new is there already.
fn settle<O, E, R>(written: Result<O, SdkError<E, R>>) -> Result<(), RowError>
where
    E: ProvideErrorMetadata,
{
    match written {
        Ok(_) => Ok(()),
        Err(error) => match error.code() {
            Some("ConditionalCheckFailedException") => Ok(()),
            Some("ValidationException") => Err(RowError::Refused(describe(&error))),
            _ => Err(RowError::Unavailable(describe(&error))),
        },
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> RowError {
    RowError::Unavailable(describe(&error))
}

#[async_trait]
impl Rows for DynamoDbRows {
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError> {
        settle(self.put_item(table, row).send().await)
    }

    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError> {
        let put = self
            .put_item(table, row)
            .condition_expression("attribute_not_exists(#version) OR #version < :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()));
        settle(put.send().await)
    }

    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        version: u64,
        seen: Option<Number>,
    ) -> Result<(), RowError> {
        let number = |text: String| AttributeValue::N(text);
        let version = version.to_string();
        let seen = seen.map_or_else(|| version.clone(), |seen| seen.to_string());
        // This also covers a row without a version.
        let put = self
            .put_item(table, row)
            .condition_expression(
                "NOT attribute_type(#version, :number) OR #version <= :version OR #version = :seen",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":number", AttributeValue::S("N".to_owned()))
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":seen", number(seen));
        settle(put.send().await)
    }

    async fn remove(&self, table: Table, mut row: Row) -> Result<(), RowError> {
        let version = to_item(row.clone()).remove("version");
        row.retain(|name, _| table.key_names().contains(&name.as_str()));
        let delete = self
            .client
            .delete_item()
            .table_name(self.name(table))
            .set_key(Some(to_item(row)))
            .expression_attribute_names("#version", "version");
        let delete = match version {
            Some(version @ AttributeValue::N(_)) => delete
                .condition_expression("#version = :version")
                .expression_attribute_values(":version", version),
            // No projection had written the row, and none has written it since.
            _ => delete
                .condition_expression("NOT attribute_type(#version, :number)")
                .expression_attribute_values(":number", AttributeValue::S("N".to_owned())),
        };
        settle(delete.send().await)
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError> {
        let put = self
            .put_item(table, row)
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Err(SdkError::ServiceError(error)) => match error.err() {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    let stored = failed.item.clone();
                    let nothing =
                        || RowError::Unavailable("the existing row was not returned".to_owned());
                    stored.map(from_item).map(Some).ok_or_else(nothing)
                }
                _ => settle::<(), _, _>(Err(SdkError::ServiceError(error))).map(|()| None),
            },
            put => settle(put).map(|()| None),
        }
    }

    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError> {
        let get = self
            .client
            .get_item()
            .table_name(self.name(table))
            .set_key(Some(to_item(key)))
            // Consistent, since an aggregate that is parked again must not seem to be removed.
            .consistent_read(table == Table::Parked);
        let answer = get.send().await.map_err(unavailable)?;
        Ok(answer.item.map(from_item))
    }

    async fn log(
        &self,
        shipment_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let start = after.map(|entry| {
            HashMap::from([
                ("shipmentId".to_owned(), text(shipment_id)),
                ("entry".to_owned(), text(entry)),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.shipment_log)
            .key_condition_expression("#id = :id AND #entry < :end")
            .expression_attribute_names("#id", "shipmentId")
            .expression_attribute_names("#entry", "entry")
            .expression_attribute_values(":id", text(shipment_id))
            .expression_attribute_values(":end", text(CURRENT))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(page(answer))
    }

    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let [name, sorted @ ..] = table.key_names() else {
            return Ok(RowPage::default());
        };
        let mut condition = "#partition = :partition".to_owned();
        let mut query = self
            .client
            .query()
            .table_name(self.name(table))
            .expression_attribute_names("#partition", *name)
            .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        if let (Some(after), [sort]) = (after, sorted) {
            condition.push_str(" AND #sort > :after");
            query = query
                .expression_attribute_names("#sort", *sort)
                .expression_attribute_values(":after", AttributeValue::S(after.to_owned()));
        }
        let answer = query.key_condition_expression(condition).send().await;
        Ok(page(answer.map_err(unavailable)?))
    }

    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError> {
        let answer = self
            .client
            .scan()
            .table_name(self.name(table))
            .segment(i32::try_from(segment).unwrap_or(i32::MAX))
            .total_segments(i32::try_from(segments).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(to_item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(unavailable)?;
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(SegmentPage {
            rows: rows.map(from_item).collect(),
            last: answer.last_evaluated_key.map(from_item),
            half_units: half_units(answer.consumed_capacity.as_ref()),
        })
    }

    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut query = self
            .client
            .query()
            .table_name(self.name(index.table()))
            .index_name(index.name())
            .expression_attribute_names("#partition", index.partition_key())
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(direction == Direction::Up)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let bound = match (start, direction) {
            (Start::At(sort), Direction::Up) => Some((">=", sort)),
            (Start::At(sort), Direction::Down) => Some(("<=", sort)),
            (Start::Behind(sort), Direction::Up) => Some((">", sort)),
            (Start::Behind(sort), Direction::Down) => Some(("<", sort)),
            (Start::Beginning | Start::After { .. }, _) => None,
        };
        let mut condition = "#partition = :partition".to_owned();
        if let Some((comparison, sort)) = bound {
            condition.push_str(&format!(" AND #sort {comparison} :sort"));
            query = query
                .expression_attribute_names("#sort", index.sort_key())
                .expression_attribute_values(":sort", text(sort));
        }
        if let Start::After { sort, id } = start {
            let keys = to_item(index.keys(partition, sort, id));
            query = query.set_exclusive_start_key(Some(keys));
        }
        let answer = query.key_condition_expression(condition).send().await;
        Ok(page(answer.map_err(unavailable)?))
    }
}

/// A page as DynamoDB cut it: at the limit, or at 1 MB.
fn page(answer: QueryOutput) -> RowPage {
    let rows = answer.items.unwrap_or_default().into_iter();
    RowPage {
        rows: rows.map(from_item).collect(),
        more: answer.last_evaluated_key.is_some(),
    }
}
