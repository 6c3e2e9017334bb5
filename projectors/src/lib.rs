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
//! - [`project`], [`notify`], [`query`], [`mod@rebuild`], [`watch`]: a role each
//! - [`parked`], [`mod@announce`]: what an operator sets going again
//! - [`tables`], [`indexes`]: where rows are, what lists are read from; [`cursor`]: where they go on
//! - [`ports`]: what is asked of the world; [`aws`]: the world on AWS; [`row`]: rows as items
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, SystemClock, dynamodb::DynamoDbTable};
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
pub mod watch;

pub use environment::Environment;
use ports::{Bus, Rows, Topic};
use rebuild::Rebuilds;

/// What a function of this executable does: the end of its name, and its handler's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Stream to read models.
    Project,
    /// Stream to EventBridge and SNS.
    Notify,
    /// HTTP queries.
    Query,
    /// Read models made again from the events.
    Rebuild,
    /// Shipments of which nothing is heard any more.
    Watch,
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
    /// For how long nothing may be heard of a shipment.
    pub stalled_after: StalledAfter,
    /// What rebuilds work with.
    pub rebuilds: Rebuilds,
    /// Read models beside the ones that are read.
    pub beside: Vec<Beside>,
}

/// A read model that is projected and not read: one that readers are about to move to, or have
/// moved from.
#[derive(Clone)]
pub struct Beside {
    /// Which.
    pub model: ReadModel,
    /// What writes its rows; of its own kind alone.
    pub projectors: Projectors,
}

impl Projectors {
    /// The functions of one environment, on AWS clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let (names, models) = (&settings.names, &settings.read_models);
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let events = DynamoDbTable::new(dynamodb.clone(), names.events());
        let read = [Kind::ProcessedOrders, Kind::ShipmentLog].map(|kind| models.read(kind));
        let rows = |beside: Option<ReadModel>| -> Arc<dyn Rows> {
            let rows = aws::DynamoDbRows::new(dynamodb.clone(), names);
            let models = read.into_iter().chain(beside);
            Arc::new(models.fold(rows, |rows, model| rows.with(names, model)))
        };
        let environment = Environment {
            name: names.environment().to_owned(),
            shards: settings.shards,
            processed_orders: 1,
            shipment_log: 1,
        };
        let mut projectors = Self {
            store: EventStore::new(Arc::new(events)),
            rows: rows(None),
            bus: Arc::new(aws::EventBridge::new(config, names.bus())),
            topic: Arc::new(aws::Sns::new(config, settings.alerts_arn.clone())),
            metrics: Metrics::new(names.environment(), Arc::new(StandardOutput)),
            clock: Arc::new(SystemClock),
            environment: read.into_iter().fold(environment, Environment::with),
            stalled_after: settings.stalled_after.clone(),
            rebuilds: Rebuilds::new(config, settings),
            beside: Vec::new(),
        };
        let beside = models.beside().map(|model| Beside {
            model,
            projectors: Self {
                rows: rows(Some(model)),
                environment: projectors.environment.clone().with(model),
                ..projectors.clone()
            },
        });
        projectors.beside = beside.collect();
        projectors
    }

    /// The projectors whose rows are those of `model`; `None` where the environment has none such.
    pub fn of(&self, model: ReadModel) -> Option<&Self> {
        let read = self.environment.model(model.kind) == model;
        let mut beside = self.beside.iter().filter(|beside| beside.model == model);
        match read {
            true => Some(self),
            false => beside.next().map(|beside| &beside.projectors),
        }
    }

    /// The projectors of every read model of this kind, of the one that is read first.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Self> {
        let beside = self
            .beside
            .iter()
            .filter(move |beside| beside.model.kind == kind);
        std::iter::once(self).chain(beside.map(|beside| &beside.projectors))
    }

    /// Handles one invocation.
    pub async fn handle(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        match role {
            Role::Project => project::handle(self, &payload, invocation).await,
            Role::Notify => notify::handle(self, &payload, invocation).await,
            Role::Query => query::handle(self, &payload).await,
            Role::Rebuild => rebuild::task::handle(self, &payload, invocation).await,
            Role::Watch => watch::handle(self, invocation).await,
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
            "rebuild" => Ok(Self::Rebuild),
            "watch" => Ok(Self::Watch),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
