//! The functions, as Lambda would run them.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use aws_config::SdkConfig;
use commands::Commands;
use lambda::{Answer, Failed, Payload, Settings};
use projectors::Projectors;
use tokio::sync::Semaphore;

use crate::limits::{CONCURRENT_INVOCATIONS, INVOCATION_TIMEOUT};

/// A function's role, the end of its name `waybill-<env>-<role>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Commands over HTTP or by direct invocation.
    Api,
    /// Commands from EventBridge.
    Bus,
    /// Stream to read models.
    Project,
    /// Stream to messages.
    Notify,
    /// Queries over HTTP.
    Query,
}

impl Role {
    /// Every role that runs locally.
    pub const ALL: [Self; 5] = [
        Self::Api,
        Self::Bus,
        Self::Project,
        Self::Notify,
        Self::Query,
    ];

    /// As it stands in the function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Bus => "bus",
            Self::Project => "project",
            Self::Notify => "notify",
            Self::Query => "query",
        }
    }

    /// The role called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What runs when a function is invoked. A test hands in another one than [`Waybill`].
#[async_trait]
pub trait Functions: Send + Sync {
    /// Runs the function of this role once.
    async fn call(&self, role: Role, payload: Payload, request_id: &str) -> Answer;
}

/// The handlers of the deployed functions.
pub struct Waybill {
    commands: Commands,
    projectors: Projectors,
}

impl Waybill {
    /// The handlers on clients made from `config`.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            commands: Commands::new(config, settings),
            projectors: Projectors::new(config, settings),
        }
    }
}

#[async_trait]
impl Functions for Waybill {
    async fn call(&self, role: Role, payload: Payload, request_id: &str) -> Answer {
        use commands::Role as Command;
        use projectors::Role as Projector;

        match role {
            Role::Api => {
                self.commands
                    .handle(Command::Api, payload, request_id)
                    .await
            }
            Role::Bus => {
                self.commands
                    .handle(Command::Bus, payload, request_id)
                    .await
            }
            Role::Project => {
                self.projectors
                    .handle(Projector::Project, payload, request_id)
                    .await
            }
            Role::Notify => {
                self.projectors
                    .handle(Projector::Notify, payload, request_id)
                    .await
            }
            Role::Query => {
                self.projectors
                    .handle(Projector::Query, payload, request_id)
                    .await
            }
        }
    }
}

/// Invokes functions with what Lambda adds: bounded concurrency, a time-out, and an end of a panic
/// at the invocation.
#[derive(Clone)]
pub struct Invoker {
    functions: Arc<dyn Functions>,
    permits: Arc<Semaphore>,
}

impl Invoker {
    /// Invokes these functions.
    pub fn new(functions: Arc<dyn Functions>) -> Self {
        Self {
            functions,
            permits: Arc::new(Semaphore::new(CONCURRENT_INVOCATIONS)),
        }
    }

    /// Runs a function once, when its turn has come.
    pub async fn invoke(&self, role: Role, payload: Payload, request_id: &str) -> Answer {
        let stopping = |_| Failed("the system is stopping".to_owned());
        let _permit = self.permits.acquire().await.map_err(stopping)?;
        let functions = Arc::clone(&self.functions);
        let id = request_id.to_owned();
        // A task of its own, since a panic ends no more than its task.
        let started = Instant::now();
        let mut call = tokio::spawn(async move { functions.call(role, payload, &id).await });
        match tokio::time::timeout(INVOCATION_TIMEOUT, &mut call).await {
            Ok(Ok(answer)) => {
                let (function, took) = (role.name(), started.elapsed());
                tracing::debug!(
                    function,
                    request_id,
                    ?took,
                    failed = answer.is_err(),
                    "invoked"
                );
                answer
            }
            Ok(Err(panic)) => {
                tracing::error!(function = role.name(), request_id, %panic, "function panicked");
                Err(Failed("the function panicked".to_owned()))
            }
            Err(_) => {
                call.abort();
                tracing::error!(function = role.name(), request_id, "function timed out");
                let seconds = INVOCATION_TIMEOUT.as_secs();
                Err(Failed(format!("Task timed out after {seconds}.00 seconds")))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Panics;

    #[async_trait]
    impl Functions for Panics {
        async fn call(&self, _role: Role, _payload: Payload, _request_id: &str) -> Answer {
            panic!("on purpose")
        }
    }

    fn payload() -> Payload {
        serde_json::value::to_raw_value(&()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_fails_its_invocation_and_no_more() {
        let invoker = Invoker::new(Arc::new(Panics));
        for _ in 0..CONCURRENT_INVOCATIONS * 2 {
            let answer = invoker.invoke(Role::Api, payload(), "r").await;
            assert_eq!(answer, Err(Failed("the function panicked".to_owned())));
        }
    }

    #[test]
    fn every_role_is_found_by_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("import"), None);
    }
}
