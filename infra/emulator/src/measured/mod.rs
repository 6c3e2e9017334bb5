//! The values of metrics by the minute, in place of CloudWatch's metrics.
//!
//! The latest hours are kept in memory only: after a start there are no values.

// Measurements are floats on AWS, too. None of them is money.
#![allow(clippy::float_arithmetic)]

mod format;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::limits::{MEASURED_METRICS, MEASURED_MINUTES};

/// The seconds of a minute, the shortest period of a statistic.
pub const MINUTE_SECONDS: i64 = 60;

const MINUTE_MS: i64 = MINUTE_SECONDS * 1_000;

/// A metric. The same name with other dimensions is another metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metric {
    /// The namespace, such as `AWS/SQS`.
    pub namespace: String,
    /// The name within the namespace.
    pub name: String,
    /// The dimensions by name.
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    /// Creates a metric with these dimensions.
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions.iter().map(owned).collect(),
        }
    }
}

/// A statistic of the values in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The number of values.
    SampleCount,
    /// The sum of the values.
    Sum,
    /// The mean of the values.
    Average,
    /// The lowest value.
    Minimum,
    /// The highest value.
    Maximum,
}

impl Statistic {
    /// All statistics with their names in CloudWatch.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::SampleCount, "SampleCount"),
        (Self::Sum, "Sum"),
        (Self::Average, "Average"),
        (Self::Minimum, "Minimum"),
        (Self::Maximum, "Maximum"),
    ];

    /// Returns the statistic with this name in CloudWatch.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(statistic, _)| *statistic)
    }

    /// Returns the name in CloudWatch.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, _)| *known == self);
        found.map_or("", |(_, name)| name)
    }
}

/// What is kept of the values of a minute: enough for each statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Summary {
    count: f64,
    sum: f64,
    lowest: f64,
    highest: f64,
}

impl Summary {
    fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            sum: value,
            lowest: value,
            highest: value,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
        }
    }

    fn value_of(self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::SampleCount => self.count,
            Statistic::Sum => self.sum,
            Statistic::Average => self.sum / self.count,
            Statistic::Minimum => self.lowest,
            Statistic::Maximum => self.highest,
        }
    }
}

/// The values of a metric, by the number of the minute since 1970.
type Minutes = BTreeMap<i64, Summary>;

/// The values of all metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MetricStore(Arc<Mutex<HashMap<Metric, Minutes>>>);

impl MetricStore {
    /// Adds a value that was measured at `at_ms`, in milliseconds since 1970. Keeps the latest
    /// [`MEASURED_MINUTES`] minutes with a value of each metric, and the first [`MEASURED_METRICS`]
    /// metrics.
    pub fn record(&self, metric: Metric, at_ms: i64, value: f64) {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() >= MEASURED_METRICS && !metrics.contains_key(&metric) {
            tracing::warn!(
                metric.name,
                "too many metrics: the values of this one are not kept"
            );
            return;
        }
        let minutes = metrics.entry(metric).or_default();
        let summary = minutes.entry(at_ms.div_euclid(MINUTE_MS));
        let value = Summary::of(value);
        summary
            .and_modify(|summary| *summary = summary.and(value))
            .or_insert(value);
        while minutes.len() > MEASURED_MINUTES {
            minutes.pop_first();
        }
    }

    /// Adds the measurements in a line of the embedded metric format. Any other line has none.
    pub(crate) fn take_line(&self, line: &Value) {
        for (metric, at_ms, value) in format::read(line) {
            self.record(metric, at_ms, value);
        }
    }

    /// Returns the statistic of the values from `from` until before `until`, in seconds since 1970
    /// at whole minutes; `None` where nothing was measured.
    pub fn between(
        &self,
        metric: &Metric,
        from: i64,
        until: i64,
        statistic: Statistic,
    ) -> Option<f64> {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = |seconds: i64| seconds.div_euclid(MINUTE_SECONDS);
        let (from, until) = (minute(from), minute(until));
        if from >= until {
            return None;
        }
        let minutes = metrics.get(metric)?.range(from..until);
        let all = minutes.map(|(_, summary)| *summary).reduce(Summary::and);
        all.map(|summary| summary.value_of(statistic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loans() -> Metric {
        Metric::new("Library", "Loans", &[("Branch", "north")])
    }

    #[test]
    fn values_of_a_time_are_summed_up() {
        let measured = MetricStore::default();
        for (at_ms, value) in [(60_000, 2.0), (119_999, 4.0), (120_000, 9.0)] {
            measured.record(loans(), at_ms, value);
        }
        let first = Statistic::ALL.map(|(statistic, _)| {
            let found = measured.between(&loans(), 60, 120, statistic);
            found.map(|value| value.to_string())
        });
        let expected = ["2", "6", "3", "2", "4"].map(|text| Some(text.to_owned()));
        assert_eq!(first, expected);
        let sum = |from, until| measured.between(&loans(), from, until, Statistic::Sum);
        assert_eq!(sum(60, 180), Some(15.0));
        assert_eq!(sum(0, 60), None);
        assert_eq!(sum(120, 60), None);
        let elsewhere = Metric::new("Library", "Loans", &[("Branch", "south")]);
        assert_eq!(measured.between(&elsewhere, 60, 180, Statistic::Sum), None);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let measured = MetricStore::default();
        for minute in 0..=i64::try_from(MEASURED_MINUTES).unwrap_or(0) {
            measured.record(loans(), minute * MINUTE_MS, 1.0);
        }
        let first = measured.between(&loans(), 0, 60, Statistic::Sum);
        assert_eq!(first, None);
        for number in 0..MEASURED_METRICS * 2 {
            let metric = Metric::new("Library", &number.to_string(), &[]);
            measured.record(metric, 0, 1.0);
        }
        let kept = measured.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(kept.len(), MEASURED_METRICS);
    }
}
