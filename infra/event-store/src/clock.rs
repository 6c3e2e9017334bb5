//! Time, waiting and jitter.

use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use domain::Timestamp;
use futures::future::{Either, select};

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

/// When an invocation has to come to an end by itself: some time before its platform ends it, which
/// would lose what it has to answer.
pub struct Deadline<'a> {
    clock: &'a dyn Clock,
    /// Milliseconds since 1970, from which on nothing new is begun.
    near: Option<i64>,
}

impl<'a> Deadline<'a> {
    /// `reserve` before `end`; never where there is no end.
    pub fn before(end: Option<Timestamp>, reserve: Duration, clock: &'a dyn Clock) -> Self {
        let reserve = i64::try_from(reserve.as_millis()).unwrap_or(i64::MAX);
        let near = end.map(|end| end.millis().saturating_sub(reserve));
        Self { clock, near }
    }

    /// Never.
    pub fn never(clock: &'a dyn Clock) -> Self {
        Self { clock, near: None }
    }

    /// Is it time to come to an end?
    pub fn is_near(&self) -> bool {
        self.near
            .is_some_and(|near| self.clock.now().millis() >= near)
    }

    /// What `work` comes to; `None` where the time is up before it is done, or was before it began.
    /// Then it is dropped at the point that it has come to: it must be fit to be done again.
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
