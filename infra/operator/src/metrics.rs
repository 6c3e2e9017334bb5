//! CloudWatch metrics over time: one call of `cloudwatch:GetMetricData` each.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy};
use aws_smithy_types::DateTime;
use event_store::failure::describe;

use crate::{environment::Environment, error::OperatorError};

pub(crate) const MINUTE_SECONDS: i64 = 60;
pub(crate) const ORDERS: &str = "DeliveryApp/OrderProcessing";
pub(crate) const SHIPMENTS: &str = "LogisticsProcessing";
pub(crate) const PROJECTIONS: &str = "Waybill";

/// A metric that is requested.
pub(crate) struct MetricRequest {
    /// The id by which its points are found in the answer: letters, digits and `_`, with a
    /// lower-case letter first.
    pub(crate) id: String,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) dimensions: Vec<(&'static str, String)>,
    pub(crate) statistic: &'static str,
}

impl MetricRequest {
    /// The sum of one of the environment's own metrics. `more` are its dimensions besides the
    /// environment's name.
    pub(crate) fn sum(
        environment: &Environment,
        id: impl Into<String>,
        namespace: &'static str,
        name: &'static str,
        more: &[(&'static str, &str)],
    ) -> Self {
        let own = ("Environment", environment.name().to_owned());
        let more = more
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            id: id.into(),
            namespace,
            name,
            dimensions: std::iter::once(own).chain(more).collect(),
            statistic: "Sum",
        }
    }

    /// The age, in milliseconds, of the oldest events that this consumer of the stream was given.
    pub(crate) fn iterator_age(environment: &Environment, consumer: &str) -> Self {
        Self {
            id: consumer.to_owned(),
            namespace: "AWS/Lambda",
            name: "IteratorAge",
            dimensions: vec![("FunctionName", environment.names.of(consumer))],
            statistic: "Maximum",
        }
    }

    fn query(self, period: i32) -> MetricDataQuery {
        let dimensions = self.dimensions.into_iter();
        let dimensions =
            dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let metric = Metric::builder()
            .namespace(self.namespace)
            .metric_name(self.name)
            .set_dimensions(Some(dimensions.collect()));
        let stat = MetricStat::builder()
            .metric(metric.build())
            .period(period)
            .stat(self.statistic);
        let query = MetricDataQuery::builder().id(self.id);
        query.metric_stat(stat.build()).build()
    }
}

/// A period of whole minutes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// The begin of the period, in seconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Window {
    /// The last `minutes` minutes, including the current one.
    pub(crate) fn of_last(environment: &Environment, minutes: usize) -> Self {
        let minute = environment.now().seconds().div_euclid(MINUTE_SECONDS);
        let end = (minute + 1) * MINUTE_SECONDS;
        Self {
            start: end - minutes as i64 * MINUTE_SECONDS,
            end,
        }
    }
}

/// The points of metrics, by the ids of their requests. A point is the begin of its period in
/// seconds since 1970 and its value as a whole number; the oldest is first.
#[derive(Debug, Default)]
pub(crate) struct Points(BTreeMap<String, Vec<(i64, u64)>>);

impl Points {
    pub(crate) fn of(&self, id: &str) -> &[(i64, u64)] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    /// The sum of a metric's points.
    pub(crate) fn total(&self, id: &str) -> u64 {
        self.of(id).iter().map(|(_, value)| value).sum()
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(points: &[(&str, &[(i64, u64)])]) -> Self {
        let points = points.iter();
        Self(
            points
                .map(|(id, all)| ((*id).to_owned(), all.to_vec()))
                .collect(),
        )
    }
}

/// Reads these metrics, with one point for each `period` seconds.
pub(crate) async fn points(
    environment: &Environment,
    asked: Vec<MetricRequest>,
    window: Window,
    period: i32,
) -> Result<Points, OperatorError> {
    let queries = asked.into_iter().map(|one| one.query(period));
    let client = aws_sdk_cloudwatch::Client::new(&environment.config);
    let answer = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(window.start))
        .end_time(DateTime::from_secs(window.end))
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await
        .map_err(|error| OperatorError::of_call(format!("CloudWatch: {}", describe(&error))))?;
    let mut points = Points::default();
    for result in answer.metric_data_results() {
        let pairs = result.timestamps().iter().zip(result.values());
        // The values are counts and milliseconds: whole numbers that CloudWatch writes as floats.
        let pairs = pairs.map(|(time, value)| (time.secs(), value.round() as u64));
        let id = result.id().unwrap_or_default().to_owned();
        points.0.entry(id).or_default().extend(pairs);
    }
    Ok(points)
}
