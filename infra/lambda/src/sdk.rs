//! The AWS SDK's configuration, the same for every client.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

/// Attempts of one SDK call, the first included. DynamoDB and EventBridge answer within
/// milliseconds or not at all, and a Lambda pays for its waiting.
pub const SDK_ATTEMPTS: u32 = 3;

/// Until a connection stands.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One attempt of one SDK call.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// A call with all its attempts. A command makes two such calls at the worst before it gives up,
/// and has to say so within the shortest time-out of a function, 10 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// A loader with Waybill's time-outs and retries; region, credentials and endpoint come from the
/// environment, unless the caller adds them.
pub fn loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(CALL_TIMEOUT)
                .build(),
        )
}

/// The configuration that a Lambda finds in its environment.
pub async fn from_environment() -> SdkConfig {
    loader().load().await
}
