//! What a system says of itself: everything that it would have provisioned on AWS, as plain data.
//!
//! Functions and buckets have an `id` beside their name: a short one, by which the definition's other
//! parts refer to them, and which the state and the looking-in pages call them by. It must stay the same
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

/// The bus that every account has.
pub const DEFAULT_BUS: &str = "default";

/// A system on AWS.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// What the system is called at `/_local/status`.
    pub environment: String,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// The functions that read a table's stream.
    pub stream_consumers: Vec<StreamConsumer>,
    /// Its buses by name, beside [`DEFAULT_BUS`].
    pub buses: Vec<String>,
    /// Which events reach which functions.
    pub rules: Vec<Rule>,
    /// An event on a bus is kept at `/_local/messages` where its source begins with one of these.
    pub kept_sources: Vec<String>,
    /// What runs by the clock.
    pub schedules: Vec<Schedule>,
    /// Its topics by name. Nobody is subscribed: what is published is kept at `/_local/messages`.
    pub topics: Vec<String>,
    /// Where asynchronous invocations go that were tried in vain.
    pub dead_letter_queue: Queue,
    /// Its buckets. Objects of a data folder from the days when there was one belong to the first.
    pub buckets: Vec<Bucket>,
    /// Its KMS keys.
    pub kms_keys: Vec<KmsKey>,
    /// Its HTTP API.
    pub http_api: HttpApi,
    /// Its alarms.
    pub alarms: Vec<Alarm>,
    /// Whose requests are answered.
    pub access: Access,
}

/// A Lambda function.
#[derive(Clone)]
pub struct Function {
    /// What the definition, the state and the looking-in pages call it; its handler's name as well.
    pub id: String,
    /// Its name, by which it is invoked.
    pub name: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How many invocations may run at the same moment, in places of its own; without, the function
    /// shares [`CONCURRENT_INVOCATIONS`](crate::limits::CONCURRENT_INVOCATIONS) with all others.
    /// Invocations beyond that wait, where Lambda would throttle. It also has a queue of asynchronous
    /// invocations of its own, which waits for no other function's.
    pub reserved_concurrency: Option<usize>,
    /// Its environment variables, for whoever asks for its configuration: handlers are made by their
    /// owner and not told.
    pub variables: BTreeMap<String, String>,
    /// What runs.
    pub handler: Arc<dyn Handler>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither its handler, which shows nothing, nor its variables, which may be secret.
        f.debug_struct("Function")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A DynamoDB table, paid by request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, 11 to 48 characters: the embedded DynamoDB takes no other.
    pub name: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key, where the table has one.
    pub sort_key: Option<Key>,
    /// Its global secondary indexes.
    pub indexes: Vec<Index>,
    /// What its stream shows (`NEW_AND_OLD_IMAGES` and so on), where it has one.
    pub stream: Option<String>,
}

/// A key attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The attribute's name.
    pub name: String,
    /// Its DynamoDB type: `S`, `N` or `B`.
    pub kind: String,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name, unique in its table.
    pub name: String,
    /// The partition key.
    pub partition_key: Key,
    /// The sort key.
    pub sort_key: Key,
    /// The attributes that it shows beside the keys; all of the item's where this is `None`.
    pub include: Option<Vec<String>>,
}

/// An event source mapping from a table's stream, which bisects batches and reads partial batch
/// responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConsumer {
    /// The id of the function that reads; it reads no second stream.
    pub function: String,
    /// The table's name; at most two functions read its stream.
    pub table: String,
    /// Records of one batch, at most.
    pub batch_size: usize,
    /// Attempts at one record, the first included; then it is given up.
    pub attempts: u32,
    /// The id of the bucket where records go that were given up.
    pub failure_bucket: String,
}

/// A rule of EventBridge with one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for its owner.
    pub name: String,
    /// The bus that it listens to.
    pub bus: String,
    /// Its event pattern, JSON, of what [`rules`](crate::rules) understands.
    pub pattern: String,
    /// The id of the function that receives the event.
    pub target: String,
}

/// A function that runs by the clock.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The function's id.
    pub function: String,
    /// How often; the first time at once. A run that lasts longer delays the next one.
    pub every: Duration,
    /// What it is given.
    pub input: Payload,
}

/// An SQS queue, a standard one, of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whose dead letter it is that somebody sends to the queue: by the source of the event in it, the
    /// id of the function that gave it up.
    pub senders: BTreeMap<String, String>,
    /// The id of the function that gave up everything else.
    pub other_sender: String,
}

