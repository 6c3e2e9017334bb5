//! The states of the environment's alarms, from pages of `cloudwatch:DescribeAlarms`.

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use domain::Timestamp;
use event_store::failure::describe;
use serde::Serialize;

use crate::{environment::Environment, error::OperatorError, limits::ALARM_PAGES_MAX};

/// The environment's alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarms {
    /// First the alarms in the state ALARM, the latest first; then the others by name.
    pub alarms: Vec<Alarm>,
    /// Whether there are more alarms than were read.
    pub more: bool,
}

/// An alarm of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The alarm's name without the environment's prefix, such as `order-errors`.
    pub name: String,
    /// The alarm's description: what it means and what to do.
    pub says: String,
    /// The alarm's state.
    pub state: State,
    /// Why the alarm is in this state, in CloudWatch's words.
    pub reason: String,
    /// The time since which it has been in this state.
    pub since: Option<Timestamp>,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// CloudWatch's state ALARM. Waybill's texts say that the alarm rings.
    #[serde(rename = "rings")]
    InAlarm,
    /// CloudWatch's state INSUFFICIENT_DATA, or one that this build does not know.
    Unknown,
    /// CloudWatch's state OK.
    #[serde(rename = "well")]
    Ok,
}

impl Alarms {
    /// The alarms in the state ALARM, the latest first.
    pub fn into_ringing(mut self) -> Vec<Alarm> {
        self.alarms.retain(|alarm| alarm.state == State::InAlarm);
        self.alarms
    }

    /// The number of alarms in the state ALARM.
    pub fn ringing(&self) -> usize {
        let rings = |alarm: &&Alarm| alarm.state == State::InAlarm;
        self.alarms.iter().filter(rings).count()
    }
}

/// Reads the environment's alarms with their states.
pub async fn alarms(environment: &Environment) -> Result<Alarms, OperatorError> {
    let client = aws_sdk_cloudwatch::Client::new(&environment.config);
    let prefix = environment.names.of("");
    let mut found = Alarms::default();
    let mut next = None;
    for _ in 0..ALARM_PAGES_MAX {
        let page = client.describe_alarms().alarm_name_prefix(&prefix);
        let page = page.max_records(100).set_next_token(next).send().await;
        let page = page
            .map_err(|error| OperatorError::of_call(format!("CloudWatch: {}", describe(&error))))?;
        let topic = &environment.settings.alerts_arn;
        let alarms = page.metric_alarms().iter();
        let own = alarms.filter_map(|alarm| of(alarm, &prefix, topic));
        found.alarms.extend(own);
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    found.more = next.is_some();
    found.alarms.sort_by(|one, other| {
        let latest = other.since.cmp(&one.since);
        let latest = if one.state == State::InAlarm {
            latest
        } else {
            std::cmp::Ordering::Equal
        };
        let by_state = one.state.cmp(&other.state).then(latest);
        by_state.then_with(|| one.name.cmp(&other.name))
    });
    Ok(found)
}

/// The alarm, where it belongs to this environment; else `None`. The names of another environment's
/// alarms may begin with the same prefix (`dev-2` and `dev`), but those alarms notify another
/// topic.
fn of(alarm: &MetricAlarm, prefix: &str, topic: &str) -> Option<Alarm> {
    if !alarm.alarm_actions().iter().any(|action| action == topic) {
        return None;
    }
    let since = alarm
        .state_transitioned_timestamp()
        .or(alarm.state_updated_timestamp());
    let millis = since.and_then(|since| since.to_millis().ok());
    Some(Alarm {
        name: alarm.alarm_name()?.strip_prefix(prefix)?.to_owned(),
        says: alarm.alarm_description().unwrap_or_default().to_owned(),
        state: match alarm.state_value() {
            Some(StateValue::Alarm) => State::InAlarm,
            Some(StateValue::Ok) => State::Ok,
            _ => State::Unknown,
        },
        reason: alarm.state_reason().unwrap_or_default().to_owned(),
        since: millis.and_then(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_of_another_environment_is_none_of_this_one() {
        let prefix = "waybill-dev-";
        let alarm = |name: &str, topic: &str| {
            let alarm = MetricAlarm::builder().alarm_name(name);
            let alarm = alarm.alarm_actions(topic).state_value(StateValue::Alarm);
            of(&alarm.build(), prefix, "topic-of-dev").map(|alarm| (alarm.name, alarm.state))
        };
        let own = alarm("waybill-dev-failures", "topic-of-dev");
        assert_eq!(own, Some(("failures".to_owned(), State::InAlarm)));
        assert_eq!(alarm("waybill-dev-2-failures", "topic-of-dev-2"), None);
        assert_eq!(alarm("another", "topic-of-dev"), None);
    }
}
