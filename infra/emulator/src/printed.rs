//! What functions print: the place of CloudWatch Logs.
//!
//! Of lines in CloudWatch's embedded metric format, what they say is measured, and the latest are kept
//! to be looked at; the handlers themselves write their logs wherever their process does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::limits::METRIC_LINES_MAX;
use crate::measured::Measured;

/// Takes the lines that functions print; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    metrics: Arc<Mutex<VecDeque<Box<RawValue>>>>,
    measured: Measured,
}

impl Printed {
    /// Takes a line. It is kept where it is a metric: a JSON object with the member `_aws`.
    pub fn take(&self, line: String) {
        let read = serde_json::from_str::<Value>(&line).ok();
        let Some(read) = read.filter(|line| line.get("_aws").is_some_and(Value::is_object)) else {
            return;
        };
        self.measured.take_line(&read);
        // It is JSON, as was just seen.
        let Ok(line) = RawValue::from_string(line) else {
            return;
        };
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() == METRIC_LINES_MAX {
            metrics.pop_front();
        }
        metrics.push_back(line);
    }

    /// What the lines have said; clones share it.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    /// The metrics that are kept, oldest first; where `member` is given, the lines in which a member is
    /// called so, at any level.
    pub fn metrics(&self, member: Option<&str>) -> Vec<Box<RawValue>> {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = member else {
            return metrics.iter().cloned().collect();
        };
        // As a line is written: nothing stands between a name and its colon.
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
