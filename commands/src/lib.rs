//! A trigger's payload becomes a command, is executed, and answered.
//!
//! ```text
//! payload ─▶ api, bus ─translate─▶ command ─▶ execute ─▶ reply
//! ```
//!
//! - [`api`]: HTTP API and direct invocation; [`bus`]: EventBridge
//! - [`translate`]: JSON to what is wanted of an order or a shipment
//! - [`execute`]: recognise, load, decide, append, and the only retry loop
//! - [`reply`]: what the sender is told, of success and of failure
//! - [`operator`]: what a person must look at: the topic and the dead letters
//!
//! One executable holds every function; the Lambda's handler name picks the [`Role`].

use std::{str::FromStr, sync::Arc};

use aws_config::SdkConfig;
use event_store::{Clock, EventStore, SystemClock, dynamodb::DynamoDbTable};
use lambda::{Answer, Payload, Settings};

pub mod api;
pub mod bus;
pub mod execute;
pub mod limits;
pub mod operator;
pub mod reply;
pub mod translate;

use operator::{AwsOperator, Operator};

/// What a function of this executable does: the end of its name, and its handler's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// HTTP API and direct invocation.
    Api,
    /// EventBridge.
    Bus,
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
            environment: settings.names.environment().to_owned(),
        }
    }

    /// Handles one invocation, which Lambda calls `request_id`.
    pub async fn handle(&self, role: Role, payload: Payload, request_id: &str) -> Answer {
        match role {
            Role::Api => api::handle(self, &payload, request_id).await,
            Role::Bus => bus::handle(self, &payload).await,
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
            "bus" => Ok(Self::Bus),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
