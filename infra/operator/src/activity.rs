//! The activity of the last hour, minute by minute, as CloudWatch has counted it: one call of
//! `cloudwatch:GetMetricData`.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::Serialize;

use crate::{
    dead_letters::Consumer,
    environment::Environment,
    error::OperatorError,
    limits::{ACTIVITY_LAG_MINUTES, ACTIVITY_MINUTES},
    metrics::{MINUTE_SECONDS, MetricRequest, ORDERS, SHIPMENTS, Window, points},
};

/// The activity of the last hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The time at which the first minute begins.
    pub from: Timestamp,
    /// Commands to orders that had an effect.
    pub orders: MinuteSeries,
    /// Updates of shipments that were logged.
    pub updates: MinuteSeries,
    /// Orders, and commands to them, that were refused.
    pub refused_orders: MinuteSeries,
    /// Updates of shipments that were refused.
    pub refused_updates: MinuteSeries,
    /// The number of times that an order, or a command to one, could not be carried out at all.
    pub failures: MinuteSeries,
    /// The age, in milliseconds, of the oldest event that each consumer of the stream was given, by
    /// the consumer's name: `project` writes rows, `notify` sends messages.
    pub behind: BTreeMap<String, MinuteSeries>,
}

/// A number for each minute, the oldest first. The last minute is not over yet. `None` where
/// nothing was measured in that minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MinuteSeries(pub Vec<Option<u64>>);

impl MinuteSeries {
    /// The sum of all minutes.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// The number of the last minute that is over; 0 where nothing was measured.
    pub fn last_minute(&self) -> u64 {
        let over = self.0.iter().rev().nth(1);
        over.copied().flatten().unwrap_or_default()
    }

    /// The highest number of the last [`ACTIVITY_LAG_MINUTES`] minutes; 0 where nothing was
    /// measured, since CloudWatch measures nothing where no events arrive.
    pub fn recent_maximum(&self) -> u64 {
        let latest = self.0.iter().rev().take(ACTIVITY_LAG_MINUTES);
        latest.flatten().copied().max().unwrap_or_default()
    }

    /// The series of one metric's points. Their times, and `start`, are seconds since 1970.
    fn of(start: i64, points: &[(i64, u64)]) -> Self {
        let mut line = vec![None; ACTIVITY_MINUTES];
        for (time, value) in points {
            let minute = (time - start).div_euclid(MINUTE_SECONDS);
            let place = usize::try_from(minute).ok();
            if let Some(place) = place.and_then(|minute| line.get_mut(minute)) {
                *place = Some(*value);
            }
        }
        Self(line)
    }
}

/// Returns the activity of the last hour.
pub async fn activity(environment: &Environment) -> Result<Activity, OperatorError> {
    let window = Window::of_last(environment, ACTIVITY_MINUTES);
    let found = points(environment, all(environment), window, 60).await?;
    let line = |id: &str| MinuteSeries::of(window.start, found.of(id));
    let behind = Consumer::ALL.map(|consumer| {
        let name = consumer.name();
        (name.to_owned(), line(name))
    });
    Ok(Activity {
        from: Timestamp::from_millis(window.start * 1_000).unwrap_or(environment.now()),
        orders: line("orders"),
        updates: line("updates"),
        refused_orders: line("refusedOrders"),
        refused_updates: line("refusedUpdates"),
        failures: line("failures"),
        behind: behind.into(),
    })
}

fn all(environment: &Environment) -> Vec<MetricRequest> {
    let own = [
        ("orders", ORDERS, "OrdersProcessed"),
        ("updates", SHIPMENTS, "ShipmentUpdatesProcessed"),
        ("refusedOrders", ORDERS, "OrderProcessingErrors"),
        ("refusedUpdates", SHIPMENTS, "ProcessingErrors"),
        ("failures", ORDERS, "ProcessingFailures"),
    ];
    let own =
        own.map(|(id, namespace, name)| MetricRequest::sum(environment, id, namespace, name, &[]));
    let behind =
        Consumer::ALL.map(|consumer| MetricRequest::iterator_age(environment, consumer.name()));
    own.into_iter().chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_stands_at_its_minute() {
        let points = [
            // Before and after the hour.
            (540, 70),
            (600, 2),
            (600 + 58 * 60, 3),
            (600 + 59 * 60, 4),
            (600 + 60 * 60, 70),
        ];
        let line = MinuteSeries::of(600, &points);
        assert_eq!(line.0.len(), ACTIVITY_MINUTES);
        assert_eq!(line.0.first(), Some(&Some(2)));
        assert_eq!(
            (line.total(), line.last_minute(), line.recent_maximum()),
            (9, 3, 4)
        );
    }

    #[test]
    fn what_was_not_measured_is_none() {
        let line = MinuteSeries::of(600, &[]);
        assert_eq!(
            (line.total(), line.last_minute(), line.recent_maximum()),
            (0, 0, 0)
        );
        assert!(line.0.iter().all(Option::is_none));
    }
}
