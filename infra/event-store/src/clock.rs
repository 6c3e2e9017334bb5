//! Time, waiting and jitter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use domain::Timestamp;

/// What a handler knows of time. A test brings its own, and so decides what happens when.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now. It may jump, also backwards.
    fn now(&self) -> Timestamp;

    /// Waits.
    async fn sleep(&self, duration: Duration);

    /// A random duration up to `max`, so that rivals do not meet again.
    fn jitter(&self, max: Duration) -> Duration;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        // Only a clock beyond the year 9999 has no timestamp; 1970 is as wrong, and is seen.
        Timestamp::from_millis(millis).unwrap_or(Timestamp::EPOCH)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        let millis = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(fastrand::u64(0..=millis))
    }
}

/// The longest wait before attempt `attempt` (from 1): doubling from `first` to `most`.
pub fn backoff(attempt: u32, first: Duration, most: Duration) -> Duration {
    first
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(most)
}
