//! Metrics in CloudWatch's embedded metric format: a line of JSON in the function's log, which
//! CloudWatch turns into metrics by itself. It needs no API call, and nothing waits for it.
//!
//! See "Specification: Embedded metric format" in the CloudWatch user guide. No library is used:
//! existing ones keep one namespace per process, and Waybill has three.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of metrics about orders.
const ORDERS: &str = "DeliveryApp/OrderProcessing";

/// The namespace of metrics about shipments.
const SHIPMENTS: &str = "LogisticsProcessing";

/// The namespace of metrics about projections.
const PROJECTIONS: &str = "Waybill";

/// What a line calls the code of a refusal.
pub const REFUSAL_CODE: &str = "RefusalCode";

/// The dimension value of a status that is none of the known ones. Each new value would be a metric
/// of its own, and senders could make them without limit.
const OTHER: &str = "OTHER";

/// What one invocation did for orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orders {
    /// The number of orders that were placed.
    pub processed: u64,
    /// The number of commands that were refused.
    pub refused: u64,
    /// Failures of the invocation or of its commands for other reasons than a refusal.
    pub failures: u64,
    /// The duration of the invocation, in milliseconds.
    pub millis: u64,
    /// Why the only one that was refused was: its code. It stands in the line and is no dimension,
    /// so that a query of the log counts by it.
    pub code: Option<&'static str>,
}

/// What one invocation did for shipments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipments {
    /// The number of logged updates by status; `None` stands for all statuses that are not known
    /// ones.
    pub processed: BTreeMap<Option<&'static str>, u64>,
    /// Shipments that were found to be stalled.
    pub stalled: u64,
    /// Updates that were refused or could not be carried out.
    pub errors: u64,
    /// As that of [`Orders`].
    pub code: Option<&'static str>,
}

/// The result of one webhook of a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarrierWebhook {
    /// The provider that sent the webhook.
    pub provider: &'static str,
    /// The result, one word of a small fixed set.
    pub outcome: &'static str,
}

/// What a sweep did for the projections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// The number of aggregates that the sweep compared.
    pub aggregates: u64,
    /// The number of rows that it wrote or removed.
    pub mended: u64,
    /// The number of aggregates whose history cannot be folded.
    pub unreadable: u64,
    /// Whether it ran out of time before its end.
    pub unfinished: bool,
    /// The number of aggregates that are parked now; `None` where it could not be read.
    pub parked: Option<u64>,
}

/// A sink for lines of metrics: a Lambda's standard output, or a buffer to inspect.
pub trait Lines: Send + Sync {
    /// Writes one line, given without its line end.
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

/// A buffer of the latest lines, to inspect.
#[derive(Debug)]
pub struct LatestLines {
    lines: Mutex<std::collections::VecDeque<String>>,
    most: usize,
}

impl LatestLines {
    /// A buffer that keeps the latest `most` lines.
    pub fn new(most: usize) -> Self {
        Self {
            lines: Mutex::default(),
            most,
        }
    }

    /// The kept lines, oldest first.
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

    /// Writes the metrics of an invocation that handled orders and ended at `now`.
    pub fn orders(&self, now: Timestamp, orders: Orders) {
        let mut metrics = vec![
            ("OrdersProcessed", "Count", orders.processed),
            ("OrderProcessingErrors", "Count", orders.refused),
            ("ProcessingTime", "Milliseconds", orders.millis),
            ("ProcessingFailures", "Count", orders.failures),
        ];
        // Whole per cent, rounded down: 100 means every single one. Without any there is no rate.
        let all = orders.processed + orders.refused + orders.failures;
        if let Some(rate) = (orders.processed * 100).checked_div(all) {
            metrics.push(("SuccessRate", "Percent", rate));
        }
        self.write_with_code(now, ORDERS, orders.code, &metrics);
    }

    /// Writes the metrics of an invocation that handled shipments and ended at `now`.
    pub fn shipments(&self, now: Timestamp, shipments: &Shipments) {
        for (status, count) in &shipments.processed {
            let status = status.unwrap_or(OTHER);
            let metrics = [("ShipmentUpdatesProcessed", "Count", *count)];
            self.write(now, SHIPMENTS, &[("Status", status)], &metrics);
        }
        let mut metrics = vec![("ProcessingErrors", "Count", shipments.errors)];
        if shipments.stalled > 0 {
            metrics.push(("ShipmentsStalled", "Count", shipments.stalled));
        }
        self.write_with_code(now, SHIPMENTS, shipments.code, &metrics);
    }

    /// Writes the metrics of a carrier's webhook that was answered at `now`.
    pub fn carrier_webhook(&self, now: Timestamp, webhook: CarrierWebhook) {
        let CarrierWebhook { provider, outcome } = webhook;
        let metrics = [("CarrierWebhooks", "Count", 1)];
        self.write(
            now,
            SHIPMENTS,
            &[("Provider", provider), ("Outcome", outcome)],
            &metrics,
        );
    }

    /// Writes the number of scans whose status code the provider's table does not have.
    pub fn unmapped_carrier_statuses(&self, now: Timestamp, provider: &'static str, count: u64) {
        let metrics = [("UnmappedCarrierStatus", "Count", count)];
        self.write(now, SHIPMENTS, &[("Provider", provider)], &metrics);
    }

    /// Writes that a consumer of the stream, `project` or `notify`, has parked an aggregate.
    pub fn parked(&self, now: Timestamp, consumer: &str) {
        let metrics = [("AggregatesParked", "Count", 1)];
        self.write(now, PROJECTIONS, &[("Consumer", consumer)], &metrics);
    }

    /// Writes that the stream delivered the change or removal of a stored commit, which never
    /// happens in normal operation.
    pub fn tampered(&self, now: Timestamp) {
        self.write(now, PROJECTIONS, &[], &[("CommitsTampered", "Count", 1)]);
    }

    /// Writes the metrics of a sweep that ended at `now`, and the number of parked aggregates.
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
        self.write(now, PROJECTIONS, &[], &metrics);
    }

    /// Writes a line with each metric by environment, and the code of a refusal beside them.
    fn write_with_code(
        &self,
        now: Timestamp,
        namespace: &str,
        code: Option<&'static str>,
        metrics: &[Metric],
    ) {
        let mut line = self.line(now, namespace, &[], metrics);
        if let Some(code) = code {
            line.insert(REFUSAL_CODE.to_owned(), code.into());
        }
        self.lines.take(Value::Object(line).to_string());
    }

    /// Writes a line with each metric by environment, and by environment and the dimensions `more`
    /// where there are any.
    fn write(&self, now: Timestamp, namespace: &str, more: &[(&str, &str)], metrics: &[Metric]) {
        let line = self.line(now, namespace, more, metrics);
        self.lines.take(Value::Object(line).to_string());
    }

    fn line(
        &self,
        now: Timestamp,
        namespace: &str,
        more: &[(&str, &str)],
        metrics: &[Metric],
    ) -> Map<String, Value> {
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
        line
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
            code: Some("invalid_field"),
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
        assert_eq!(lines[0][REFUSAL_CODE], "invalid_field");
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
            code: None,
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
