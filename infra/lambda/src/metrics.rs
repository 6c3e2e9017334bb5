//! Metrics in CloudWatch's embedded metric format: a line of JSON in the function's log, which
//! CloudWatch turns into metrics by itself. No call of an API, nothing to wait for.
//!
//! (CloudWatch user guide, "Specification: Embedded metric format". It is small enough that this
//! page is shorter than the adapter for a library would be: the ones there are keep one namespace
//! per process, and here are three.)

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::Timestamp;
use serde_json::{Map, Value, json};

/// Orders: namespace `DeliveryApp/OrderProcessing`.
const ORDERS: &str = "DeliveryApp/OrderProcessing";

/// Shipments: namespace `LogisticsProcessing`.
const SHIPMENTS: &str = "LogisticsProcessing";

/// The projections' health: namespace `Waybill`.
const PROJECTIONS: &str = "Waybill";

/// What stands as the status of an update whose status is none of the known ones: a metric for
/// each that anybody makes up would cost without limit.
const OTHER: &str = "OTHER";

/// What one invocation did for orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orders {
    /// Commands that had an effect.
    pub processed: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Times that the invocation, or a command of it, could not be carried out at all.
    pub failures: u64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What one invocation did for shipments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipments {
    /// Updates that were logged, by status; `None` of a status that is not known.
    pub processed: BTreeMap<Option<&'static str>, u64>,
    /// Shipments that were found to be stalled.
    pub stalled: u64,
    /// Updates that were refused or could not be carried out.
    pub errors: u64,
}

/// A carrier's webhook, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarrierWebhook {
    /// Who sent it.
    pub provider: &'static str,
    /// What became of it, one of a few words.
    pub outcome: &'static str,
}

/// What a sweep did for the projections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Aggregates that were looked at.
    pub aggregates: u64,
    /// Rows that were written or removed.
    pub mended: u64,
    /// Aggregates whose history cannot be folded.
    pub unreadable: u64,
    /// Did it run out of time before its end?
    pub unfinished: bool,
    /// Aggregates that are parked now; `None` where nobody can say.
    pub parked: Option<u64>,
}

/// Where the lines go: a Lambda's standard output, or somewhere to look at.
pub trait Lines: Send + Sync {
    /// Takes one line, without its end.
    fn take(&self, line: String);
}

/// Standard output, which Lambda keeps as the function's log.
#[derive(Debug, Clone, Copy)]
pub struct StandardOutput;

impl Lines for StandardOutput {
    fn take(&self, line: String) {
        println!("{line}");
    }
}

/// The latest lines, kept to look at.
#[derive(Debug)]
pub struct LatestLines {
    lines: Mutex<std::collections::VecDeque<String>>,
    most: usize,
}

impl LatestLines {
    /// Keeps the latest `most` lines.
    pub fn new(most: usize) -> Self {
        Self {
            lines: Mutex::default(),
            most,
        }
    }

