//! Waybill's functions, as the emulator runs them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use commands::Commands;
use commands::carriers::Carriers;
use commands::carriers::secrets::{CachedSecrets, FixedSecrets};
use emulator::{Context, FunctionError, Handler, Printed};
use lambda::metrics::{Lines, Metrics};
use lambda::{Answer, Invocation, Payload, Settings};
use projectors::Projectors;

use crate::limits::{CONCURRENT_IMPORTS, CONCURRENT_REBUILDS, INVOCATION_TIMEOUT, LONG_TIMEOUT};

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
    /// Rebuilds and sweeps of read models. Locally only a caller triggers it; on AWS a schedule
    /// does.
    Rebuild,
    /// Finds stalled shipments, on a schedule.
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

    /// Returns the name of the role in the function's name.
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

    /// Returns the time limit of one invocation.
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Import | Self::Rebuild => LONG_TIMEOUT,
            _ => INVOCATION_TIMEOUT,
        }
    }

    /// Returns the number of invocations that may run at the same time, where the role has a
    /// reserved concurrency.
    pub const fn reserved_concurrency(self) -> Option<usize> {
        match self {
            Self::Import => Some(CONCURRENT_IMPORTS),
            Self::Rebuild => Some(CONCURRENT_REBUILDS),
            _ => None,
        }
    }

    /// Returns the role called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The functions that run on invocations. A test passes in another implementation than [`Waybill`].
#[async_trait]
pub trait Functions: Send + Sync {
    /// Runs the function of this role once.
    async fn call(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer;
}

/// The handler of one role, for the emulator.
pub(crate) struct RoleHandler {
    /// The functions of all roles.
    pub(crate) functions: Arc<dyn Functions>,
    /// The role that this handler runs.
    pub(crate) role: Role,
}

#[async_trait]
impl Handler for RoleHandler {
    async fn invoke(&self, payload: Payload, context: &Context) -> emulator::Answer {
        let Context {
            request_id,
            invoked_function_arn,
            deadline_ms,
        } = context;
        let invocation = Invocation::from_lambda(request_id, *deadline_ms, None);
        let invocation = invocation.invoked_as(invoked_function_arn);
        let answer = self.functions.call(self.role, payload, &invocation).await;
        answer.map_err(|failed| FunctionError(failed.0))
    }
}

/// Prints metrics as lines of the function's output.
struct PrintedMetrics(Printed);

impl Lines for PrintedMetrics {
    fn take(&self, line: String) {
        self.0.take(line);
    }
}

/// The handlers of the deployed functions.
pub struct Waybill {
    commands: Commands,
    projectors: Projectors,
}

impl Waybill {
    /// Creates the handlers with clients made from `config`. Webhooks of carriers are checked with
    /// `secrets`, and metrics are written to `printed`.
    pub fn new(
        config: &SdkConfig,
        settings: &Settings,
        secrets: FixedSecrets,
        printed: Printed,
    ) -> Self {
        let lines = Arc::new(PrintedMetrics(printed));
        let metrics = Metrics::new(settings.names.environment(), lines);
        Self {
            commands: {
                let commands = Commands::new(config, settings);
                Commands {
                    metrics: metrics.clone(),
                    carriers: Carriers {
                        secrets: Arc::new(CachedSecrets::new(secrets)),
                        ..commands.carriers.clone()
                    },
                    ..commands
                }
            },
            projectors: Projectors {
                metrics,
                ..Projectors::new(config, settings)
            },
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Fails with a text that contains all its input.
    struct FailsWithInput;

    #[async_trait]
    impl Functions for FailsWithInput {
        async fn call(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
            let deadline = invocation.deadline.map(|deadline| deadline.millis());
            let (id, by) = (&invocation.request_id, &invocation.qualifier);
            let told = format!("{role:?} {payload} {id} {deadline:?} {by:?}");
            Err(lambda::Failed(told))
        }
    }

    #[tokio::test]
    async fn a_function_is_told_what_the_emulator_says_and_the_emulator_how_it_failed() {
        let bus = RoleHandler {
            functions: Arc::new(FailsWithInput),
            role: Role::Bus,
        };
        let context = Context {
            request_id: "r-1".to_owned(),
            invoked_function_arn: "arn:aws:lambda:r:1:function:waybill-dev-bus:live".to_owned(),
            deadline_ms: 1_700_000_000_000,
        };
        let payload = serde_json::from_str("{\"n\": 1.10}").unwrap();
        let told = r#"Bus {"n": 1.10} r-1 Some(1700000000000) Some("live")"#;
        let answer = bus.invoke(payload, &context).await;
        assert_eq!(answer, Err(FunctionError(told.to_owned())));
    }

    #[test]
    fn an_import_or_a_rebuild_may_take_as_long_as_on_lambda_in_places_of_its_own() {
        for role in Role::ALL {
            let long = matches!(role, Role::Import | Role::Rebuild);
            assert_eq!(role.timeout().as_secs(), if long { 900 } else { 30 });
            assert_eq!(role.reserved_concurrency(), long.then_some(4));
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
