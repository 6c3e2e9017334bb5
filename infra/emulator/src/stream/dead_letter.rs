//! The object that an event source mapping writes to its failure destination on S3: the whole
//! record, and the reason why it was given up.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::ENVELOPE;
use super::reader::Record;
use crate::arn;
use crate::clock;

/// An event source mapping from a table's stream to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The id of the mapping, the same at every start.
    id: Uuid,
    function_arn: String,
    stream_arn: String,
    attempts: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    request_context: RequestContext<'a>,
    response_context: ResponseContext,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "DDBStreamBatchInfo")]
    batch: Batch<'a>,
    payload: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext {
    status_code: u16,
    executed_version: &'static str,
    /// `null` where the function has answered and named the record as failed.
    function_error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    shard_id: &'a str,
    start_sequence_number: &'a str,
    end_sequence_number: &'a str,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: u32,
    stream_arn: &'a str,
}

/// The last attempt at a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAttempt<'a> {
    /// The request id of the invocation.
    pub request_id: &'a str,
    /// Whether the invocation failed. Otherwise the function has named the record as failed.
    pub function_failed: bool,
    /// The id of the shard that holds the record.
    pub shard: &'a str,
    /// The time at which the record was given up.
    pub at: DateTime<Utc>,
}

impl Mapping {
    /// Creates the mapping from the stream of `table` to `function`, both by name. It gives up a
    /// record after this number of attempts.
    pub fn new(table: &str, function: &str, attempts: u32) -> Self {
        let function_arn = arn::function(function);
        Self {
            id: Uuid::new_v5(&Uuid::NAMESPACE_URL, function_arn.as_bytes()),
            function_arn,
            stream_arn: arn::stream(table),
            attempts,
        }
    }

    /// Returns the key of a new dead letter.
    pub fn key(&self, last: &LastAttempt<'_>) -> String {
        let (id, shard) = (self.id, last.shard);
        let time = last.at.format("%Y/%m/%d/%Y-%m-%dT%H.%M.%S");
        format!("aws/lambda/{id}/{shard}/{time}-{}", Uuid::new_v4())
    }

    /// Returns the content of the dead letter of a record, JSON in Lambda's form.
    pub fn body(
        &self,
        record: &Record,
        last: &LastAttempt<'_>,
    ) -> Result<String, serde_json::Error> {
        let arrival = clock::event_text(record.arrived.unwrap_or(last.at));
        let (head, tail) = ENVELOPE;
        serde_json::to_string(&Body {
            request_context: RequestContext {
                request_id: last.request_id,
                function_arn: &self.function_arn,
                condition: "RetryAttemptsExhausted",
                approximate_invoke_count: self.attempts,
            },
            response_context: ResponseContext {
                status_code: 200,
                executed_version: "$LATEST",
                function_error: last.function_failed.then_some("Unhandled"),
            },
            version: "1.0",
            timestamp: clock::text(last.at),
            batch: Batch {
                shard_id: last.shard,
                start_sequence_number: &record.sequence,
                end_sequence_number: &record.sequence,
                approximate_arrival_of_first_record: arrival.clone(),
                approximate_arrival_of_last_record: arrival,
                batch_size: 1,
                stream_arn: &self.stream_arn,
            },
            payload: format!("{head}{}{tail}", record.json),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn last() -> LastAttempt<'static> {
        LastAttempt {
            request_id: "r",
            function_failed: true,
            shard: "shardId-1",
            at: DateTime::from_timestamp_millis(1_700_000_000_120).unwrap(),
        }
    }

    fn mapping(function: &str) -> Mapping {
        Mapping::new("toy-library-books", function, 10)
    }

    #[test]
    fn a_key_says_whose_it_is_and_of_when() {
        let mapping = mapping("toy-shelve");
        let key = mapping.key(&last());
        let id = mapping.id;
        let start = format!("aws/lambda/{id}/shardId-1/2023/11/14/2023-11-14T22.13.20-");
        let end = key.strip_prefix(&start).unwrap();
        assert!(Uuid::parse_str(end).is_ok(), "{key}");
        assert_ne!(key, mapping.key(&last()));
        assert_ne!(id, self::mapping("toy-remind").id);
        assert_eq!(mapping, self::mapping("toy-shelve"));
    }

    #[test]
    fn a_dead_letter_is_what_lambda_writes() {
        let json = r#"{"eventID":"1","dynamodb":{"NewImage":{"total":{"N":"1.50"}}}}"#;
        let record = Record {
            sequence: "7".to_owned(),
            arrived: DateTime::from_timestamp(1_699_999_999, 0),
            json: json.to_owned(),
        };
        let body = mapping("toy-shelve").body(&record, &last()).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        let expected = json!({
            "requestContext": {
                "requestId": "r",
                "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:toy-shelve",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 10,
            },
            "responseContext": {
                "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": "2023-11-14T22:13:20.120Z",
            "DDBStreamBatchInfo": {
                "shardId": "shardId-1",
                "startSequenceNumber": "7",
                "endSequenceNumber": "7",
                "approximateArrivalOfFirstRecord": "2023-11-14T22:13:19Z",
                "approximateArrivalOfLastRecord": "2023-11-14T22:13:19Z",
                "batchSize": 1,
                "streamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/toy-library-books/stream/local",
            },
            "payload": format!(r#"{{"Records":[{json}]}}"#),
        });
        assert_eq!(body, expected);

        let named = LastAttempt {
            function_failed: false,
            ..last()
        };
        let body = mapping("toy-shelve").body(&record, &named).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["responseContext"]["functionError"], Value::Null);
    }
}
