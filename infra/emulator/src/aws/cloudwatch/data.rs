//! `GetMetricData`: statistics of metrics for a span of time.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Refused;
use crate::limits::{METRIC_POINTS, METRIC_QUERIES};
use crate::measured::{MINUTE_SECONDS, Metric, MetricStore, Statistic};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    metric_data_queries: Vec<Query>,
    start_time: f64,
    end_time: f64,
    scan_by: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    metric_stat: Option<MetricStat>,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: MetricName,
    period: i64,
    stat: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricName {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// A span of time, in seconds since 1970. `end` is outside of it.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: i64,
    end: i64,
}

/// Returns all points in one answer: there is never a second page. Fails where a token of a page is
/// sent, or a query is not supported.
pub(super) fn get(measured: &MetricStore, request: Request) -> Result<Value, Refused> {
    if request.next_token.is_some() {
        return Err(Refused::Token);
    }
    let queries = request.metric_data_queries;
    if queries.is_empty() || queries.len() > METRIC_QUERIES {
        let text = format!("MetricDataQueries: 1 to {METRIC_QUERIES} of them");
        return Err(Refused::Value(text));
    }
    let span = Span {
        // A float holds whole seconds exactly for far longer than the emulator measures.
        start: request.start_time.floor() as i64,
        end: request.end_time.ceil() as i64,
    };
    if span.start >= span.end {
        let text = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(Refused::Value(text.to_owned()));
    }
    let newest_first = match request.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(_) => return Err(Refused::Value("ScanBy: no such order".to_owned())),
    };
    let mut room = METRIC_POINTS;
    let mut results = Vec::new();
    for query in queries {
        let shown = query.return_data.unwrap_or(true);
        let (id, label) = (query.id.clone(), query.label.clone());
        let stat = read(query)?;
        room -= span.end.saturating_sub(span.start) / stat.period;
        if room < 0 {
            let text = format!("more than {METRIC_POINTS} points are asked for");
            return Err(Refused::Value(text));
        }
        let mut points = points(measured, &stat, span);
        if newest_first {
            points.reverse();
        }
        let (times, values): (Vec<i64>, Vec<f64>) = points.into_iter().unzip();
        let result = json!({
            "Id": id,
            "Label": label.unwrap_or(stat.metric.name),
            "Timestamps": times,
            "Values": values,
            "StatusCode": "Complete",
        });
        results.extend(shown.then_some(result));
    }
    Ok(json!({ "MetricDataResults": results, "Messages": [] }))
}

/// The metric, period and statistic of one query.
struct RequestedStatistic {
    metric: Metric,
    period: i64,
    statistic: Statistic,
}

fn read(query: Query) -> Result<RequestedStatistic, Refused> {
    let id = query.id;
    let stat = query.metric_stat.ok_or_else(|| {
        Refused::Value(format!(
            "{id}: only MetricStat is offered here, no expressions"
        ))
    })?;
    if stat.period < MINUTE_SECONDS || stat.period % MINUTE_SECONDS != 0 {
        let text = format!("{id}: Period must be a multiple of {MINUTE_SECONDS}");
        return Err(Refused::Value(text));
    }
    let statistic = Statistic::named(&stat.stat).ok_or_else(|| {
        let text = format!("{id}: the statistic {:?} is not offered here", stat.stat);
        Refused::Value(text)
    })?;
    let dimensions = stat.metric.dimensions.into_iter();
    Ok(RequestedStatistic {
        metric: Metric {
            namespace: stat.metric.namespace,
            name: stat.metric.metric_name,
            dimensions: dimensions.map(|it| (it.name, it.value)).collect(),
        },
        period: stat.period,
        statistic,
    })
}

/// Returns one point, (start of the period, value), for each period with a value, the oldest first.
fn points(measured: &MetricStore, asked: &RequestedStatistic, span: Span) -> Vec<(i64, f64)> {
    let first = span.start.div_euclid(asked.period) * asked.period;
    let periods = (span.end - first).div_euclid(asked.period) + 1;
    let starts = (0..periods).map(|number| first + number * asked.period);
    let starts = starts.take_while(|start| *start < span.end);
    let point = |start: i64| {
        let value = measured.between(&asked.metric, start, start + asked.period, asked.statistic);
        value.map(|value| (start, value))
    };
    starts.filter_map(point).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn asked(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Value, Refused> {
        let measured = MetricStore::default();
        let loans = Metric::new("Library", "Loans", &[("Branch", "north")]);
        for (at_ms, value) in [(600_000, 1.0), (659_999, 2.0), (720_000, 4.0)] {
            measured.record(loans.clone(), at_ms, value);
        }
        let query = json!({
            "MetricDataQueries": [{ "Id": "loans", "MetricStat": {
                "Metric": { "Namespace": "Library", "MetricName": "Loans",
                            "Dimensions": [{ "Name": "Branch", "Value": "north" }] },
                "Period": 60, "Stat": "Sum",
            }}],
            "StartTime": 599.5, "EndTime": 780,
        });
        let Value::Object(mut members) = query else {
            unreachable!()
        };
        change(&mut members);
        get(&measured, serde_json::from_value(Value::Object(members))?)
    }

    fn first(answer: &Value) -> (&Value, &Value) {
        let result = &answer["MetricDataResults"][0];
        (&result["Timestamps"], &result["Values"])
    }

    #[test]
    fn each_period_with_a_value_is_a_point() {
        let answer = asked(|_| {}).unwrap();
        assert_eq!(first(&answer), (&json!([720, 600]), &json!([4.0, 3.0])));
        let answer = asked(|it| {
            it.insert("ScanBy".to_owned(), "TimestampAscending".into());
            it["MetricDataQueries"][0]["MetricStat"]["Period"] = 300.into();
        });
        assert_eq!(first(&answer.unwrap()), (&json!([600]), &json!([7.0])));
        let answer = asked(|it| it["EndTime"] = 720.into()).unwrap();
        assert_eq!(first(&answer), (&json!([600]), &json!([3.0])));
        let answer = asked(|it| it["MetricDataQueries"][0]["ReturnData"] = false.into());
        assert_eq!(answer.unwrap()["MetricDataResults"], json!([]));
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let stat = |name: &'static str, value: Value| {
            move |it: &mut Map<String, Value>| {
                it["MetricDataQueries"][0]["MetricStat"][name] = value
            }
        };
        assert!(asked(stat("Period", 30.into())).is_err());
        assert!(asked(stat("Period", 0.into())).is_err());
        assert!(asked(stat("Stat", "p99".into())).is_err());
        assert!(asked(|it| it["StartTime"] = 780.into()).is_err());
        assert!(asked(|it| it["StartTime"] = (-1e9).into()).is_err());
        assert!(asked(|it| it["MetricDataQueries"] = json!([])).is_err());
        assert!(
            asked(|it| it["MetricDataQueries"] = json!([{ "Id": "a", "Expression": "b" }]))
                .is_err()
        );
        let again = asked(|it| drop(it.insert("NextToken".to_owned(), "1".into())));
        assert_eq!(again.unwrap_err().code(), "InvalidNextToken");
    }
}
