//! CloudWatch's embedded metric format: a line of a function's log that holds measurements.
//!
//! (CloudWatch user guide, "Specification: Embedded metric format".)

use serde_json::Value;

use super::Metric;
use crate::limits::{LINE_DIMENSIONS, LINE_METRICS, LINE_VALUES};

/// Returns the measurements in a line: (metric, time in milliseconds since 1970, value), one for
/// each metric, each of its sets of dimensions and each of its values. Parts that do not follow the
/// format are ignored.
pub(super) fn read(line: &Value) -> Vec<(Metric, i64, f64)> {
    let mut said = Vec::new();
    let Some(at_ms) = line["_aws"]["Timestamp"].as_i64() else {
        return said;
    };
    for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
        let Some(namespace) = directive["Namespace"].as_str() else {
            continue;
        };
        for metric in list(&directive["Metrics"]).iter().take(LINE_METRICS) {
            let Some(name) = metric["Name"].as_str() else {
                continue;
            };
            for names in list(&directive["Dimensions"]).iter().take(LINE_DIMENSIONS) {
                let Some(dimensions) = dimensions(line, names) else {
                    continue;
                };
                let metric = Metric {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    dimensions,
                };
                let values = values(&line[name]);
                said.extend(values.map(|value| (metric.clone(), at_ms, value)));
            }
        }
    }
    said
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the dimensions: the members of the line with these names. `None` where one is not a
/// text.
fn dimensions(line: &Value, names: &Value) -> Option<std::collections::BTreeMap<String, String>> {
    let of = |name: &Value| {
        let name = name.as_str()?;
        Some((name.to_owned(), line[name].as_str()?.to_owned()))
    };
    names.as_array()?.iter().map(of).collect()
}

/// Returns the number, or the numbers of a list. Infinite values and NaN are left out.
fn values(value: &Value) -> impl Iterator<Item = f64> {
    let several = list(value).iter().take(LINE_VALUES);
    let values = several.filter_map(Value::as_f64).chain(value.as_f64());
    values.filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_each_metric_for_each_set_of_dimensions() {
        let line = json!({
            "_aws": { "Timestamp": 61_000, "CloudWatchMetrics": [{
                "Namespace": "Library",
                "Dimensions": [["Branch"], ["Branch", "Kind"], ["Missing"]],
                "Metrics": [{ "Name": "Loans", "Unit": "Count" }, { "Name": "Waits" }, { "Name": "Nothing" }],
            }]},
            "Branch": "north", "Kind": "book", "Loans": 3, "Waits": [1, 2.5, "no"],
        });
        let north = [("Branch", "north")];
        let books = [("Branch", "north"), ("Kind", "book")];
        let metric = |name, dimensions: &[_]| Metric::new("Library", name, dimensions);
        let expected = [
            (metric("Loans", &north), 61_000, 3.0),
            (metric("Loans", &books), 61_000, 3.0),
            (metric("Waits", &north), 61_000, 1.0),
            (metric("Waits", &north), 61_000, 2.5),
            (metric("Waits", &books), 61_000, 1.0),
            (metric("Waits", &books), 61_000, 2.5),
        ];
        assert_eq!(read(&line), expected);
    }

    #[test]
    fn what_is_not_of_the_format_says_nothing() {
        for line in [
            json!({}),
            json!([]),
            json!({ "_aws": {} }),
            json!({ "_aws": { "Timestamp": "now", "CloudWatchMetrics": [] } }),
            json!({ "_aws": { "Timestamp": 1, "CloudWatchMetrics": [{ "Metrics": [{ "Name": "A" }] }] }, "A": 1 }),
        ] {
            assert_eq!(read(&line), [], "{line}");
        }
    }
}
