//! Reads a table's stream. Records keep the JSON that DynamoDB writes; no SDK type is in between.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::arn::{self, REGION};

/// The reason why a stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The embedded DynamoDB has not answered.
    #[error("the stream: {0}")]
    Http(#[from] reqwest::Error),
    /// The answer is an error, or a member is missing in it.
    #[error("the stream: {0}")]
    Refused(String),
    /// The answer is not valid JSON of the expected form.
    #[error("the stream: {0}")]
    Answer(#[from] serde_json::Error),
}

/// A record in the form in which Lambda passes it to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The sequence number: the position in the stream.
    pub sequence: String,
    /// The approximate time at which the record was written, in whole seconds.
    pub arrived: Option<DateTime<Utc>>,
    /// The record as JSON.
    pub json: String,
}

/// A reader of the stream of one table.
pub struct Reader {
    client: reqwest::Client,
    url: String,
    table: String,
    batch_size: usize,
    source_arn: String,
    /// The shard iterator of the next read; `None` before the first read and after a failure.
    iterator: Option<String>,
    /// The id of the only shard; empty before the first read.
    shard: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records<'a> {
    #[serde(borrow)]
    records: Vec<StreamRecord<'a>>,
    next_shard_iterator: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamRecord<'a> {
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: String,
    event_version: String,
    event_source: String,
    #[serde(borrow)]
    user_identity: Option<&'a RawValue>,
    #[serde(borrow)]
    dynamodb: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Position<'a> {
    sequence_number: String,
    #[serde(borrow)]
    approximate_creation_date_time: Option<&'a RawValue>,
}

impl Reader {
    /// Creates a reader of the stream of `table`, served at `url`, which reads `batch_size` records
    /// at once.
    pub fn new(client: reqwest::Client, url: String, table: String, batch_size: usize) -> Self {
        let source_arn = arn::stream(&table);
        Self {
            client,
            url,
            table,
            batch_size,
            source_arn,
            iterator: None,
            shard: String::new(),
        }
    }

    /// Returns the next records, at most one batch; an empty list where there are none. `after` is
    /// the checkpoint of the caller, which is used at the start and after a failure.
    pub async fn read(&mut self, after: Option<&str>) -> Result<Vec<Record>, ReadError> {
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator_after(after).await?,
        };
        let request = json!({ "ShardIterator": iterator, "Limit": self.batch_size });
        let answer = self.call("GetRecords", &request).await?;
        let answer: Records<'_> = serde_json::from_str(&answer)?;
        let records = answer
            .records
            .iter()
            .map(|record| lambda_record(record, &self.source_arn));
        let records = records.collect::<Result<_, _>>()?;
        self.iterator = answer.next_shard_iterator;
        Ok(records)
    }

    /// Returns the id of the shard; empty before the first read.
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// Discards the shard iterator, so that the next read starts at the checkpoint of its caller.
    pub fn rewind(&mut self) {
        self.iterator = None;
    }

    async fn iterator_after(&mut self, after: Option<&str>) -> Result<String, ReadError> {
        let streams = self
            .answer("ListStreams", &json!({ "TableName": self.table }))
            .await?;
        let stream = text(&streams, "/Streams/0/StreamArn")?;
        let described = self
            .answer("DescribeStream", &json!({ "StreamArn": stream }))
            .await?;
        // The embedded DynamoDB has exactly one shard for each table.
        self.shard = text(&described, "/StreamDescription/Shards/0/ShardId")?.to_owned();
        let mut request = json!({
            "StreamArn": stream,
            "ShardId": self.shard,
            "ShardIteratorType": "TRIM_HORIZON",
        });
        if let Some(sequence) = after {
            request["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
            request["SequenceNumber"] = json!(sequence);
        }
        let answer = self.answer("GetShardIterator", &request).await?;
        Ok(text(&answer, "/ShardIterator")?.to_owned())
    }

    async fn answer(&self, operation: &str, request: &Value) -> Result<Value, ReadError> {
        Ok(serde_json::from_str(&self.call(operation, request).await?)?)
    }

    async fn call(&self, operation: &str, request: &Value) -> Result<String, ReadError> {
        let sent = self
            .client
            .post(&self.url)
            .header(
                "x-amz-target",
                format!("DynamoDBStreams_20120810.{operation}"),
            )
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20000101T000000Z")
            .header("authorization", UNSIGNED)
            .body(request.to_string())
            .send()
            .await?;
        let status = sent.status();
        let body = sent.text().await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(ReadError::Refused(body))
        }
    }
}

/// The embedded DynamoDB requires a signature of this form, but does not verify it.
const UNSIGNED: &str = "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/dynamodb/aws4_request, \
                        SignedHeaders=host, Signature=none";

fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, ReadError> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| ReadError::Refused(format!("no {pointer} in {answer}")))
}

/// Converts a record to the form of Lambda, which adds the ARN of the stream.
fn lambda_record(record: &StreamRecord<'_>, source_arn: &str) -> Result<Record, serde_json::Error> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct LambdaRecord<'a> {
        #[serde(rename = "eventID")]
        event_id: &'a str,
        event_name: &'a str,
        event_version: &'a str,
        event_source: &'a str,
        aws_region: &'a str,
        dynamodb: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_identity: Option<&'a RawValue>,
        #[serde(rename = "eventSourceARN")]
        event_source_arn: &'a str,
    }
    let position: Position<'_> = serde_json::from_str(record.dynamodb.get())?;
    let json = serde_json::to_string(&LambdaRecord {
        event_id: &record.event_id,
        event_name: &record.event_name,
        event_version: &record.event_version,
        event_source: &record.event_source,
        aws_region: REGION,
        dynamodb: record.dynamodb,
        user_identity: record.user_identity,
        event_source_arn: source_arn,
    })?;
    Ok(Record {
        sequence: position.sequence_number,
        arrived: position.approximate_creation_date_time.and_then(second),
        json,
    })
}

/// Converts a number of seconds since 1970 to a time, without its fraction.
fn second(seconds: &RawValue) -> Option<DateTime<Utc>> {
    let whole = seconds.get().split('.').next()?;
    DateTime::from_timestamp(whole.parse().ok()?, 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reaches_the_function_as_dynamodb_wrote_it() {
        let dynamodb = r#"{"Keys":{"isbn":{"S":"1"}},"NewImage":{"total":{"N":"1.50"}},"SequenceNumber":"100000000000000000007","SizeBytes":9,"StreamViewType":"NEW_AND_OLD_IMAGES","ApproximateCreationDateTime":1761000000.0}"#;
        let answer = format!(
            r#"{{"Records":[{{"eventID":"e","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"dynoxide","dynamodb":{dynamodb}}}],"NextShardIterator":"i"}}"#
        );
        let records: Records<'_> = serde_json::from_str(&answer).unwrap();
        let record = lambda_record(&records.records[0], &arn::stream("t")).unwrap();
        assert_eq!(record.sequence, "100000000000000000007");
        assert_eq!(record.arrived.unwrap().timestamp(), 1_761_000_000);
        assert_eq!(
            record.json,
            format!(
                r#"{{"eventID":"e","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{dynamodb},"eventSourceARN":"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/local"}}"#
            )
        );
    }
}
