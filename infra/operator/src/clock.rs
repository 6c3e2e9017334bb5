//! The environment's clock, which does not depend on this machine's. Dead letters, commits and
//! parked aggregates bear the time of AWS's machines and are compared with it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_lambda::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
};
use aws_smithy_types::{DateTime, date_time::Format};
use domain::Timestamp;
use event_store::{Clock, SystemClock};

use crate::limits::CLOCK_TOLERANCE;

/// This machine's clock, corrected by a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerClock {
    /// The milliseconds by which the server is ahead of this machine; negative where it is behind.
    ahead_ms: i64,
}

impl ServerClock {
    /// The clock that follows from `date`, the header `Date` of an answer which arrived at the time
    /// `here` of this machine; `None` where `date` is not a date. The header has whole seconds
    /// only, so where this machine's clock agrees with it within [`CLOCK_TOLERANCE`], this
    /// machine's clock is the more exact one and is used as it is.
    pub(crate) fn from_date(date: &str, here: Timestamp) -> Option<Self> {
        let there = DateTime::from_str(date, Format::HttpDate).ok()?;
        let ahead_ms = there.to_millis().ok()?.checked_sub(here.millis())?;
        let agrees = u128::from(ahead_ms.unsigned_abs()) <= CLOCK_TOLERANCE.as_millis();
        let ahead_ms = if agrees { 0 } else { ahead_ms };
        Some(Self { ahead_ms })
    }

    /// The difference between this machine's clock and the server's; `None` where they agree.
    pub(crate) fn wrong_by(self) -> Option<Duration> {
        (self.ahead_ms != 0).then(|| Duration::from_millis(self.ahead_ms.unsigned_abs()))
    }
}

#[async_trait]
impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let here = SystemClock.now();
        Timestamp::from_millis(here.millis().saturating_add(self.ahead_ms)).unwrap_or(here)
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        SystemClock.jitter(max)
    }
}

/// An interceptor of the AWS SDK that keeps the header `Date` of the latest answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct DateRecorder {
    date: Arc<Mutex<Option<String>>>,
}

impl DateRecorder {
    /// The header that was kept; `None` where there was none.
    pub(crate) fn date(&self) -> Option<String> {
        let date = self.date.lock().unwrap_or_else(PoisonError::into_inner);
        date.clone()
    }
}

impl Intercept for DateRecorder {
    fn name(&self) -> &'static str {
        "DateRecorder"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn by(date: &str, here: i64) -> Option<i64> {
        let clock = ServerClock::from_date(date, Timestamp::from_millis(here).unwrap());
        clock.map(|clock| clock.ahead_ms)
    }

    #[test]
    fn a_server_s_date_counts_where_this_machine_is_wrong() {
        let (date, there) = ("Tue, 15 Nov 1994 08:12:31 GMT", 784_887_151_000);
        assert_eq!(by(date, there), Some(0));
        assert_eq!(by(date, there + 1_999), Some(0));
        assert_eq!(by(date, there - 3_600_000), Some(3_600_000));
        assert_eq!(by(date, there + 86_400_000), Some(-86_400_000));
        assert_eq!(by("yesterday", there), None);
    }

    #[test]
    fn now_is_the_server_s() {
        let clock = ServerClock {
            ahead_ms: 3_600_000,
        };
        let ahead_ms = clock.now().millis() - SystemClock.now().millis();
        assert!((3_590_000..=3_600_000).contains(&ahead_ms), "{ahead_ms}");
    }
}
