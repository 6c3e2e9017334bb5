//! What time it is where the environment is, whatever this machine's clock says: a dead letter, a
//! commit and what is parked bear the time of AWS's machines, and are compared with it.

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

/// This machine's clock, set right by a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServersClock {
    /// Milliseconds that the server is ahead of this machine.
    ahead: i64,
}

impl ServersClock {
    /// By the header `Date` of an answer that came when it was `here` on this machine; `None` where
    /// that is no date. Such a date has whole seconds, so a clock that agrees with it within
    /// [`CLOCK_TOLERANCE`] is the more exact one of both.
    pub(crate) fn by(date: &str, here: Timestamp) -> Option<Self> {
        let there = DateTime::from_str(date, Format::HttpDate).ok()?;
        let ahead = there.to_millis().ok()?.checked_sub(here.millis())?;
        let agrees = u128::from(ahead.unsigned_abs()) <= CLOCK_TOLERANCE.as_millis();
        let ahead = if agrees { 0 } else { ahead };
        Some(Self { ahead })
    }

    /// By how much this machine's clock is wrong, where it is.
    pub(crate) fn wrong_by(self) -> Option<Duration> {
        (self.ahead != 0).then(|| Duration::from_millis(self.ahead.unsigned_abs()))
    }
}

#[async_trait]
impl Clock for ServersClock {
    fn now(&self) -> Timestamp {
        let here = SystemClock.now();
        Timestamp::from_millis(here.millis().saturating_add(self.ahead)).unwrap_or(here)
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        SystemClock.jitter(max)
    }
}

/// Notes the header `Date` of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dated {
    date: Arc<Mutex<Option<String>>>,
}

impl Dated {
    /// What was noted.
    pub(crate) fn date(&self) -> Option<String> {
        let date = self.date.lock().unwrap_or_else(PoisonError::into_inner);
        date.clone()
    }
}

impl Intercept for Dated {
    fn name(&self) -> &'static str {
        "Dated"
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
        let clock = ServersClock::by(date, Timestamp::from_millis(here).unwrap());
        clock.map(|clock| clock.ahead)
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
        let clock = ServersClock { ahead: 3_600_000 };
        let ahead = clock.now().millis() - SystemClock.now().millis();
        assert!((3_590_000..=3_600_000).contains(&ahead), "{ahead}");
    }
}
