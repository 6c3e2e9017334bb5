//! What runs by the clock: EventBridge's schedules.

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::definition::Schedule;
use crate::invoker::Invoker;
use crate::stop::Stop;

/// Invokes a schedule's function every so often until the end. A run that fails says so in the log,
/// and the next one begins anew.
pub async fn run(schedule: Schedule, invoker: Invoker, mut stop: Stop) {
    let mut ticks = interval(schedule.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wait() => return,
            _ = ticks.tick() => {}
        }
        let (input, request_id) = (schedule.input.clone(), Uuid::new_v4().to_string());
        let _ = invoker.invoke(&schedule.function, input, &request_id).await;
    }
}