    /// What is kept, oldest first.
    pub fn all(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

impl Lines for LatestLines {
    fn take(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == self.most {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The metrics of one environment.
#[derive(Clone)]
pub struct Metrics {
    environment: String,
    lines: Arc<dyn Lines>,
}

/// A value with its name and its CloudWatch unit.
type Metric = (&'static str, &'static str, u64);

impl Metrics {
    /// Metrics of `environment`, written to `lines`.
    pub fn new(environment: impl Into<String>, lines: Arc<dyn Lines>) -> Self {
        Self {
            environment: environment.into(),
            lines,
        }
    }

    /// Says what an invocation that ended at `now` did for orders.
    pub fn orders(&self, now: Timestamp, orders: Orders) {
        let mut metrics = vec![
            ("OrdersProcessed", "Count", orders.processed),
            ("OrderProcessingErrors", "Count", orders.refused),
            ("ProcessingTime", "Milliseconds", orders.millis),
            ("ProcessingFailures", "Count", orders.failures),
        ];
        // Whole per cent, rounded down: 100 means every single one. None of none is no rate.
        let all = orders.processed + orders.refused + orders.failures;
        if let Some(rate) = (orders.processed * 100).checked_div(all) {
            metrics.push(("SuccessRate", "Percent", rate));
        }
        self.say(now, ORDERS, &[], &metrics);
    }

    /// Says what an invocation that ended at `now` did for shipments.
    pub fn shipments(&self, now: Timestamp, shipments: &Shipments) {
        for (status, count) in &shipments.processed {
            let status = status.unwrap_or(OTHER);
            let metrics = [("ShipmentUpdatesProcessed", "Count", *count)];
            self.say(now, SHIPMENTS, &[("Status", status)], &metrics);
        }
        let mut metrics = vec![("ProcessingErrors", "Count", shipments.errors)];
        if shipments.stalled > 0 {
            metrics.push(("ShipmentsStalled", "Count", shipments.stalled));
        }
        self.say(now, SHIPMENTS, &[], &metrics);
    }

    /// Says what became of a carrier's webhook that ended at `now`.
    pub fn carrier_webhook(&self, now: Timestamp, webhook: CarrierWebhook) {
        let CarrierWebhook { provider, outcome } = webhook;
        let metrics = [("CarrierWebhooks", "Count", 1)];
        self.say(
            now,
            SHIPMENTS,
            &[("Provider", provider), ("Outcome", outcome)],
            &metrics,
        );
    }

    /// Says that so many scans had a code that the provider's table lacks.
    pub fn unmapped_carrier_statuses(&self, now: Timestamp, provider: &'static str, count: u64) {
        let metrics = [("UnmappedCarrierStatus", "Count", count)];
        self.say(now, SHIPMENTS, &[("Provider", provider)], &metrics);
    }

    /// Says that a consumer of the stream, `project` or `notify`, has parked an aggregate.
    pub fn parked(&self, now: Timestamp, consumer: &str) {
        let metrics = [("AggregatesParked", "Count", 1)];
        self.say(now, PROJECTIONS, &[("Consumer", consumer)], &metrics);
    }

    /// Says that the stream brought a change or the removal of a stored commit.
    pub fn tampered(&self, now: Timestamp) {
        self.say(now, PROJECTIONS, &[], &[("CommitsTampered", "Count", 1)]);
    }

    /// Says what a sweep did that ended at `now`, and how much is parked.
    pub fn swept(&self, now: Timestamp, swept: &Swept) {
        let mut metrics = vec![
            ("SweptAggregates", "Count", swept.aggregates),
            ("SweepMended", "Count", swept.mended),
            ("SweepUnreadable", "Count", swept.unreadable),
            ("SweepUnfinished", "Count", swept.unfinished.into()),
        ];
        metrics.extend(
            swept
                .parked
                .map(|parked| ("ParkedAggregates", "Count", parked)),
        );
        self.say(now, PROJECTIONS, &[], &metrics);
    }

    /// Writes a line: each metric by environment, and by environment and `more` where there is any.
    fn say(&self, now: Timestamp, namespace: &str, more: &[(&str, &str)], metrics: &[Metric]) {
        let mut dimensions = vec![vec!["Environment"]];
        if !more.is_empty() {
            let names = more.iter().map(|(name, _)| *name);
            dimensions.push(std::iter::once("Environment").chain(names).collect());
        }
        let described = |(name, unit, _): &Metric| json!({ "Name": name, "Unit": unit });
        let described: Vec<Value> = metrics.iter().map(described).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.millis(),
                "CloudWatchMetrics": [{
                    "Namespace": namespace,
                    "Dimensions": dimensions,
                    "Metrics": described,
                }],
            }),
        );
        line.insert("Environment".to_owned(), self.environment.clone().into());
        for (name, value) in more {
            line.insert((*name).to_owned(), (*value).into());
        }
        for (name, _, value) in metrics {
            line.insert((*name).to_owned(), (*value).into());
        }
        self.lines.take(Value::Object(line).to_string());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(say: impl FnOnce(&Metrics, Timestamp)) -> Vec<Value> {
        let lines = Arc::new(LatestLines::new(10));
        let metrics = Metrics::new("dev", lines.clone());
        say(&metrics, Timestamp::from_millis(1_700_000_000_123).unwrap());
        let read = |line: &String| serde_json::from_str(line).unwrap();
        lines.all().iter().map(read).collect()
    }

    #[test]
    fn orders_are_counted_timed_and_rated() {
        let orders = Orders {
            processed: 2,
            refused: 1,
            failures: 0,
            millis: 12,
        };
        let lines = said(|metrics, now| metrics.orders(now, orders));
        let units = [
            ("OrdersProcessed", "Count", 2),
            ("OrderProcessingErrors", "Count", 1),
            ("ProcessingTime", "Milliseconds", 12),
            ("ProcessingFailures", "Count", 0),
            ("SuccessRate", "Percent", 66),
        ];
        let described = units.map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }));
        let expected = json!({
            "Timestamp": 1_700_000_000_123_i64,
            "CloudWatchMetrics": [{
                "Namespace": "DeliveryApp/OrderProcessing",
                "Dimensions": [["Environment"]],
                "Metrics": described,
            }],
        });
        assert_eq!(lines[0]["_aws"], expected);
        assert_eq!(lines[0]["Environment"], "dev");
        for (name, _, value) in units {
            assert_eq!(lines[0][name], value, "{name}");
        }
    }

