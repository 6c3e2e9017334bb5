//! The simulated ports: events table, rows, keys, files, ledger, secrets, bus, topic, operator
//! messages and clock. Most calls suspend their task before and after the effect, and each may fail
//! at either moment.

mod events;
mod files;
mod keys;
mod ledger;
mod messages;
mod rows;
mod secrets;

use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;
use event_store::Clock;

pub use events::SimTable;
pub use files::SimFiles;
pub use keys::{KeyStore, Served};
pub use ledger::SimLedger;
pub use messages::SimOutbox;
pub use rows::SimRows;
pub use secrets::SimSecrets;

use crate::core::{Core, Fault, suspend};

/// How many times more a slow call suspends its task before its effect.
const SLOW_TURNS: usize = 12;

/// Suspends the task before the effect of a call. Returns whether the call may have its effect;
/// false means that it fails without one. `what` is its line in the trace.
async fn before(core: &Core, what: impl FnOnce() -> String) -> bool {
    core.count_call();
    core.note(what);
    if !core.coarse {
        suspend().await;
    }
    if core.strikes(Fault::Slow) {
        for _ in 0..SLOW_TURNS {
            suspend().await;
        }
    }
    !core.strikes(Fault::Throttle)
}

/// Suspends the task after the effect of a call. Returns whether the answer arrives; false means
/// that it is lost.
async fn after(core: &Core) -> bool {
    suspend().await;
    !core.strikes(Fault::LostAnswer)
}

/// The clock of the simulation. A sleep suspends the task once, whatever its duration.
pub struct SimClock(pub Core);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, _duration: Duration) {
        suspend().await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}
