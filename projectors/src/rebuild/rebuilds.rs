//! The dependencies of rebuilds, beside those of every projector.

use std::sync::Arc;

use domain::Timestamp;
use lambda::Settings;

use super::{
    ledger::Ledger,
    pace::{CapacityLimit, CapacityLimiter},
    sweep::Sweep,
};
use crate::Projectors;

/// The dependencies and settings of rebuilds.
#[derive(Clone)]
pub struct Rebuilds {
    /// The store of digests between gathering and settling.
    pub ledger: Arc<dyn Ledger>,
    /// The limit on the capacity that all rebuilds together use.
    pub pace: Arc<CapacityLimiter>,
    /// The number of segments in which the whole store is swept.
    pub sweep_segments: u32,
    /// Minutes from one sweep to the next.
    pub sweep_minutes: u32,
}

impl Rebuilds {
    /// The dependencies by an environment's settings, with this ledger.
    pub fn new(ledger: Arc<dyn Ledger>, settings: &Settings) -> Self {
        let limit = CapacityLimit {
            read: settings.rebuild.read_units,
            write: settings.rebuild.write_units,
        };
        Self {
            ledger,
            pace: Arc::new(CapacityLimiter::new(limit)),
            sweep_segments: settings.rebuild.sweep_segments,
            sweep_minutes: settings.rebuild.sweep_minutes,
        }
    }

    /// Counts halves of a read unit as used, and waits until the limit is kept again.
    pub(crate) async fn read(&self, projectors: &Projectors, half_units: u64) {
        self.pace.read(projectors.clock.as_ref(), half_units).await;
    }

    /// The segment whose turn it is by the clock, so that the last sweep need not be remembered. A
    /// segment that is missed has its turn in the next round.
    pub(crate) fn turn(&self, now: Timestamp) -> Sweep {
        let round = i64::from(self.sweep_minutes.max(1)) * 60_000;
        let segments = self.sweep_segments.max(1);
        let turn = now
            .millis()
            .div_euclid(round)
            .rem_euclid(i64::from(segments));
        Sweep::new(u32::try_from(turn).unwrap_or_default(), segments, true)
    }
}