    #[test]
    fn nothing_at_all_has_no_rate() {
        let lines = said(|metrics, now| metrics.orders(now, Orders::default()));
        assert_eq!(lines[0].get("SuccessRate"), None);
    }

    #[test]
    fn shipments_are_counted_by_status_too() {
        let shipments = Shipments {
            processed: BTreeMap::from([(Some("LOST"), 3), (None, 1)]),
            stalled: 4,
            errors: 2,
        };
        let lines = said(|metrics, now| metrics.shipments(now, &shipments));
        let dimensions = |line: &Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone();
        assert_eq!(lines.len(), 3);
        for (line, status, count) in [(&lines[0], "OTHER", 1), (&lines[1], "LOST", 3)] {
            assert_eq!(
                (&line["Status"], &line["ShipmentUpdatesProcessed"]),
                (&json!(status), &json!(count))
            );
            let expected = json!([["Environment"], ["Environment", "Status"]]);
            assert_eq!(dimensions(line), expected);
        }
        assert_eq!(lines[2]["ProcessingErrors"], 2);
        assert_eq!(lines[2]["ShipmentsStalled"], 4);
        assert_eq!(dimensions(&lines[2]), json!([["Environment"]]));
    }

    #[test]
    fn webhooks_are_counted_by_provider_and_outcome() {
        let webhook = CarrierWebhook {
            provider: "shippo",
            outcome: "known",
        };
        let lines = said(|metrics, now| {
            metrics.carrier_webhook(now, webhook);
            metrics.unmapped_carrier_statuses(now, "shippo", 2);
        });
        let dimensions = |line: &Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone();
        assert_eq!(lines[0]["CarrierWebhooks"], 1);
        let expected = json!([["Environment"], ["Environment", "Provider", "Outcome"]]);
        assert_eq!(dimensions(&lines[0]), expected);
        assert_eq!(lines[1]["UnmappedCarrierStatus"], 2);
        let expected = json!([["Environment"], ["Environment", "Provider"]]);
        assert_eq!(dimensions(&lines[1]), expected);
    }

    #[test]
    fn only_the_latest_lines_are_kept() {
        let lines = LatestLines::new(2);
        for line in ["a", "b", "c"] {
            lines.take(line.to_owned());
        }
        assert_eq!(lines.all(), ["b", "c"]);
    }
}
