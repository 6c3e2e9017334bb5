//! Which environment is meant, and how it is reached.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use domain::AggregateId;
use event_store::{Clock as _, StoreError, SystemClock, failure::told};
use lambda::{
    Names, ReadModel, Settings,
    metrics::{LatestLines, Metrics},
};
use projectors::{
    Projectors,
    rebuild::{
        RebuildError,
        pace::{CapacityLimit, Pace},
    },
};

use crate::{
    clock::{Dated, ServersClock},
    folder::Folder,
    limits::{ATTEMPT_TIMEOUT, ATTEMPTS, CALL_TIMEOUT},
    outcome::OperatorError,
};

/// Where the local system has its AWS protocols.
const LOCAL: &str = "http://127.0.0.1:4566";

/// Which environment is meant
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Environment: part of the name of every table, function, bus and topic
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    pub(crate) env: String,

    /// The local system on its usual port, whatever AWS_ENDPOINT_URL says; without it AWS, with the
    /// credentials and the region that the `aws` command would use
    #[arg(long, conflicts_with = "endpoint_url")]
    local: bool,

    /// Where AWS's protocols are spoken, such as a local system on another port; else the
    /// environment variable AWS_ENDPOINT_URL says it
    // The variable is not the argument's own: `--local` would then be refused wherever it is set.
    #[arg(long)]
    endpoint_url: Option<String>,

    /// Print JSON, for machines
    #[arg(long)]
    pub(crate) json: bool,
}

/// How much capacity may be used
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Limits {
    /// Read units a second at most, all together
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) read_units: Option<u32>,

    /// Write units a second at most, all together, counting indexes
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) write_units: Option<u32>,
}

/// An environment that is reached.
pub(crate) struct Environment {
    pub(crate) names: Names,
    pub(crate) settings: Settings,
    pub(crate) config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) functions: aws_sdk_lambda::Client,
    pub(crate) projectors: Projectors,
}

impl Target {
    /// Reaches the environment, and reads the settings that its functions have: rows are made of
    /// them, too, so nobody should have to say them twice.
    pub(crate) async fn reach(&self) -> Result<Environment, OperatorError> {
        let said = |error: &dyn std::fmt::Display| OperatorError::Said(error.to_string());
        let names = Names::new(&self.env).map_err(|error| said(&error))?;
        let config = self.config().await;
        let functions = aws_sdk_lambda::Client::new(&config);
        let function = names.of("rebuild");
        let dated = Dated::default();
        let known = functions
            .get_function_configuration()
            .function_name(&function)
            .customize()
            .interceptor(dated.clone())
            .send()
            .await
            .map_err(|error| {
                let reason = told(&error);
                OperatorError::Said(format!(
                    "{function} cannot be asked for its settings: {reason}"
                ))
            })?;
        let clock = servers_clock(&dated)?;
        let variables: HashMap<String, String> = known
            .environment
            .and_then(|environment| environment.variables)
            .unwrap_or_default();
        let settings = Settings::read(|name| variables.get(name).cloned())
            .map_err(|error| OperatorError::Said(format!("the settings of {function}: {error}")))?;
        // Metrics are lines of a function's log, and nobody reads a log here.
        let metrics = Metrics::new(names.environment(), Arc::new(LatestLines::new(1)));
        Ok(Environment {
            projectors: Projectors {
                clock: Arc::new(clock),
                metrics,
                ..Projectors::new(&config, &settings)
            },
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            names,
            settings,
            config,
            functions,
        })
    }

    fn endpoint(&self) -> Option<String> {
        let by_variable = || std::env::var("AWS_ENDPOINT_URL").ok();
        match self.local {
            true => Some(LOCAL.to_owned()),
            false => self.endpoint_url.clone().or_else(by_variable),
        }
        .filter(|endpoint| !endpoint.is_empty())
    }

