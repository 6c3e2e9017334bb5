//! What the emulator measures itself, as AWS does of its own services: how many messages lie in the
//! queue. (How far a consumer of a stream is behind is measured with each of its batches.)

use tokio::time::{MissedTickBehavior, interval};

use crate::alarms::{Alarms, now_ms};
use crate::limits::MEASURED_EVERY;
use crate::measured::{Measured, Metric};
use crate::state::{State, StateError};
use crate::stop::Stop;

/// Measures, and looks whether an alarm rings, every so often until the end.
pub async fn run(queue: String, state: State, measured: Measured, alarms: Alarms, mut stop: Stop) {
    let mut ticks = interval(MEASURED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wait() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = depth(&queue, &state, &measured).await {
            tracing::warn!(%error, "the queue was not measured");
        }
        alarms.standing(&measured, now_ms());
    }
}

/// Measures how many messages lie in the queue.
pub(crate) async fn depth(
    queue: &str,
    state: &State,
    measured: &Measured,
) -> Result<(), StateError> {
    let now = now_ms();
    let depth = state.queue_depth(now).await?;
    let metric = |name| Metric::new("AWS/SQS", name, &[("QueueName", queue)]);
    let visible = metric("ApproximateNumberOfMessagesVisible");
    // More than a float can count exactly never lie in there.
    measured.take(visible, now, depth.visible as f64);
    let hidden = metric("ApproximateNumberOfMessagesNotVisible");
    measured.take(hidden, now, depth.hidden as f64);
    Ok(())
}
