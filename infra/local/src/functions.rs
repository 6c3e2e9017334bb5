//! The functions, as Lambda would run them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::SdkConfig;
use commands::Commands;
use commands::carriers::Carriers;
use commands::carriers::secrets::{FixedSecrets, KeptSecrets};
use lambda::metrics::{LatestLines, Metrics};
use lambda::names::GATEWAY_ALIAS;
use lambda::{Answer, Failed, Invocation, Payload, Settings};
use projectors::Projectors;
use tokio::sync::Semaphore;

use crate::{
    arn, clock,
    limits::{
        CONCURRENT_IMPORTS, CONCURRENT_INVOCATIONS, CONCURRENT_REBUILDS, INVOCATION_TIMEOUT,
        LONG_TIMEOUT, METRIC_LINES_MAX,
    },
};

/// A function's role, the end of its name `waybill-<env>-<role>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Commands over HTTP.
    Api,
    /// Orders by direct invocation.
    Invoke,
    /// Commands from EventBridge.
    Bus,
    /// Order files from S3.
    Import,
    /// Webhooks of carriers.
    Carriers,
    /// Stream to read models.
    Project,
    /// Stream to messages.
    Notify,
    /// Queries over HTTP.
    Query,
    /// Read models made again; nothing but a caller triggers it.
    Rebuild,
    /// Shipments of which nothing is heard any more, on a schedule.
    Watch,
}

impl Role {
    /// Every role that runs locally.
    pub const ALL: [Self; 10] = [
        Self::Api,
        Self::Invoke,
        Self::Bus,
        Self::Import,
        Self::Carriers,
        Self::Project,
        Self::Notify,
        Self::Query,
        Self::Rebuild,
        Self::Watch,
    ];