    async fn config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let retries = RetryConfig::adaptive().with_max_attempts(ATTEMPTS);
        let loader = lambda::sdk::loader()
            .timeout_config(timeouts)
            .retry_config(retries);
        let Some(endpoint) = self.endpoint() else {
            return loader.load().await;
        };
        let loader = loader.endpoint_url(&endpoint);
        // The local system asks nobody who he is, and most who try it have no credentials.
        let anybody = std::env::var_os("AWS_ACCESS_KEY_ID").is_none()
            && std::env::var_os("AWS_PROFILE").is_none()
            && is_this_machine(&endpoint);
        match anybody {
            true => {
                let credentials = Credentials::new("local", "local", None, None, "local");
                let credentials = SharedCredentialsProvider::new(credentials);
                let loader = loader.credentials_provider(credentials);
                loader.region(Region::new("us-east-1")).load().await
            }
            false => loader.load().await,
        }
    }
}

impl Environment {
    /// What tells it from every other: a run that was begun on another one does not go on here.
    /// Nor does one that was begun with other settings, or by another build of this command: what
    /// rows should be follows from those, too, and a mended projection must not trust digests
    /// that the defective one has made.
    pub(crate) fn identity(&self) -> String {
        let (name, endpoint) = (self.names.environment(), self.config.endpoint_url());
        let build = std::env::current_exe().and_then(std::fs::metadata);
        let build = build.map(|file| (file.len(), file.modified().ok())).ok();
        format!(
            "{name} of {endpoint:?} with {:?} by {build:?}",
            self.settings
        )
    }

    /// An error where nothing was ever committed of `id`: what is not there must not pass for well.
    pub(crate) async fn has_events(&self, id: &AggregateId) -> Result<(), OperatorError> {
        match self.projectors.store.history(id, 1, 1).await {
            Ok(page) if page.commits.is_empty() => {
                Err(OperatorError::Said(format!("{id} has no events")))
            }
            Err(error @ StoreError::Unavailable(_)) => Err(RebuildError::from(error).into()),
            // One that cannot be read is there.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The projectors of one read model, or of those that are read.
    pub(crate) fn projectors_of(
        &self,
        only: Option<ReadModel>,
    ) -> Result<Projectors, OperatorError> {
        let Some(model) = only else {
            return Ok(self.projectors.clone());
        };
        let none = || {
            let has = &self.settings.read_models;
            OperatorError::Said(format!("this environment has no {model}, it has {has}"))
        };
        let projectors = self.projectors.of(model).ok_or_else(none)?;
        // Ledger and limit are this run's.
        Ok(Projectors {
            rebuilds: self.projectors.rebuilds.clone(),
            ..projectors.clone()
        })
    }

    /// Lets the projectors keep their ledger in a folder, and a limit.
    pub(crate) fn working_in(&mut self, folder: Folder, limits: Limits) {
        self.projectors.rebuilds.ledger = Arc::new(folder);
        self.limited(limits);
    }

    /// Lets the projectors keep a limit: the one that was given, else the environment's own.
    pub(crate) fn limited(&mut self, limits: Limits) {
        let of_the_environment = self.settings.rebuild;
        self.projectors.rebuilds.pace = Arc::new(Pace::new(CapacityLimit {
            read: limits.read_units.or(of_the_environment.read_units),
            write: limits.write_units.or(of_the_environment.write_units),
        }));
    }
}

/// The time by the answer that was noted, and a word where this machine's is another one.
fn servers_clock(dated: &Dated) -> Result<ServersClock, OperatorError> {
    let clock = dated.date();
    let clock = clock.and_then(|date| ServersClock::by(&date, SystemClock.now()));
    let timeless = || OperatorError::Said("the answer does not say what time it is".to_owned());
    let clock = clock.ok_or_else(timeless)?;
    if let Some(wrong_by) = clock.wrong_by() {
        let seconds = wrong_by.as_secs();
        eprintln!("waybill: this machine's clock is wrong by {seconds} s: the server's counts");
    }
    Ok(clock)
}

fn is_this_machine(endpoint: &str) -> bool {
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.starts_with(name))
}
