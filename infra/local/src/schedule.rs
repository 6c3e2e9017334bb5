//! What runs by the clock: locally, the search for stalled shipments alone.

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    functions::{Invoker, Role},
    limits::WATCH_EVERY,
    stop::Stop,
};

/// Invokes `watch` every so often until the end. A run that fails says so in the log, and the next
/// one begins anew.
pub async fn watch(invoker: Invoker, mut stop: Stop) {
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wait() => return,
            _ = ticks.tick() => {}
        }
        let payload = serde_json::value::RawValue::NULL.to_owned();
        let request_id = Uuid::new_v4().to_string();
        let _ = invoker.invoke(Role::Watch, payload, &request_id).await;
    }
}