    /// As it stands in the function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Invoke => "invoke",
            Self::Bus => "bus",
            Self::Import => "import",
            Self::Carriers => "carriers",
            Self::Project => "project",
            Self::Notify => "notify",
            Self::Query => "query",
            Self::Rebuild => "rebuild",
            Self::Watch => "watch",
        }
    }

    /// How long one invocation may take.
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Import | Self::Rebuild => LONG_TIMEOUT,
            _ => INVOCATION_TIMEOUT,
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
    async fn call(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer;

    /// The latest lines of metrics that functions have written, oldest first.
    fn metrics(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The handlers of the deployed functions.
pub struct Waybill {
    commands: Commands,
    projectors: Projectors,
    lines: Arc<LatestLines>,
}

impl Waybill {
    /// The handlers on clients made from `config`; webhooks of carriers are checked with `secrets`.
    pub fn new(config: &SdkConfig, settings: &Settings, secrets: FixedSecrets) -> Self {
        let lines = Arc::new(LatestLines::new(METRIC_LINES_MAX));
        let metrics = Metrics::new(settings.names.environment(), lines.clone());
        Self {
            commands: {
                let commands = Commands::new(config, settings);
                Commands {
                    metrics: metrics.clone(),
                    carriers: Carriers {
                        secrets: Arc::new(KeptSecrets::new(secrets)),
                        ..commands.carriers.clone()
                    },
                    ..commands
                }
            },
            projectors: Projectors {
                metrics,
                ..Projectors::new(config, settings)
            },
            lines,
        }
    }

    async fn command(
        &self,
        role: commands::Role,
        payload: Payload,
        invocation: &Invocation,
    ) -> Answer {
        self.commands.handle(role, payload, invocation).await
    }
}

#[async_trait]
impl Functions for Waybill {
    fn metrics(&self) -> Vec<String> {
        self.lines.all()
    }

    async fn call(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        use commands::Role as Command;
        use projectors::Role as Projector;

        let projector = match role {
            Role::Api => return self.command(Command::Api, payload, invocation).await,
            Role::Invoke => return self.command(Command::Invoke, payload, invocation).await,
            Role::Bus => return self.command(Command::Bus, payload, invocation).await,
            Role::Import => return self.command(Command::Import, payload, invocation).await,
            Role::Carriers => return self.command(Command::Carriers, payload, invocation).await,
            Role::Project => Projector::Project,
            Role::Notify => Projector::Notify,
            Role::Query => Projector::Query,
            Role::Rebuild => Projector::Rebuild,
            Role::Watch => Projector::Watch,
        };
        self.projectors.handle(projector, payload, invocation).await
    }
}

/// Invokes functions with what Lambda adds: bounded concurrency, a time-out, and an end of a panic
/// at the invocation.
#[derive(Clone)]
pub struct Invoker {
    functions: Arc<dyn Functions>,
    permits: Arc<Semaphore>,
    imports: Arc<Semaphore>,
    rebuilds: Arc<Semaphore>,
}

impl Invoker {
    /// Invokes these functions.
    pub fn new(functions: Arc<dyn Functions>) -> Self {
        Self {
            functions,
            permits: Arc::new(Semaphore::new(CONCURRENT_INVOCATIONS)),
            imports: Arc::new(Semaphore::new(CONCURRENT_IMPORTS)),
            rebuilds: Arc::new(Semaphore::new(CONCURRENT_REBUILDS)),
        }
    }

    /// The latest lines of metrics that functions have written, oldest first.
    pub fn metrics(&self) -> Vec<String> {
        self.functions.metrics()
    }

    /// Runs a function once, when its turn has come.
    pub async fn invoke(&self, role: Role, payload: Payload, request_id: &str) -> Answer {
        let name = role.name();
        self.run(role, payload, request_id, &arn::function(name))
            .await
    }

    /// The same, by the alias that is the gateway's alone.
    pub async fn invoke_by_gateway(
        &self,
        role: Role,
        payload: Payload,
        request_id: &str,
    ) -> Answer {
        let alias = format!("{}:{GATEWAY_ALIAS}", arn::function(role.name()));
        self.run(role, payload, request_id, &alias).await
    }

    /// Runs the function that was invoked as `arn`.
    async fn run(&self, role: Role, payload: Payload, request_id: &str, arn: &str) -> Answer {
        let stopping = |_| Failed("the system is stopping".to_owned());
        let permits = match role {
            Role::Import => &self.imports,
            Role::Rebuild => &self.rebuilds,
            _ => &self.permits,
        };
        let _permit = permits.acquire().await.map_err(stopping)?;
        let functions = Arc::clone(&self.functions);
        let ends = (clock::now() + role.timeout()).timestamp_millis();
        let ends = u64::try_from(ends).unwrap_or_default();
        let invocation = Invocation::from_lambda(request_id, ends, None).invoked_as(arn);
        // A task of its own, since a panic ends no more than its task.
        let started = Instant::now();
        let mut call =
            tokio::spawn(async move { functions.call(role, payload, &invocation).await });
        match tokio::time::timeout(role.timeout(), &mut call).await {
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
                let seconds = role.timeout().as_secs();
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
        async fn call(&self, _role: Role, _payload: Payload, _invocation: &Invocation) -> Answer {
            panic!("on purpose")
        }
    }

    /// Imports never end; everything else does at once, saying how long it has.
    struct Imports;

    #[async_trait]
    impl Functions for Imports {
        async fn call(&self, role: Role, _payload: Payload, invocation: &Invocation) -> Answer {
            if role == Role::Import {
                std::future::pending::<()>().await;
            }
            let deadline = invocation.deadline.map(|deadline| deadline.millis());
            Ok(serde_json::json!(deadline))
        }
    }

    #[tokio::test]
    async fn imports_take_no_place_from_the_others() {
        let invoker = Invoker::new(Arc::new(Imports));
        let mut imports = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENT_INVOCATIONS * 2 {
            let invoker = invoker.clone();
            imports.spawn(async move { invoker.invoke(Role::Import, payload(), "r").await });
        }
        let all = async {
            while invoker.imports.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            invoker.invoke(Role::Api, payload(), "r").await
        };
        let ends = tokio::time::timeout(Duration::from_secs(5), all).await;
        let left = ends.unwrap().unwrap().as_i64().unwrap() - clock::now().timestamp_millis();
        assert!((29_000..=30_000).contains(&left), "{left}");
    }

    #[test]
    fn an_import_or_a_rebuild_may_take_as_long_as_on_lambda() {
        assert_eq!(Role::Import.timeout().as_secs(), 900);
        assert_eq!(Role::Rebuild.timeout().as_secs(), 900);
        assert_eq!(Role::Bus.timeout(), INVOCATION_TIMEOUT);
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
        assert_eq!(Role::from_name("nobody"), None);
    }
}
