//! The definition of a system: everything that it would have provisioned on AWS, as plain data.
//!
//! Functions and buckets have an `id` besides their name: a short one, by which the other parts of
//! the definition, the state and the `/_local` endpoints refer to them. The id must stay the same
//! for as long as a data folder is used; the name may change.

mod check;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use check::InvalidDefinition;
pub(crate) use check::method_filter;

use crate::function::{Handler, Payload};
use crate::measured::{Metric, Statistic};

/// The name of the event bus that every account has.
pub const DEFAULT_BUS: &str = "default";

/// The definition of a system.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// The name of the system at `/_local/status`.
    pub environment: String,
    /// The Lambda functions.
    pub functions: Vec<Function>,
    /// The DynamoDB tables.
    pub tables: Vec<Table>,
    /// The functions that consume the stream of a table.
    pub stream_consumers: Vec<StreamConsumer>,
    /// The names of the event buses, besides [`DEFAULT_BUS`].
    pub buses: Vec<String>,
    /// The rules that select the events which a function receives.
    pub rules: Vec<Rule>,
    /// Prefixes of event sources. An event whose source starts with one of them is kept at
    /// `/_local/messages`.
    pub kept_sources: Vec<String>,
    /// The functions that run at intervals.
    pub schedules: Vec<Schedule>,
    /// The names of the SNS topics. They have no subscribers: published messages are kept at
    /// `/_local/messages`.
    pub topics: Vec<String>,
    /// The queue for asynchronous invocations that failed at every attempt.
    pub dead_letter_queue: Queue,
    /// The S3 buckets. Objects of an older data folder, from the time when there was only one
    /// bucket, belong to the first one.
    pub buckets: Vec<Bucket>,
    /// The KMS keys.
    pub kms_keys: Vec<KmsKey>,
    /// The HTTP API.
    pub http_api: HttpApi,
    /// The CloudWatch alarms.
    pub alarms: Vec<Alarm>,
    /// The hosts and origins whose requests are answered.
    pub access: Access,
}

/// A Lambda function.
#[derive(Clone)]
pub struct Function {
    /// The id of the function in the definition, the state and the `/_local` endpoints; also the
    /// name of its handler.
    pub id: String,
    /// The name, by which callers invoke the function.
    pub name: String,
    /// The longest time that one invocation may take.
    pub timeout: Duration,
    /// The maximum number of invocations at the same time, reserved for this function. `None`: the
    /// function shares [`CONCURRENT_INVOCATIONS`](crate::limits::CONCURRENT_INVOCATIONS) with all
    /// others. Further invocations wait, where Lambda would throttle them. With a reserved
    /// concurrency the function also has its own queue of asynchronous invocations, which does not
    /// wait for other functions.
    pub reserved_concurrency: Option<usize>,
    /// The environment variables, only for `GetFunctionConfiguration`: the emulator does not set
    /// them for the handler.
    pub variables: BTreeMap<String, String>,
    /// The code of the function.
    pub handler: Arc<dyn Handler>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the handler, which has nothing to show, and the variables, which may be secret.
        f.debug_struct("Function")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A DynamoDB table, billed by request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The name, 11 to 48 characters: the embedded DynamoDB accepts no other.
    pub name: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key, where the table has one.
    pub sort_key: Option<Key>,
    /// The global secondary indexes.
    pub indexes: Vec<Index>,
    /// The stream's view type (`NEW_AND_OLD_IMAGES` and so on), where the table has a stream.
    pub stream: Option<String>,
}

/// A key attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name of the attribute.
    pub name: String,
    /// The DynamoDB type of the attribute: `S`, `N` or `B`.
    pub kind: String,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The name, unique in its table.
    pub name: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key.
    pub sort_key: Key,
    /// The attributes that the index contains besides the keys. `None`: all attributes of the item.
    pub include: Option<Vec<String>>,
}

/// An event source mapping from a table's stream, which bisects batches and reads partial batch
/// responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConsumer {
    /// The id of the function. A function consumes one stream only.
    pub function: String,
    /// The name of the table. At most two functions consume its stream.
    pub table: String,
    /// The maximum number of records of a batch.
    pub batch_size: usize,
    /// The number of attempts at one record, the first included. Then the record is given up.
    pub attempts: u32,
    /// The id of the bucket for the records that were given up.
    pub failure_bucket: String,
}

/// A rule of EventBridge with one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name of the rule, for messages to its owner.
    pub name: String,
    /// The name of the bus whose events the rule matches.
    pub bus: String,
    /// The event pattern, JSON, as far as [`rules`](crate::rules) supports it.
    pub pattern: String,
    /// The id of the function that receives the event.
    pub target: String,
}

/// A function that runs at an interval.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The id of the function.
    pub function: String,
    /// The interval between two runs. The first run starts at once; a run that takes longer delays
    /// the next one.
    pub every: Duration,
    /// The payload of each invocation.
    pub input: Payload,
}

/// The SQS queue of dead letters, a standard queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The name of the queue.
    pub name: String,
    /// The function that a message from another sender than Lambda belongs to: the id of the
    /// function by the source of the event in the message.
    pub senders: BTreeMap<String, String>,
    /// The id of the function for all other messages.
    pub other_sender: String,
}

