//! Command handlers: a trigger's payload is translated to a command, executed, and answered.
//!
//! ```text
//! payload ─▶ api, invoke, bus, import ─translate─▶ command ─▶ execute ─▶ reply
//! ```
//!
//! - [`api`]: HTTP API; [`invoke`]: orders by direct invocation; [`bus`]: EventBridge; [`import`]:
//!   order files in S3; [`carriers`]: webhooks of carriers
//! - [`translate`]: translates JSON to a command's intent
//! - `sender`: the sender and the command id of a command over HTTP or by direct invocation
//! - [`execute`]: loads, recognises a repeat, decides and appends, in the only retry loop;
//!   [`execute_many`]: the same for many updates of one shipment
//! - [`erase`]: erases the personal data of a customer
//! - [`reply`]: the answer to the sender, of success and of failure
//! - `telemetry`: the log line and the metrics of a command
//! - `rejection`: events that can never succeed: dead letter and alert
//! - [`operator`]: the interface to the operator: the alerts topic and the dead letter queue
//! - [`limits`]: every limit of the command functions
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, Keys, SystemClock, dynamodb::DynamoDbTable};
use futures::FutureExt as _;
use lambda::{
    Answer, Invocation, Payload, Settings,
    metrics::{Metrics, StandardOutput},
};

pub mod api;
pub mod bus;
pub mod carriers;
pub mod erase;
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
    keys::{CachedKeys, Web},
    secrets::{CachedSecrets, SecretsManager},
};
use import::{aws::S3Files, files::Files};
use operator::{AwsOperator, Operator};

/// The role of a function of this executable: the end of the function's name, and its handler's
/// name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves commands over the HTTP API.
    Api,
    /// Places orders by direct invocation.
    Invoke,
    /// Handles events of EventBridge.
    Bus,
    /// Imports order files from S3.
    Import,
    /// Receives webhooks of carriers.
    Carriers,
}

/// The functions of this executable with their dependencies.
#[derive(Clone)]
pub struct Commands {
    /// The event store.
    pub store: EventStore,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// Receives alerts and dead letters.
    pub operator: Arc<dyn Operator>,
    /// The bucket of order files and their reports.
    pub files: Arc<dyn Files>,
    /// The secrets and keys with which webhooks of carriers are verified.
    pub carriers: Carriers,
    /// The sink for metrics.
    pub metrics: Metrics,
    /// The name of the environment, such as `dev`.
    pub environment: String,
}

impl Commands {
    /// The functions of one environment, with AWS clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let names = &settings.names;
        let table = DynamoDbTable::new(dynamodb, names.events());
        let keys = Keys::on_aws(config, names.keys(), names.personal_data_key());
        Self {
            store: EventStore::new(Arc::new(table)).with_keys(keys),
            clock: Arc::new(SystemClock),
            operator: Arc::new(AwsOperator::new(config, settings)),
            files: Arc::new(S3Files::new(config, settings.bucket.clone())),
            carriers: Carriers {
                secrets: Arc::new(CachedSecrets::new(SecretsManager::new(
                    config,
                    settings.names.clone(),
                ))),
                keys: Arc::new(CachedKeys::new(Web::default())),
                kept: Arc::default(),
                by_reference: carriers::named(&settings.carrier_references).into(),
            },
            metrics: Metrics::new(settings.names.environment(), Arc::new(StandardOutput)),
            environment: settings.names.environment().to_owned(),
        }
    }

    /// Handles one invocation of the function with this role.
    pub async fn handle(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        match role {
            Role::Api => api::handle(self, &payload, invocation).await,
            Role::Invoke => invoke::handle(self, &payload, invocation).await,
            Role::Bus => bus::handle(self, &payload, invocation).await,
            // Boxed, since the compiler cannot prove that the bare future is `Send`.
            Role::Import => import::handle(self, &payload, invocation).boxed().await,
            Role::Carriers => carriers::webhook::handle(self, &payload, invocation).await,
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
            "api" => Ok(Self::Api),
            "invoke" => Ok(Self::Invoke),
            "bus" => Ok(Self::Bus),
            "import" => Ok(Self::Import),
            "carriers" => Ok(Self::Carriers),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
