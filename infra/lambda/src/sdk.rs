//! The AWS SDK's configuration, the same for every client.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

/// The most attempts of one SDK call, the first included. DynamoDB and EventBridge answer within
/// milliseconds or not at all, and waiting in a Lambda costs money.
pub const SDK_ATTEMPTS: u32 = 3;

/// The longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time of one attempt of an SDK call.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time of an SDK call with all its attempts. A command makes two such calls at the
/// worst before it gives up, and must answer within the shortest time-out of a function, 10 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// A configuration loader with Waybill's time-outs and retries. Region, credentials and endpoint
/// come from the environment, unless the caller sets them.
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

/// The SDK's configuration from the environment of a Lambda function.
pub async fn from_environment() -> SdkConfig {
    loader().load().await
}