impl Default for Queue {
    /// One that nobody sends to but Lambda.
    fn default() -> Self {
        Self {
            name: "dead-letters".to_owned(),
            senders: BTreeMap::new(),
            other_sender: "unknown".to_owned(),
        }
    }
}

/// An S3 bucket, versioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What the definition and the state call it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether the default bus is told what happens to its objects.
    pub event_bridge: bool,
}

/// A symmetric KMS key that encrypts and decrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// Its alias, such as `alias/books`. Its id is made of its file's first line.
    pub alias: String,
    /// The file of its material, its own: 32 bytes in base64 on each line. The last line encrypts, and
    /// each decrypts what it has encrypted, so that a further line is a rotation. A missing file is
    /// made with one line, readable for its owner only; a file is never changed.
    pub file: PathBuf,
}

/// An alarm of CloudWatch on one metric: it rings while each of the latest periods is beyond the
/// threshold. What is not measured is well. Nobody is told: `DescribeAlarms` says how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it means, for a person.
    pub description: String,
    /// What it looks at.
    pub metric: Metric,
    /// What of a period's values counts.
    pub statistic: Statistic,
    /// How long a period is: whole minutes.
    pub period: Duration,
    /// How many periods.
    pub periods: u32,
    /// What is beyond: this, and whatever is higher;
    pub threshold: u32,
    /// or, where this is so, only what is higher.
    pub above: bool,
    /// The name of the topic that it belongs to.
    pub topic: Option<String>,
}

/// An HTTP API whose routes all lead to functions, in the payload format 2.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpApi {
    /// The stage: the API answers under `/` and under `/<stage>`; under `/` alone where it is empty.
    pub stage: String,
    /// Its routes.
    pub routes: Vec<Route>,
    /// The id of the function behind the route `$default`, which takes what no other route does;
    /// without it that is answered with 404.
    pub default_function: Option<String>,
    /// The alias by which it invokes functions; nobody else may invoke those by it.
    pub alias: Option<String>,
    /// What pages of other origins may send, and see.
    pub cors: Cors,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method, such as `GET`.
    pub method: String,
    /// The path, as API Gateway writes it: `/books/{id}`.
    pub path: String,
    /// The id of the function behind it.
    pub function: String,
}

/// What a browser is told for pages of the origins in [`Access`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Methods that they may use.
    pub methods: Vec<String>,
    /// Headers that they may send, in small letters.
    pub request_headers: Vec<String>,
    /// Headers of answers that they may see, in small letters.
    pub exposed_headers: Vec<String>,
}

/// Whose requests are answered: see [`hosts`](crate::hosts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Names that this machine is called by, beside `localhost` and the address that it listens on.
    pub hosts: Vec<String>,
    /// Origins whose pages the HTTP API answers.
    pub origins: Vec<String>,
    /// What a request by another name is told.
    pub foreign_host: Refusal,
    /// What a page of another origin is told.
    pub foreign_origin: Refusal,
}

/// The body of an answer with the status 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its `Content-Type`.
    pub content_type: String,
    /// What it says.
    pub body: String,
}

impl Default for Refusal {
    /// As API Gateway would say it.
    fn default() -> Self {
        Self {
            content_type: "application/json".to_owned(),
            body: r#"{"message":"Forbidden"}"#.to_owned(),
        }
    }
}

impl Definition {
    /// The function of this id.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.id == id)
    }

    /// The function of this name.
    pub fn function_named(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The ids of the functions with places of their own.
    pub fn reserved(&self) -> Vec<String> {
        let reserved = self.functions.iter();
        let reserved = reserved.filter(|function| function.reserved_concurrency.is_some());
        reserved.map(|function| function.id.clone()).collect()
    }

    /// The names of the tables whose streams are read, each once.
    pub fn streamed_tables(&self) -> Vec<&str> {
        let consumers = self.stream_consumers.iter();
        let mut tables: Vec<&str> = consumers.map(|consumer| consumer.table.as_str()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }
}

impl Alarm {
    /// Seconds of a period.
    pub(crate) fn period_seconds(&self) -> i64 {
        i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX)
    }
}

impl HttpApi {
    /// Is the function one of those behind a route of its own?
    pub fn is_in_front_of(&self, function: &str) -> bool {
        self.routes.iter().any(|route| route.function == function)
    }

    /// Every method and path that a route answers, those under the stage included.
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
