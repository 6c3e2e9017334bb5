//! The lines that functions print, in place of CloudWatch Logs.
//!
//! Only lines in CloudWatch's embedded metric format are used: their measurements are stored, and
//! the latest lines are kept to be looked at. The handlers write their logs to the output of their
//! process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::limits::METRIC_LINES_MAX;
use crate::measured::MetricStore;

/// Receives the lines that functions print. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    metrics: Arc<Mutex<VecDeque<Box<RawValue>>>>,
    measured: MetricStore,
}

impl Printed {
    /// Receives a line. Keeps it where it is a JSON object with the member `_aws`, which marks
    /// metrics.
    pub fn take(&self, line: String) {
        let read = serde_json::from_str::<Value>(&line).ok();
        let Some(read) = read.filter(|line| line.get("_aws").is_some_and(Value::is_object)) else {
            return;
        };
        self.measured.take_line(&read);
        // The line is JSON, so this does not fail.
        let Ok(line) = RawValue::from_string(line) else {
            return;
        };
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() == METRIC_LINES_MAX {
            metrics.pop_front();
        }
        metrics.push_back(line);
    }

    /// Returns the measurements of the lines.
    pub fn measured(&self) -> &MetricStore {
        &self.measured
    }

    /// Returns the kept lines, the oldest first. With `member`, only the lines in which a member at
    /// any level has this name.
    pub fn metrics(&self, member: Option<&str>) -> Vec<Box<RawValue>> {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = member else {
            return metrics.iter().cloned().collect();
        };
        // The functions write no space between the name of a member and its colon.
        let name = format!("{}:", Value::from(member));
        let having = metrics.iter().filter(|line| line.get().contains(&name));
        having.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_metrics_are_kept_and_nothing_else() {
        let printed = Printed::default();
        for line in ["text", "{\"level\":\"INFO\"}", "[]", "{\"_aws\":1}"] {
            printed.take(line.to_owned());
        }
        assert!(printed.metrics(None).is_empty());
        for number in 0..=METRIC_LINES_MAX {
            printed.take(format!("{{\"_aws\":{{}},\"Sent\":{number}}}"));
        }
        let kept = printed.clone().metrics(None);
        assert_eq!(kept.len(), METRIC_LINES_MAX);
        assert_eq!(
            kept.first().map(|line| line.get()),
            Some("{\"_aws\":{},\"Sent\":1}")
        );
        assert_eq!(printed.metrics(Some("Sent")).len(), METRIC_LINES_MAX);
        printed.take("{\"_aws\":{},\"Lost\":\"Sent\"}".to_owned());
        assert_eq!(printed.metrics(Some("Lost")).len(), 1);
        assert_eq!(printed.metrics(Some("Sent")).len(), METRIC_LINES_MAX - 1);
    }
}
