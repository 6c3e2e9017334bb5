//! What went on in the last hour, minute by minute, as CloudWatch has counted it: one call of
//! `cloudwatch:GetMetricData`.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
};
use aws_smithy_types::DateTime;
use domain::Timestamp;
use event_store::failure::describe;
use serde::Serialize;

use crate::{
    dead_letters::Consumer,
    environment::Environment,
    error::OperatorError,
    limits::{ACTIVITY_LAG_MINUTES, ACTIVITY_MINUTES},
};

const MINUTE_SECONDS: i64 = 60;
const ORDERS: &str = "DeliveryApp/OrderProcessing";
const SHIPMENTS: &str = "LogisticsProcessing";

/// What went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// When the first minute begins.
    pub from: Timestamp,
    /// Commands to orders that had an effect.
    pub orders: Line,
    /// Updates of shipments that were logged.
    pub updates: Line,
    /// Orders, and commands to them, that were refused.
    pub refused_orders: Line,
    /// Updates of shipments that were refused.
    pub refused_updates: Line,
    /// Times that an order, or a command to one, could not be carried out at all.
    pub failures: Line,
    /// How old, in milliseconds, the oldest events were that each consumer of the stream was given, by
    /// its name: `project` writes rows, `notify` messages.
    pub behind: BTreeMap<String, Line>,
}

/// A number for each minute, the oldest first; the last minute is not over yet. `None` where nothing
/// was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Line(pub Vec<Option<u64>>);

impl Line {
    /// Of all minutes together.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Of the last minute that is over.
    pub fn last_minute(&self) -> u64 {
        let over = self.0.iter().rev().nth(1);
        over.copied().flatten().unwrap_or_default()
    }

    /// The highest of the last minutes. Nothing is measured where nothing comes.
    pub fn lately(&self) -> u64 {
        let latest = self.0.iter().rev().take(ACTIVITY_LAG_MINUTES);
        latest.flatten().copied().max().unwrap_or_default()
    }

    /// The points of one metric, of which times are seconds since 1970.
    fn of(start: i64, result: Option<&MetricDataResult>) -> Self {
        let mut line = vec![None; ACTIVITY_MINUTES];
        let Some(result) = result else {
            return Self(line);
        };
        for (time, value) in result.timestamps().iter().zip(result.values()) {
            let minute = (time.secs() - start).div_euclid(MINUTE_SECONDS);
            let place = usize::try_from(minute).ok();
            if let Some(place) = place.and_then(|minute| line.get_mut(minute)) {
                // Counts, and milliseconds: whole numbers that CloudWatch writes as floats.
                *place = Some(value.round() as u64);
            }
        }
        Self(line)
    }
}

/// A metric that is asked for.
struct Asked {
    id: String,
    namespace: &'static str,
    name: &'static str,
    dimension: (&'static str, String),
    statistic: &'static str,
}

/// Says what went on in the last hour.
pub async fn activity(environment: &Environment) -> Result<Activity, OperatorError> {
    // The minute that is under way belongs to it.
    let minute = environment.now().seconds().div_euclid(MINUTE_SECONDS);
    let end = (minute + 1) * MINUTE_SECONDS;
    let start = end - ACTIVITY_MINUTES as i64 * MINUTE_SECONDS;
    let queries = all(environment).into_iter().map(query);
    let client = aws_sdk_cloudwatch::Client::new(&environment.config);
    let answer = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(start))
        .end_time(DateTime::from_secs(end))
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await
        .map_err(|error| OperatorError::Unavailable(format!("CloudWatch: {}", describe(&error))))?;
    let results = answer.metric_data_results();
    let line = |id: &str| Line::of(start, results.iter().find(|one| one.id() == Some(id)));
    let behind = Consumer::ALL.map(|consumer| {
        let name = consumer.name();
        (name.to_owned(), line(name))
    });
    Ok(Activity {
        from: Timestamp::from_millis(start * 1_000).unwrap_or(environment.now()),
        orders: line("orders"),
        updates: line("updates"),
        refused_orders: line("refusedOrders"),
        refused_updates: line("refusedUpdates"),
        failures: line("failures"),
        behind: behind.into(),
    })
}

fn all(environment: &Environment) -> Vec<Asked> {
    let own = [
        ("orders", ORDERS, "OrdersProcessed"),
        ("updates", SHIPMENTS, "ShipmentUpdatesProcessed"),
        ("refusedOrders", ORDERS, "OrderProcessingErrors"),
        ("refusedUpdates", SHIPMENTS, "ProcessingErrors"),
        ("failures", ORDERS, "ProcessingFailures"),
    ];
    let own = own.map(|(id, namespace, name)| Asked {
        id: id.to_owned(),
        namespace,
        name,
        dimension: ("Environment", environment.name().to_owned()),
        statistic: "Sum",
    });
    let behind = Consumer::ALL.map(|consumer| Asked {
        id: consumer.name().to_owned(),
        namespace: "AWS/Lambda",
        name: "IteratorAge",
        dimension: ("FunctionName", environment.names.of(consumer.name())),
        statistic: "Maximum",
    });
    own.into_iter().chain(behind).collect()
}

fn query(asked: Asked) -> MetricDataQuery {
    let (name, value) = asked.dimension;
    let metric = Metric::builder()
        .namespace(asked.namespace)
        .metric_name(asked.name)
        .dimensions(Dimension::builder().name(name).value(value).build());
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(60)
        .stat(asked.statistic);
    let query = MetricDataQuery::builder().id(asked.id);
    query.metric_stat(stat.build()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_stands_at_its_minute() {
        let result = MetricDataResult::builder()
            .timestamps(DateTime::from_secs(600))
            .values(2.0)
            .timestamps(DateTime::from_secs(600 + 58 * 60))
            .values(3.0)
            .timestamps(DateTime::from_secs(600 + 59 * 60))
            .values(4.0)
            // Before and after the hour.
            .timestamps(DateTime::from_secs(540))
            .values(70.0)
            .timestamps(DateTime::from_secs(600 + 60 * 60))
            .values(70.0)
            .build();
        let line = Line::of(600, Some(&result));
        assert_eq!(line.0.len(), ACTIVITY_MINUTES);
        assert_eq!(line.0.first(), Some(&Some(2)));
        assert_eq!((line.total(), line.last_minute(), line.lately()), (9, 3, 4));
    }

    #[test]
    fn what_was_not_measured_is_none() {
        let line = Line::of(600, None);
        assert_eq!((line.total(), line.last_minute(), line.lately()), (0, 0, 0));
        assert!(line.0.iter().all(Option::is_none));
    }
}
