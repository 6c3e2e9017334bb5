//! The metrics that the emulator measures for its own services, as AWS does: the number of messages
//! in the queue. (The age of a stream's records is measured with each batch of a consumer.)

use tokio::time::{MissedTickBehavior, interval};

use crate::alarms::{Alarms, now_ms};
use crate::limits::MEASURED_EVERY;
use crate::measured::{Metric, MetricStore};
use crate::state::{State, StateError};
use crate::stop::Stop;

/// Measures the queue and evaluates the alarms, every [`MEASURED_EVERY`] until `stop` is requested.
pub async fn run(
    queue: String,
    state: State,
    measured: MetricStore,
    alarms: Alarms,
    mut stop: Stop,
) {
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
        alarms.evaluate(&measured, now_ms());
    }
}

/// Measures the number of messages in the queue, visible and hidden.
pub(crate) async fn depth(
    queue: &str,
    state: &State,
    measured: &MetricStore,
) -> Result<(), StateError> {
    let now = now_ms();
    let depth = state.queue_depth(now).await?;
    let metric = |name| Metric::new("AWS/SQS", name, &[("QueueName", queue)]);
    let visible = metric("ApproximateNumberOfMessagesVisible");
    // The queue never holds more messages than a float can represent exactly.
    measured.record(visible, now, depth.visible as f64);
    let hidden = metric("ApproximateNumberOfMessagesNotVisible");
    measured.record(hidden, now, depth.hidden as f64);
    Ok(())
}
