//! Functions that run at intervals, in place of EventBridge's schedules.

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::definition::Schedule;
use crate::invoker::Invoker;
use crate::stop::Stop;

/// Invokes the function of a schedule at its interval until `stop` is requested. A failed run is
/// only logged; the next run starts at its usual time.
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
