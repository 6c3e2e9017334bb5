//! The alarms of a system: each is in the state ALARM or OK, by the values of its metric.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::definition::Alarm;
use crate::measured::{MINUTE_SECONDS, MetricStore};

/// The state of one alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmState {
    /// The alarm.
    pub alarm: Alarm,
    /// Whether the alarm is in the state ALARM (otherwise it is OK).
    pub in_alarm: bool,
    /// The reason for the present state, as CloudWatch words it.
    pub reason: String,
    /// The time of the last change of the state, in milliseconds since 1970.
    pub since_ms: i64,
}

/// The alarms of a system; clones share them.
#[derive(Debug, Clone)]
pub struct Alarms(Arc<Mutex<Vec<AlarmState>>>);

impl Alarms {
    /// Creates the states of these alarms, all of them OK. `now_ms` is the present time in
    /// milliseconds since 1970.
    pub fn new(alarms: &[Alarm], now_ms: i64) -> Self {
        let state = |alarm: &Alarm| AlarmState {
            alarm: alarm.clone(),
            in_alarm: false,
            reason: "Nothing was measured yet: missing data is not breaching.".to_owned(),
            since_ms: now_ms,
        };
        Self(Arc::new(Mutex::new(alarms.iter().map(state).collect())))
    }

    /// Evaluates each alarm by the values that were measured until `now_ms`, and returns all
    /// states.
    pub fn evaluate(&self, measured: &MetricStore, now_ms: i64) -> Vec<AlarmState> {
        let mut alarms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for state in alarms.iter_mut() {
            let values = values(&state.alarm, measured, now_ms);
            let in_alarm = values.iter().all(|value| breaches(&state.alarm, *value));
            if in_alarm != state.in_alarm {
                state.in_alarm = in_alarm;
                state.since_ms = now_ms;
                state.reason = reason(&state.alarm, &values, in_alarm);
            }
        }
        alarms.clone()
    }
}

/// Returns the values of the latest periods, the latest first. The first one is the present period,
/// which is not over yet. `None`: nothing was measured in the period.
fn values(alarm: &Alarm, measured: &MetricStore, now_ms: i64) -> Vec<Option<f64>> {
    let seconds = alarm.period_seconds();
    let minute = now_ms.div_euclid(MINUTE_SECONDS * 1_000) * MINUTE_SECONDS;
    let end = minute + MINUTE_SECONDS;
    let value = |period: u32| {
        let until = end - seconds * i64::from(period);
        measured.between(&alarm.metric, until - seconds, until, alarm.statistic)
    };
    (0..alarm.periods).map(value).collect()
}

/// Whether a value breaches the threshold of the alarm. A missing value never does
/// (`notBreaching`).
fn breaches(alarm: &Alarm, value: Option<f64>) -> bool {
    let threshold = f64::from(alarm.threshold);
    value.is_some_and(|value| value > threshold || (!alarm.above && value >= threshold))
}

fn reason(alarm: &Alarm, values: &[Option<f64>], in_alarm: bool) -> String {
    let value = |value: &Option<f64>| value.map_or("nothing".to_owned(), |it| it.to_string());
    let values: Vec<String> = values.iter().map(value).collect();
    let how = match alarm.above {
        true => "greater than",
        false => "greater than or equal to",
    };
    let (is, values) = (if in_alarm { "" } else { "not " }, values.join(", "));
    format!(
        "Threshold Crossed: of the latest {} of {} s [{values}], each was {is}{how} {}.",
        alarm.periods,
        alarm.period.as_secs(),
        alarm.threshold
    )
    .replace("each was not", "not each was")
}

/// Returns the present time, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    clock::now().timestamp_millis()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measured::{Metric, Statistic};

    const MINUTE_MS: i64 = 60_000;

    fn alarm(threshold: u32, minutes: u64, periods: u32, above: bool) -> Alarm {
        Alarm {
            name: "toy-loans".to_owned(),
            description: "Too many loans.".to_owned(),
            metric: Metric::new("Library", "Loans", &[]),
            statistic: Statistic::Sum,
            period: Duration::from_secs(60 * minutes),
            periods,
            threshold,
            above,
            topic: None,
        }
    }

    /// Whether the alarm is in the state ALARM in minute 10, after these (minute, value)
    /// measurements.
    fn is_in_alarm(alarm: Alarm, measured: &[(i64, f64)]) -> bool {
        let minutes = MetricStore::default();
        for (minute, value) in measured {
            minutes.record(alarm.metric.clone(), minute * MINUTE_MS, *value);
        }
        let alarms = Alarms::new(&[alarm], 0);
        alarms.evaluate(&minutes, 10 * MINUTE_MS + 1)[0].in_alarm
    }

    #[test]
    fn it_is_in_alarm_when_each_of_the_latest_periods_breaches() {
        assert!(!is_in_alarm(alarm(1, 1, 1, false), &[]));
        assert!(is_in_alarm(alarm(1, 1, 1, false), &[(10, 1.0)]));
        assert!(!is_in_alarm(alarm(1, 1, 1, true), &[(10, 1.0)]));
        assert!(!is_in_alarm(alarm(1, 1, 1, false), &[(9, 1.0)]));
        assert!(is_in_alarm(alarm(3, 5, 1, false), &[(6, 1.0), (8, 2.0)]));
        assert!(!is_in_alarm(alarm(3, 5, 1, false), &[(5, 9.0), (8, 2.0)]));
        assert!(is_in_alarm(alarm(3, 5, 2, false), &[(1, 3.0), (6, 3.0)]));
        assert!(!is_in_alarm(alarm(3, 5, 2, false), &[(6, 30.0)]));
    }

    #[test]
    fn it_says_why_and_since_when() {
        let (measured, one) = (MetricStore::default(), alarm(1, 1, 1, false));
        let alarms = Alarms::new(std::slice::from_ref(&one), 5);
        let before = alarms.evaluate(&measured, 6);
        assert_eq!((before[0].in_alarm, before[0].since_ms), (false, 5));
        measured.record(one.metric, MINUTE_MS, 2.0);
        assert!(alarms.evaluate(&measured, MINUTE_MS + 7)[0].in_alarm);
        let later = alarms.evaluate(&measured, MINUTE_MS + 9);
        assert_eq!(later[0].since_ms, MINUTE_MS + 7);
        let told = "Threshold Crossed: of the latest 1 of 60 s [2], each was greater than or equal \
                    to 1.";
        assert_eq!(later[0].reason, told);
        let over = alarms.evaluate(&measured, 3 * MINUTE_MS);
        assert_eq!((over[0].in_alarm, over[0].since_ms), (false, 3 * MINUTE_MS));
        assert!(
            over[0].reason.contains("[nothing], not each was greater"),
            "{}",
            over[0].reason
        );
    }
}
