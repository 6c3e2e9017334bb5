//! A trigger's payload becomes a command, is executed, and answered.
//!
//! ```text
//! payload ─▶ api, invoke, bus, import ─translate─▶ command ─▶ execute ─▶ reply
//! ```
//!
//! - [`api`]: HTTP API; [`invoke`]: orders by direct invocation; [`bus`]: EventBridge; [`import`]:
//!   order files in S3; [`carriers`]: webhooks of carriers
//! - [`translate`]: JSON to what is wanted of an order or a shipment
//! - `sender`: who sends a command by the first two, and how it is known again
//! - [`execute`]: recognise, load, decide, append, and the only retry loop; [`execute_many`]: the same
//!   for many updates of one shipment
//! - [`reply`]: the answer to the sender, of success and of failure
//! - `telemetry`: the log line and the metrics of a command
//! - `rejection`: what can never succeed
//! - [`operator`]: what a person must look at: the topic and the dead letters
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, SystemClock, dynamodb::DynamoDbTable};
use futures::FutureExt as _;
use lambda::{
    Answer, Invocation, Payload, Settings,
    metrics::{Metrics, StandardOutput},
};

pub mod api;
pub mod bus;
pub mod carriers;
pub mod execute;
pub mod execute_many;
pub mod import;
pub mod invoke;
pub mod limits;
pub mod operator;
mod rejection;
pub mod reply;
mod sender;
mod telemetry;
pub mod translate;

use carriers::{
    Carriers,
    keys::{KeptKeys, Web},
    secrets::{KeptSecrets, SecretsManager},
};
use import::{aws::S3Files, files::Files};
use operator::{AwsOperator, Operator};

/// What a function of this executable does: the end of its name, and its handler's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// HTTP API.
    Api,
    /// Orders by direct invocation.
    Invoke,
    /// EventBridge.
    Bus,
    /// Order files in S3.
    Import,
    /// Webhooks of carriers.
    Carriers,
}

/// The functions of this executable, and what they work with.
#[derive(Clone)]
pub struct Commands {
    /// Where commits are kept.
    pub store: EventStore,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who hears of events that can never succeed.
    pub operator: Arc<dyn Operator>,
    /// Where order files and their reports lie.
    pub files: Arc<dyn Files>,
    /// What webhooks of carriers are checked with.
    pub carriers: Carriers,
    /// Where metrics go.
    pub metrics: Metrics,
    /// `dev`, `staging`, `prod` …
    pub environment: String,
}

impl Commands {
    /// The functions of one environment, on AWS clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let table = DynamoDbTable::new(dynamodb, settings.names.events());
        Self {
            store: EventStore::new(Arc::new(table)),
            clock: Arc::new(SystemClock),
            operator: Arc::new(AwsOperator::new(config, settings)),
            files: Arc::new(S3Files::new(config, settings.bucket.clone())),
            carriers: Carriers {
                secrets: Arc::new(KeptSecrets::new(SecretsManager::new(
                    config,
                    settings.names.clone(),
                ))),
                keys: Arc::new(KeptKeys::new(Web::default())),
                kept: Arc::default(),
                by_reference: carriers::named(&settings.carrier_references).into(),
            },
            metrics: Metrics::new(settings.names.environment(), Arc::new(StandardOutput)),
            environment: settings.names.environment().to_owned(),
        }
    }

    /// Handles one invocation.
    pub async fn handle(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        match role {
            Role::Api => api::handle(self, &payload, invocation).await,
            Role::Invoke => invoke::handle(self, &payload, invocation).await,
            Role::Bus => bus::handle(self, &payload, invocation).await,
            // Boxed, since the compiler cannot see that the bare future may change its thread.
            Role::Import => import::handle(self, &payload, invocation).boxed().await,
            Role::Carriers => carriers::webhook::handle(self, &payload, invocation).await,
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
            "api" => Ok(Self::Api),
            "invoke" => Ok(Self::Invoke),
            "bus" => Ok(Self::Bus),
            "import" => Ok(Self::Import),
            "carriers" => Ok(Self::Carriers),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