impl Default for Queue {
    /// A queue to which only Lambda sends.
    fn default() -> Self {
        Self {
            name: "dead-letters".to_owned(),
            senders: BTreeMap::new(),
            other_sender: "unknown".to_owned(),
        }
    }
}

/// A versioned S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The id of the bucket in the definition and the state.
    pub id: String,
    /// The name of the bucket.
    pub name: String,
    /// Whether the bucket sends an event to the default bus for each change of an object.
    pub event_bridge: bool,
}

/// A symmetric KMS key that encrypts and decrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// The alias, such as `alias/books`. The id of the key is derived from the first line of its
    /// file.
    pub alias: String,
    /// The file of the key material, not shared with another key: 32 bytes in base64 on each line.
    /// The last line encrypts; a text is decrypted by the line that has encrypted it, so that
    /// adding a line is a rotation. A missing file is created with one line, readable for its owner
    /// only; an existing file is never changed.
    pub file: PathBuf,
}

/// A CloudWatch alarm on one metric. It is in the state ALARM while each of the latest periods
/// breaches the threshold; a period without values does not breach it. Nobody is notified: only
/// `DescribeAlarms` returns the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The name of the alarm.
    pub name: String,
    /// The meaning of the alarm, for a person.
    pub description: String,
    /// The metric.
    pub metric: Metric,
    /// The statistic of a period that is compared with the threshold.
    pub statistic: Statistic,
    /// The length of a period, in whole minutes.
    pub period: Duration,
    /// The number of periods that must breach the threshold.
    pub periods: u32,
    /// The threshold. A value of at least this breaches it.
    pub threshold: u32,
    /// Whether only a value greater than the threshold breaches it.
    pub above: bool,
    /// The name of the SNS topic that the alarm names as its action.
    pub topic: Option<String>,
}

/// An HTTP API. All its routes invoke functions in the payload format 2.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpApi {
    /// The name of the stage: the API answers under `/` and under `/<stage>`. Empty: under `/`
    /// only.
    pub stage: String,
    /// The routes.
    pub routes: Vec<Route>,
    /// The id of the function behind the route `$default`, which handles the requests that no other
    /// route matches. `None`: they are answered with 404.
    pub default_function: Option<String>,
    /// The alias by which the API invokes functions. Other callers may not invoke them by this
    /// alias.
    pub alias: Option<String>,
    /// The CORS settings for pages of other origins.
    pub cors: Cors,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The HTTP method, such as `GET`.
    pub method: String,
    /// The path in API Gateway's form: `/books/{id}`.
    pub path: String,
    /// The id of the function that handles the requests.
    pub function: String,
}

/// The CORS settings that a browser receives for pages of the origins in [`Access`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// The methods that the pages may use.
    pub methods: Vec<String>,
    /// The request headers that the pages may send, in lower case.
    pub request_headers: Vec<String>,
    /// The response headers that the pages may read, in lower case.
    pub exposed_headers: Vec<String>,
}

/// The hosts and origins whose requests are answered; see [`hosts`](crate::hosts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Names of this machine, besides `localhost` and the address that the emulator listens on.
    pub hosts: Vec<String>,
    /// The origins whose pages may call the HTTP API.
    pub origins: Vec<String>,
    /// The answer to a request with another `Host`.
    pub foreign_host: Refusal,
    /// The answer to a page of another origin.
    pub foreign_origin: Refusal,
}

/// The body of an answer with status 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The `Content-Type` of the body.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Default for Refusal {
    /// The answer that API Gateway would give.
    fn default() -> Self {
        Self {
            content_type: "application/json".to_owned(),
            body: r#"{"message":"Forbidden"}"#.to_owned(),
        }
    }
}

impl Definition {
    /// Returns the function with this id.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.id == id)
    }

    /// Returns the function with this name.
    pub fn function_named(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Returns the ids of the functions with a reserved concurrency.
    pub fn reserved(&self) -> Vec<String> {
        let reserved = self.functions.iter();
        let reserved = reserved.filter(|function| function.reserved_concurrency.is_some());
        reserved.map(|function| function.id.clone()).collect()
    }

    /// Returns the names of the tables whose streams have consumers, each name once.
    pub fn streamed_tables(&self) -> Vec<&str> {
        let consumers = self.stream_consumers.iter();
        let mut tables: Vec<&str> = consumers.map(|consumer| consumer.table.as_str()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }
}

impl Alarm {
    /// Returns the length of a period in seconds.
    pub(crate) fn period_seconds(&self) -> i64 {
        i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX)
    }
}

impl HttpApi {
    /// Whether a route, other than `$default`, invokes the function with this id.
    pub fn is_in_front_of(&self, function: &str) -> bool {
        self.routes.iter().any(|route| route.function == function)
    }

    /// Returns the method and path of every route, with those under the stage.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&str, String)> {
        let stage = Some(&self.stage).filter(|stage| !stage.is_empty());
        self.routes.iter().flat_map(move |route| {
            let staged = stage.map(|stage| format!("/{stage}{}", route.path));
            let paths = staged.into_iter().chain([route.path.clone()]);
            paths.map(|path| (route.method.as_str(), path))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod toy;
