//! `DescribeAlarms`: the states of the alarms.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Refused;
use crate::alarms::AlarmState;
use crate::arn;
use crate::limits::{ALARMS_PAGE, ALARMS_PAGE_MAX};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Request {
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

/// Returns one page of the requested alarms, in the order of their names.
pub(super) fn describe(alarms: Vec<AlarmState>, request: Request) -> Result<Value, Refused> {
    if !request.alarm_names.is_empty() && request.alarm_name_prefix.is_some() {
        let text = "AlarmNames and AlarmNamePrefix: one of them";
        return Err(Refused::Value(text.to_owned()));
    }
    let most = request.max_records.unwrap_or(ALARMS_PAGE);
    if most == 0 || most > ALARMS_PAGE_MAX {
        let text = format!("MaxRecords: 1 to {ALARMS_PAGE_MAX}");
        return Err(Refused::Value(text));
    }
    let begin = request.next_token.as_deref().map_or(Ok(0), str::parse);
    let begin: usize = begin.map_err(|_| Refused::Token)?;
    let mut found: Vec<AlarmState> = alarms
        .into_iter()
        .filter(|one| is_asked(one, &request))
        .collect();
    found.sort_by(|one, other| one.alarm.name.cmp(&other.alarm.name));
    let end = begin.saturating_add(most);
    let more = (end < found.len()).then(|| end.to_string());
    let page = found.into_iter().skip(begin).take(most);
    let page: Vec<Value> = page.map(|one| alarm_json(&one)).collect();
    let mut answer = json!({ "MetricAlarms": page, "CompositeAlarms": [] });
    if let Some(more) = more {
        answer["NextToken"] = more.into();
    }
    Ok(answer)
}

fn is_asked(alarm_state: &AlarmState, request: &Request) -> bool {
    let name = &alarm_state.alarm.name;
    let names = &request.alarm_names;
    let prefix = request.alarm_name_prefix.as_deref().unwrap_or_default();
    let state = request.state_value.as_deref();
    let action = request.action_prefix.as_deref().unwrap_or_default();
    (names.is_empty() || names.contains(name))
        && name.starts_with(prefix)
        && state.is_none_or(|asked| asked == value(alarm_state))
        && (action.is_empty()
            || actions(alarm_state)
                .iter()
                .any(|one| one.starts_with(action)))
}

fn value(alarm_state: &AlarmState) -> &'static str {
    match alarm_state.in_alarm {
        true => "ALARM",
        false => "OK",
    }
}

fn actions(alarm_state: &AlarmState) -> Vec<String> {
    alarm_state
        .alarm
        .topic
        .iter()
        .map(|topic| arn::topic(topic))
        .collect()
}

fn alarm_json(alarm_state: &AlarmState) -> Value {
    let alarm = &alarm_state.alarm;
    let dimensions = alarm.metric.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    let comparison = match alarm.above {
        true => "GreaterThanThreshold",
        false => "GreaterThanOrEqualToThreshold",
    };
    // AWS writes a time as seconds since 1970 with a fraction.
    let since = seconds(alarm_state.since_ms);
    json!({
        "AlarmName": alarm.name,
        "AlarmArn": arn::alarm(&alarm.name),
        "AlarmDescription": alarm.description,
        "ActionsEnabled": true,
        "AlarmActions": actions(alarm_state),
        "StateValue": value(alarm_state),
        "StateReason": alarm_state.reason,
        "StateUpdatedTimestamp": since,
        "StateTransitionedTimestamp": since,
        "Namespace": alarm.metric.namespace,
        "MetricName": alarm.metric.name,
        "Dimensions": dimensions.collect::<Vec<_>>(),
        "Statistic": alarm.statistic.name(),
        "Period": alarm.period.as_secs(),
        "EvaluationPeriods": alarm.periods,
        "Threshold": f64::from(alarm.threshold),
        "ComparisonOperator": comparison,
        "TreatMissingData": "notBreaching",
    })
}

/// Converts milliseconds to seconds with a fraction.
#[allow(clippy::float_arithmetic)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::alarms::Alarms;
    use crate::definition::toy;
    use crate::measured::MetricStore;

    fn asked(request: Value) -> Result<Value, Refused> {
        let mut alarms = toy::library().alarms;
        let mut another = alarms[0].clone();
        another.name = "toy-another".to_owned();
        another.topic = None;
        alarms.push(another);
        let measured = MetricStore::default();
        measured.record(alarms[0].metric.clone(), 60_000, 1.0);
        alarms[1].threshold = 2;
        let states = Alarms::new(&alarms, 0).evaluate(&measured, 61_500);
        describe(states, serde_json::from_value(request).unwrap())
    }

    fn names(answer: &Value) -> Vec<&str> {
        let alarms = answer["MetricAlarms"].as_array().unwrap();
        alarms
            .iter()
            .map(|one| one["AlarmName"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn alarms_are_found_by_name_state_and_topic() {
        let all = ["toy-another", "toy-unwanted"];
        for (request, expected) in [
            (json!({}), &all[..]),
            (json!({ "AlarmNamePrefix": "toy-a" }), &all[..1]),
            (
                json!({ "AlarmNames": ["toy-unwanted", "nothing"] }),
                &all[1..],
            ),
            (json!({ "StateValue": "ALARM" }), &all[1..]),
            (json!({ "StateValue": "OK" }), &all[..1]),
            (json!({ "ActionPrefix": "arn:aws:sns:" }), &all[1..]),
        ] {
            assert_eq!(
                names(&asked(request.clone()).unwrap()),
                expected,
                "{request}"
            );
        }
        let rings = &asked(json!({ "StateValue": "ALARM" })).unwrap()["MetricAlarms"][0];
        assert_eq!(rings["StateUpdatedTimestamp"], 61.5);
        assert_eq!(rings["Threshold"], 1.0);
        let topic = "arn:aws:sns:us-east-1:000000000000:toy-notices";
        assert_eq!(rings["AlarmActions"], json!([topic]));
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let first = asked(json!({ "MaxRecords": 1 })).unwrap();
        assert_eq!(names(&first), ["toy-another"]);
        let next = json!({ "MaxRecords": 1, "NextToken": first["NextToken"] });
        let second = asked(next).unwrap();
        assert_eq!(names(&second), ["toy-unwanted"]);
        assert_eq!(second.get("NextToken"), None);
        assert!(asked(json!({ "NextToken": "x" })).is_err());
        assert!(asked(json!({ "MaxRecords": 101 })).is_err());
        assert!(asked(json!({ "AlarmNames": ["a"], "AlarmNamePrefix": "b" })).is_err());
    }
}
