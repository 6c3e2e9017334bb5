//! The world on AWS: DynamoDB, EventBridge, SNS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::builders::PutItemFluentBuilder, query::QueryOutput},
    types::AttributeValue,
};
use aws_sdk_eventbridge::{primitives::DateTime, types::PutEventsRequestEntry};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use event_store::failure::told;
use lambda::{Names, trace::TraceParent};

use crate::{
    indexes::Index,
    ports::{
        Alert, Announcement, Bus, Direction, Row, RowError, RowPage, Rows, Sent, Start, Table,
        Topic,
    },
    row::{from_item, to_item},
    shipment_log::CURRENT,
};

/// Rows in DynamoDB.
#[derive(Debug)]
pub struct DynamoDbRows {
    client: aws_sdk_dynamodb::Client,
    processed_orders: String,
    shipment_log: String,
    parked: String,
}

impl DynamoDbRows {
    /// The tables of one environment.
    pub fn new(client: aws_sdk_dynamodb::Client, names: &Names) -> Self {
        Self {
            client,
            processed_orders: names.processed_orders(),
            shipment_log: names.shipment_log(),
            parked: names.parked(),
        }
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

/// The attributes that are a table's key.
fn keys(table: Table) -> &'static [&'static str] {
    match table {
        Table::ProcessedOrders => &["orderId"],
        Table::ShipmentLog => &["shipmentId", "entry"],
        Table::Parked => &["id"],
    }
}

/// What a write came to; a condition that does not hold has done its work.
fn settle<O, E, R>(written: Result<O, SdkError<E, R>>) -> Result<(), RowError>
where
    E: ProvideErrorMetadata,
{
    match written {
        Ok(_) => Ok(()),
        Err(error) => match error.code() {
            Some("ConditionalCheckFailedException") => Ok(()),
            Some("ValidationException") => Err(RowError::Refused(told(&error))),
            _ => Err(RowError::Unavailable(told(&error))),
        },
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> RowError {
    RowError::Unavailable(told(&error))
}

fn read(item: HashMap<String, AttributeValue>) -> Result<Row, RowError> {
    from_item(item).ok_or_else(|| RowError::Refused("an item that is no row".to_owned()))
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
        seen: u64,
    ) -> Result<(), RowError> {
        let put = self
            .put_item(table, row)
            .condition_expression(
                "attribute_not_exists(#version) OR #version <= :version OR #version = :seen",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        settle(put.send().await)
    }

    async fn remove(&self, table: Table, mut row: Row) -> Result<(), RowError> {
        let version = to_item(row.clone()).remove("version");
        row.retain(|name, _| keys(table).contains(&name.as_str()));
        let delete = self
            .client
            .delete_item()
            .table_name(self.name(table))
            .set_key(Some(to_item(row)))
            .expression_attribute_names("#version", "version");
        let delete = match version {
            Some(version) => delete
                .condition_expression("#version = :version")
                .expression_attribute_values(":version", version),
            None => delete.condition_expression("attribute_not_exists(#version)"),
        };
        settle(delete.send().await)
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<(), RowError> {
        let put = self
            .put_item(table, row)
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id");
        settle(put.send().await)
    }

    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError> {
        let get = self
            .client
            .get_item()
            .table_name(self.name(table))
            .set_key(Some(to_item(key)));
        let answer = get.send().await.map_err(unavailable)?;
        answer.item.map(read).transpose()
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
        page(answer)
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
        page(answer.map_err(unavailable)?)
    }
}

/// A page as DynamoDB cut it: by the limit, or at 1 MB.
fn page(answer: QueryOutput) -> Result<RowPage, RowError> {
    let rows = answer.items.unwrap_or_default().into_iter().map(read);
    Ok(RowPage {
        rows: rows.collect::<Result<_, _>>()?,
        more: answer.last_evaluated_key.is_some(),
    })
}

/// The bus on EventBridge.
#[derive(Debug)]
pub struct EventBridge {
    client: aws_sdk_eventbridge::Client,
    bus: String,
}

impl EventBridge {
    /// The bus called `bus`.
    pub fn new(config: &SdkConfig, bus: String) -> Self {
        Self {
            client: aws_sdk_eventbridge::Client::new(config),
            bus,
        }
    }

    fn entry(&self, announcement: &Announcement) -> PutEventsRequestEntry {
        let trace = announcement.trace.as_ref().map(TraceParent::to_xray);
        PutEventsRequestEntry::builder()
            .set_trace_header(trace)
            .event_bus_name(&self.bus)
            .source(announcement.source)
            .detail_type(announcement.detail_type)
            .detail(announcement.detail.to_string())
            .time(DateTime::from_millis(announcement.at.millis()))
            .build()
    }
}

/// What an entry or a lone message is refused for: it is itself at fault, and always will be. Any
/// other error is one of the service or of the set-up, which may be mended.
/// (EventBridge API reference, `PutEventsResultEntry`; SNS API reference, common errors.)
const AT_FAULT: [&str; 6] = [
    "InvalidArgument",
    "InvalidParameter",
    "InvalidParameterValue",
    "MalformedDetail",
    "SerializationException",
    "ValidationException",
];

#[async_trait]
impl Bus for EventBridge {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        let entries = announcements
            .iter()
            .map(|announcement| self.entry(announcement))
            .collect();
        match self
            .client
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
        {
            // 200 says nothing about the entries: each has its own answer.
            Ok(answer) => answer
                .entries
                .unwrap_or_default()
                .into_iter()
                .map(|entry| match entry.error_code {
                    None => Sent::Accepted,
                    Some(code) if AT_FAULT.contains(&code.as_str()) => Sent::Refused(code),
                    Some(code) => Sent::Failed(code),
                })
                .collect(),
            Err(error) => of_call(error, announcements.len()),
        }
    }
}

/// The topic on SNS.
#[derive(Debug)]
pub struct Sns {
    client: aws_sdk_sns::Client,
    topic_arn: String,
}

impl Sns {
    /// The topic with this ARN.
    pub fn new(config: &SdkConfig, topic_arn: String) -> Self {
        Self {
            client: aws_sdk_sns::Client::new(config),
            topic_arn,
        }
    }
}

/// An alert as an entry of a call, called by its place in it. It fails only where a part is
/// missing, and none is.
fn entry(
    (place, alert): (usize, &Alert),
) -> Result<PublishBatchRequestEntry, aws_sdk_sns::error::BuildError> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(place.to_string())
        .subject(&alert.subject)
        .message(&alert.body);
    for (name, value) in &alert.attributes {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()?;
        entry = entry.message_attributes(*name, value);
    }
    entry.build()
}

#[async_trait]
impl Topic for Sns {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent> {
        let entries: Result<Vec<_>, _> = alerts.iter().enumerate().map(entry).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return vec![Sent::Refused(error.to_string()); alerts.len()],
        };
        let call = self.client.publish_batch().topic_arn(&self.topic_arn);
        match call
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await
        {
            Ok(answer) => {
                // What neither list names was not accepted.
                let mut sent = vec![Sent::Failed("not answered for".to_owned()); alerts.len()];
                let mut set = |id: Option<&str>, answer: Sent| {
                    let place = id.and_then(|id| id.parse::<usize>().ok());
                    if let Some(slot) = place.and_then(|place| sent.get_mut(place)) {
                        *slot = answer;
                    }
                };
                for done in answer.successful.unwrap_or_default() {
                    set(done.id.as_deref(), Sent::Accepted);
                }
                for failed in answer.failed.unwrap_or_default() {
                    let code = failed.code;
                    let answer = match failed.sender_fault {
                        true => Sent::Refused(code),
                        false => Sent::Failed(code),
                    };
                    set(Some(&failed.id), answer);
                }
                sent
            }
            Err(error) => of_call(error, alerts.len()),
        }
    }
}

/// A call that failed as a whole has accepted nothing. Which of several messages is at fault it
/// does not say, so only a lone one is refused.
fn of_call<E, R>(error: SdkError<E, R>, messages: usize) -> Vec<Sent>
where
    E: ProvideErrorMetadata,
{
    let at_fault = error.code().is_some_and(|code| AT_FAULT.contains(&code));
    let answer = match at_fault && messages == 1 {
        true => Sent::Refused(told(&error)),
        false => Sent::Failed(told(&error)),
    };
    vec![answer; messages]
}
