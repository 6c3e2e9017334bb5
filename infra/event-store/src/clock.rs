//! Time, waiting, jitter, and the deadline of an invocation.

use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use domain::Timestamp;
use futures::future::{Either, select};

/// The source of time for handlers. A test brings its own, and so decides what happens when.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present time. It may jump, also backwards.
    fn now(&self) -> Timestamp;

    /// Waits for `duration`.
    async fn sleep(&self, duration: Duration);

    /// A random duration from zero to `max`, so that rivals do not retry at the same time.
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

/// The longest wait before attempt `attempt` (from 1): it doubles from `first` up to `most`.
pub fn backoff(attempt: u32, first: Duration, most: Duration) -> Duration {
    first
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(most)
}

/// The time from which on an invocation starts no new work, a reserve before its platform ends it
/// and its answer is lost.
pub struct Deadline<'a> {
    clock: &'a dyn Clock,
    /// Milliseconds since 1970, from which on no new work is started; `None`: there is no deadline.
    near: Option<i64>,
}

impl<'a> Deadline<'a> {
    /// A deadline `reserve` before `end`; none where `end` is `None`.
    pub fn before(end: Option<Timestamp>, reserve: Duration, clock: &'a dyn Clock) -> Self {
        let reserve = i64::try_from(reserve.as_millis()).unwrap_or(i64::MAX);
        let near = end.map(|end| end.millis().saturating_sub(reserve));
        Self { clock, near }
    }

    /// No deadline.
    pub fn never(clock: &'a dyn Clock) -> Self {
        Self { clock, near: None }
    }

    /// Whether the deadline has passed, so that no new work may start.
    pub fn has_passed(&self) -> bool {
        self.near
            .is_some_and(|near| self.clock.now().millis() >= near)
    }

    /// The result of `work`; `None` where the deadline passes before it is done. Then `work` is
    /// dropped wherever it is, so it must be safe to repeat.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let Some(near) = self.near else {
            return Some(work.await);
        };
        let left = near.saturating_sub(self.clock.now().millis());
        let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
        let ends = self.clock.sleep(Duration::from_millis(left));
        match select(pin!(work), ends).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}
