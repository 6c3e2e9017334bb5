//! Limits the capacity that rebuilds use.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use event_store::Clock;

/// The most capacity units to use in a second; `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapacityLimit {
    /// Read units a second.
    pub read: Option<u32>,
    /// Write units a second.
    pub write: Option<u32>,
}

/// Makes callers that have used capacity wait until the limit is kept again. All concurrent work
/// shares one.
#[derive(Debug, Default)]
pub struct CapacityLimiter {
    read: Meter,
    write: Meter,
}

/// The use of one kind of capacity.
#[derive(Debug, Default)]
struct Meter {
    /// The limit in halves of a unit a second.
    limit: Option<u64>,
    debt: Mutex<Debt>,
}

/// Capacity that was used in advance, as a time in microseconds: half a unit may take less than a
/// millisecond.
#[derive(Debug, Default)]
struct Debt {
    /// The time of the last update, in microseconds since 1970.
    seen: i64,
    /// The time that it then took until the limit was kept again, in microseconds.
    owed: i64,
}

impl CapacityLimiter {
    /// A pace that keeps this limit.
    pub fn new(limit: CapacityLimit) -> Self {
        Self {
            read: Meter::new(limit.read),
            write: Meter::new(limit.write),
        }
    }

    /// Counts halves of a read unit as used, and waits for them.
    pub async fn read(&self, clock: &dyn Clock, half_units: u64) {
        clock.sleep(self.read.used(clock, half_units)).await;
    }

    /// Counts halves of a write unit as used, and waits for them.
    pub async fn written(&self, clock: &dyn Clock, half_units: u64) {
        clock.sleep(self.write.used(clock, half_units)).await;
    }
}

impl Meter {
    fn new(units: Option<u32>) -> Self {
        Self {
            limit: units.map(|units| 2 * u64::from(units.max(1))),
            debt: Mutex::default(),
        }
    }

    /// Counts halves of a unit as used; returns the time to wait.
    fn used(&self, clock: &dyn Clock, half_units: u64) -> Duration {
        let Some(limit) = self.limit else {
            return Duration::ZERO;
        };
        let cost = half_units.saturating_mul(1_000_000).div_ceil(limit);
        let cost = i64::try_from(cost).unwrap_or(i64::MAX);
        let now = clock.now().millis().saturating_mul(1_000);
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        // If the clock jumps back, no time has passed; if it jumps forward, some debt is lost once.
        let passed = now.saturating_sub(debt.seen).max(0);
        let rest = debt.owed.saturating_sub(passed).max(0);
        *debt = Debt {
            seen: now,
            owed: rest.saturating_add(cost),
        };
        Duration::from_micros(u64::try_from(debt.owed).unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use async_trait::async_trait;
    use domain::Timestamp;

    use super::*;

    /// A clock whose time passes by waiting alone.
    #[derive(Default)]
    struct Waited(Mutex<i64>);

    #[async_trait]
    impl Clock for Waited {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(*self.0.lock().unwrap()).unwrap()
        }

        async fn sleep(&self, duration: Duration) {
            *self.0.lock().unwrap() += i64::try_from(duration.as_millis()).unwrap();
        }

        fn jitter(&self, max: Duration) -> Duration {
            max
        }
    }

    #[tokio::test]
    async fn a_limit_is_kept_and_none_costs_no_time() {
        let clock = Waited::default();
        let pace = CapacityLimiter::new(CapacityLimit {
            read: Some(10),
            write: None,
        });
        for _ in 0..6 {
            pace.read(&clock, 100).await;
            pace.written(&clock, 100).await;
        }
        // 300 read units at 10 a second.
        assert_eq!(clock.now().millis(), 30_000);
    }
}
