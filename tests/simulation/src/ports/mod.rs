//! Table, rows, keys, bus, topic, operator and clock in this world: each call is held up before and
//! after its effect, and may fail at either end.

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

use crate::core::{Core, Fault, hold};

/// How many times a slow call is asked in vain whether it is there.
const SLOW_TURNS: usize = 12;

/// Brings a call to its effect, or turns it away before.
async fn before(core: &Core, what: impl FnOnce() -> String) -> bool {
    core.count_call();
    core.note(what);
    if !core.coarse {
        hold().await;
    }
    if core.strikes(Fault::Slow) {
        for _ in 0..SLOW_TURNS {
            hold().await;
        }
    }
    !core.strikes(Fault::Throttle)
}

/// Brings an answer back, or loses it.
async fn after(core: &Core) -> bool {
    hold().await;
    !core.strikes(Fault::LostAnswer)
}

/// The world's clock.
pub struct SimClock(pub Core);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, _duration: Duration) {
        hold().await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}
