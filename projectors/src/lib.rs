//! Commits become read models and messages, and read models are queried.
//!
//! ```text
//!          ┌─ project ─▶ processed-orders, shipment-log ─▶ query
//! stream ──┤
//!          └─ notify ──▶ EventBridge, SNS
//! ```
//!
//! Pure functions say what follows from a history: the rows of [`processed_orders`] and
//! [`shipment_log`], the messages of [`mod@notifications`]. The rest carries it out:
//!
//! - [`batch`]: a stream's records, grouped by aggregate, and what is answered to the stream
//! - [`project`], [`notify`], [`query`]: a role each; [`rebuild`]: rows made again
//! - [`indexes`]: what lists are read from; [`cursor`]: where they go on
//! - [`ports`]: what is asked of the world; [`aws`]: the world on AWS; [`row`]: rows as items
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, SystemClock, dynamodb::DynamoDbTable};
use lambda::{
    Answer, Invocation, Payload, Settings,
    metrics::{Metrics, StandardOutput},
};

pub mod aws;
pub mod batch;
pub mod cursor;
pub mod environment;
pub mod indexes;
pub mod limits;
pub mod notifications;
pub mod notify;
pub mod ports;
pub mod processed_orders;
pub mod project;
pub mod query;
pub mod rebuild;
pub mod row;
pub mod shipment_log;

pub use environment::Environment;
use ports::{Bus, Rows, Topic};

/// What a function of this executable does: the end of its name, and its handler's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Stream to read models.
    Project,
    /// Stream to EventBridge and SNS.
    Notify,
    /// HTTP queries.
    Query,
}

/// The functions of this executable, and what they work with.
#[derive(Clone)]
pub struct Projectors {
    /// Where commits are kept.
    pub store: EventStore,
    /// Where rows are kept, and what is parked.
    pub rows: Arc<dyn Rows>,
    /// Where events are announced.
    pub bus: Arc<dyn Bus>,
    /// Where alerts go.
    pub topic: Arc<dyn Topic>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// What time it is, for waiting and for the date of parking: rows take no time from it.
    pub clock: Arc<dyn Clock>,
    /// What rows hold of their environment.
    pub environment: Environment,
}

impl Projectors {
    /// The functions of one environment, on AWS clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let events = DynamoDbTable::new(dynamodb.clone(), settings.names.events());
        Self {
            store: EventStore::new(Arc::new(events)),
            rows: Arc::new(aws::DynamoDbRows::new(dynamodb, &settings.names)),
            bus: Arc::new(aws::EventBridge::new(config, settings.names.bus())),
            topic: Arc::new(aws::Sns::new(config, settings.alerts_arn.clone())),
            metrics: Metrics::new(settings.names.environment(), Arc::new(StandardOutput)),
            clock: Arc::new(SystemClock),
            environment: Environment {
                name: settings.names.environment().to_owned(),
                shards: settings.shards,
            },
        }
    }

    /// Handles one invocation.
    pub async fn handle(&self, role: Role, payload: Payload, _invocation: &Invocation) -> Answer {
        match role {
            Role::Project => project::handle(self, &payload).await,
            Role::Notify => notify::handle(self, &payload).await,
            Role::Query => query::handle(self, &payload).await,
        }
    }
}

/// A handler's name that is no role of this executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no function here is called {0:?}")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        match name {
            "project" => Ok(Self::Project),
            "notify" => Ok(Self::Notify),
            "query" => Ok(Self::Query),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
