//! Event handlers: commits are projected to read models and announced as messages, and read models
//! are queried.
//!
//! ```text
//!          ┌─ project ─▶ processed-orders, shipment-log ─▶ query
//! stream ──┤
//!          └─ notify ──▶ EventBridge, SNS
//! ```
//!
//! Pure functions map a history to rows ([`processed_orders`], [`shipment_log`]) and a commit to
//! messages ([`mod@notifications`]). The other modules carry this out:
//!
//! - [`batch`]: a batch of stream records, grouped by aggregate, and the answer to the stream
//! - [`project`], [`notify`], [`query`], [`mod@rebuild`], [`watch`]: one module for each role
//! - [`parked`], [`mod@announce`]: what an operator starts by hand: resuming parked aggregates, and
//!   announcing commits again
//! - [`tables`]: the tables of rows; [`indexes`]: the indexes that lists are read from; [`cursor`]:
//!   the cursors of their pages
//! - [`ports`]: the interfaces to the outside; [`aws`]: their implementations on AWS; [`row`]: rows
//!   as DynamoDB items
//! - [`environment`]: the values of an environment in rows; [`limits`]: every limit
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, Keys, SystemClock, dynamodb::DynamoDbTable};
use lambda::{
    Answer, Invocation, Payload, ReadModel, Settings, StalledAfter,
    metrics::{Metrics, StandardOutput},
    read_models::Kind,
};

pub mod announce;
pub mod aws;
pub mod batch;
pub mod cursor;
pub mod environment;
pub mod indexes;
pub mod limits;
pub mod notifications;
pub mod notify;
pub mod parked;
pub mod ports;
pub mod processed_orders;
pub mod project;
pub mod query;
pub mod rebuild;
pub mod row;
pub mod shipment_log;
pub mod tables;
pub mod task;
pub mod watch;

use aws::S3Ledger;
pub use environment::Environment;
use ports::{Bus, Rows, Topic};
use rebuild::Rebuilds;

/// The role of a function of this executable: the end of the function's name, and its handler's
/// name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Projects the stream to read models.
    Project,
    /// Announces the stream's events on EventBridge and SNS.
    Notify,
    /// Answers queries over the HTTP API.
    Query,
    /// Rebuilds read models from the events.
    Rebuild,
    /// Finds stalled shipments.
    Watch,
}

/// The functions of this executable with their dependencies.
#[derive(Clone)]
pub struct Projectors {
    /// The event store.
    pub store: EventStore,
    /// The tables of rows and of parked aggregates.
    pub rows: Arc<dyn Rows>,
    /// The event bus on which events are announced.
    pub bus: Arc<dyn Bus>,
    /// The topic for alerts.
    pub topic: Arc<dyn Topic>,
    /// The sink for metrics.
    pub metrics: Metrics,
    /// The source of time, for waits and for the time of parking: rows take no time from it.
    pub clock: Arc<dyn Clock>,
    /// The values of the environment that rows hold.
    pub environment: Environment,
    /// The time without an update after which a shipment is stalled.
    pub stalled_after: StalledAfter,
    /// The dependencies of rebuilds.
    pub rebuilds: Rebuilds,
    /// The read models that are projected but not queried.
    pub additional: Vec<AdditionalReadModel>,
}

/// A read model that is projected but not queried: readers are about to move to it, or have moved
/// to a newer one.
#[derive(Clone)]
pub struct AdditionalReadModel {
    /// The read model.
    pub model: ReadModel,
    /// Projectors that write the rows of this read model, and of no other of its kind.
    pub projectors: Projectors,
}

impl Projectors {
    /// The functions of one environment, with AWS clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let (names, models) = (&settings.names, &settings.read_models);
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let events = DynamoDbTable::new(dynamodb.clone(), names.events());
        let read = [Kind::ProcessedOrders, Kind::ShipmentLog].map(|kind| models.read(kind));
        let rows = |model: Option<ReadModel>| -> Arc<dyn Rows> {
            let rows = aws::DynamoDbRows::new(dynamodb.clone(), names);
            let models = read.into_iter().chain(model);
            Arc::new(models.fold(rows, |rows, model| rows.with(names, model)))
        };
        let keys = Keys::on_aws(config, names.keys(), names.personal_data_key());
        let environment = Environment {
            name: names.environment().to_owned(),
            shards: settings.shards,
            processed_orders: 1,
            shipment_log: 1,
        };
        let mut projectors = Self {
            store: EventStore::new(Arc::new(events)).with_keys(keys),
            rows: rows(None),
            bus: Arc::new(aws::EventBridge::new(config, names.bus())),
            topic: Arc::new(aws::Sns::new(config, settings.alerts_arn.clone())),
            metrics: Metrics::new(names.environment(), Arc::new(StandardOutput)),
            clock: Arc::new(SystemClock),
            environment: read.into_iter().fold(environment, Environment::with),
            stalled_after: settings.stalled_after.clone(),
            rebuilds: Rebuilds::new(
                Arc::new(S3Ledger::new(config, settings.bucket.clone())),
                settings,
            ),
            additional: Vec::new(),
        };
        let additional = models.additional().map(|model| AdditionalReadModel {
            model,
            projectors: Self {
                rows: rows(Some(model)),
                environment: projectors.environment.clone().with(model),
                ..projectors.clone()
            },
        });
        projectors.additional = additional.collect();
        projectors
    }

    /// The projectors that write the rows of `model`; `None` where the environment does not have
    /// it.
    pub fn of(&self, model: ReadModel) -> Option<&Self> {
        let read = self.environment.model(model.kind) == model;
        let mut others = self.additional.iter().filter(|other| other.model == model);
        match read {
            true => Some(self),
            false => others.next().map(|other| &other.projectors),
        }
    }

    /// The projectors of every read model of this kind, beginning with the one that is queried.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Self> {
        let others = self
            .additional
            .iter()
            .filter(move |other| other.model.kind == kind);
        std::iter::once(self).chain(others.map(|other| &other.projectors))
    }

    /// Handles one invocation of the function with this role.
    pub async fn handle(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        match role {
            Role::Project => project::handle(self, &payload, invocation).await,
            Role::Notify => notify::handle(self, &payload, invocation).await,
            Role::Query => query::handle(self, &payload).await,
            Role::Rebuild => task::handle(self, &payload, invocation).await,
            Role::Watch => watch::handle(self, invocation).await,
        }
    }
}

/// The handler's name is no role of this executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no role is called {0:?}")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        match name {
            "project" => Ok(Self::Project),
            "notify" => Ok(Self::Notify),
            "query" => Ok(Self::Query),
            "rebuild" => Ok(Self::Rebuild),
            "watch" => Ok(Self::Watch),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
