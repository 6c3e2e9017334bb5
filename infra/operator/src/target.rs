//! Which environment an operator works on, and how to connect to it.

use std::{collections::HashMap, sync::Arc};

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use event_store::{Clock as _, SystemClock, failure::describe};
use lambda::{
    Names, Settings,
    metrics::{LatestLines, Metrics},
};
use projectors::Projectors;
use serde::{Deserialize, Serialize};

use crate::{
    clock::{DateRecorder, ServerClock},
    environment::Environment,
    error::OperatorError,
    limits::{ATTEMPT_TIMEOUT, ATTEMPTS, CALL_TIMEOUT, CONNECT_TIMEOUT},
};

/// The address of the local system's AWS protocols, unless it was started on another one.
pub const LOCAL: &str = "http://127.0.0.1:4566";

/// The environment variable of the function `rebuild` that contains the address of the HTTP API. No
/// function calls the API: the variable is there for those who read an environment's settings from
/// that function.
const API_URL: &str = "WAYBILL_API_URL";

/// Which environment an operator works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The part of the name of every table, function, bus and topic that names the environment,
    /// such as `dev`.
    pub environment: String,
    /// The URL at which AWS's protocols are offered, such as [`LOCAL`]. Without it the target is
    /// AWS itself, with the credentials and the region that the command `aws` would use.
    pub endpoint: Option<String>,
}

impl Target {
    /// The local system on its usual port, with the given environment's name.
    pub fn local(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            endpoint: Some(LOCAL.to_owned()),
        }
    }

    /// An environment on AWS, with the given name.
    pub fn aws(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            endpoint: None,
        }
    }

    /// Connects to the environment and reads the settings that its functions have. Rows depend on
    /// these settings too, so nobody should have to state them a second time.
    ///
    /// Fails with `Usage` where the name is not valid, with `Unavailable` where nothing answers,
    /// with `Denied` where AWS does not allow it, and with `Environment` where the settings cannot
    /// be read.
    pub async fn connect(&self) -> Result<Environment, OperatorError> {
        let names = Names::new(&self.environment);
        let names = names.map_err(|error| OperatorError::Usage(error.to_string()))?;
        let config = self.config().await;
        let functions = aws_sdk_lambda::Client::new(&config);
        let function = names.of("rebuild");
        let recorder = DateRecorder::default();
        let known = functions
            .get_function_configuration()
            .function_name(&function)
            .customize()
            .interceptor(recorder.clone())
            .send()
            .await
            .map_err(|error| {
                let reason = describe(&error);
                OperatorError::of_call(format!(
                    "{function} cannot be asked for its settings: {reason}"
                ))
            })?;
        let clock = servers_clock(&recorder)?;
        let variables: HashMap<String, String> = known
            .environment
            .and_then(|environment| environment.variables)
            .unwrap_or_default();
        let settings = Settings::read(|name| variables.get(name).cloned());
        let settings = settings.map_err(|error| {
            OperatorError::Environment(format!("the settings of {function}: {error}"))
        })?;
        // Metrics are lines in a function's log, and an operator's process has no log that anybody
        // reads.
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
            clock_wrong_by: clock.wrong_by(),
            api_url: variables.get(API_URL).filter(|it| !it.is_empty()).cloned(),
        })
    }

    async fn config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let retries = RetryConfig::adaptive().with_max_attempts(ATTEMPTS);
        let loader = lambda::sdk::loader()
            .timeout_config(timeouts)
            .retry_config(retries);
        let Some(endpoint) = &self.endpoint else {
            return loader.load().await;
        };
        let loader = loader.endpoint_url(endpoint);
        // The local system checks no credentials, and most people who try it have none.
        let anybody = std::env::var_os("AWS_ACCESS_KEY_ID").is_none()
            && std::env::var_os("AWS_PROFILE").is_none()
            && is_this_machine(endpoint);
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

/// The environment's clock, from the header `Date` that `recorder` has kept. Fails with
/// `Environment` where there was no such header or it is not a date.
fn servers_clock(recorder: &DateRecorder) -> Result<ServerClock, OperatorError> {
    let clock = recorder.date();
    let clock = clock.and_then(|date| ServerClock::from_date(&date, SystemClock.now()));
    let timeless = || "the answer does not say what time it is".to_owned();
    clock.ok_or_else(|| OperatorError::Environment(timeless()))
}

fn is_this_machine(endpoint: &str) -> bool {
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.starts_with(name))
}
