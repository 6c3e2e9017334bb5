//! The alarms of an environment that make sense on one machine: those of
//! `infra/cdk/stacks/alarms.py` with the same names and thresholds, as far as their metrics are
//! measured here.

use std::time::Duration;

use emulator::definition::Alarm;
use emulator::measured::{Metric, Statistic};
use lambda::Names;

use crate::functions::Role;

const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// The largest lag of rows and messages behind the events, in milliseconds.
const BEHIND_MS: u32 = 5 * 60 * 1_000;

/// Returns every alarm. `queue` is the name of the queue of dead letters.
pub(crate) fn of(names: &Names, queue: &str) -> Vec<Alarm> {
    let all = business(names).into_iter().chain(projections(names));
    let all = all.chain([Role::Project, Role::Notify].map(|role| behind(names, role)));
    all.chain([dead_letters(names, queue)]).collect()
}

/// Returns an alarm that rings at the first value in a minute.
fn alarm(names: &Names, name: &str, description: &str, metric: Metric) -> Alarm {
    Alarm {
        name: names.of(name),
        description: description.to_owned(),
        metric,
        statistic: Statistic::Sum,
        period: MINUTE,
        periods: 1,
        threshold: 1,
        above: false,
        topic: Some(names.alerts()),
    }
}

fn own_metric(names: &Names, namespace: &str, name: &str) -> Metric {
    Metric::new(namespace, name, &[("Environment", names.environment())])
}

fn business(names: &Names) -> [Alarm; 3] {
    let orders = "DeliveryApp/OrderProcessing";
    let refused = |name: &str, what: &str, metric: Metric| {
        let description =
            format!("{what}: in five minutes, ten minutes long, more than ten were refused.");
        Alarm {
            period: FIVE_MINUTES,
            periods: 2,
            threshold: 10,
            above: true,
            ..alarm(names, name, &description, metric)
        }
    };
    let description = "An order or a command to one could not be carried out at all.";
    [
        refused(
            "order-errors",
            "Orders",
            own_metric(names, orders, "OrderProcessingErrors"),
        ),
        refused(
            "shipment-errors",
            "Shipments",
            own_metric(names, "LogisticsProcessing", "ProcessingErrors"),
        ),
        alarm(
            names,
            "failures",
            description,
            own_metric(names, orders, "ProcessingFailures"),
        ),
    ]
}

fn projections(names: &Names) -> [Alarm; 2] {
    let parked = "An order or shipment was parked: `waybill parked` says which and why.";
    let tampered = "A stored event was changed or removed, which nothing here ever does.";
    let metric = |name| own_metric(names, "Waybill", name);
    [
        alarm(names, "parking", parked, metric("AggregatesParked")),
        alarm(names, "tampered", tampered, metric("CommitsTampered")),
    ]
}

fn behind(names: &Names, role: Role) -> Alarm {
    let (name, function) = (role.name(), names.of(role.name()));
    let description = format!("{name} is more than five minutes behind the events.");
    let metric = Metric::new("AWS/Lambda", "IteratorAge", &[("FunctionName", &function)]);
    Alarm {
        statistic: Statistic::Maximum,
        periods: 5,
        threshold: BEHIND_MS,
        above: true,
        ..alarm(names, &format!("{name}-behind"), &description, metric)
    }
}

fn dead_letters(names: &Names, queue: &str) -> Alarm {
    let description = "There are dead letters: `waybill retry` takes them up again.";
    let visible = "ApproximateNumberOfMessagesVisible";
    let metric = Metric::new("AWS/SQS", visible, &[("QueueName", queue)]);
    Alarm {
        statistic: Statistic::Maximum,
        period: FIVE_MINUTES,
        ..alarm(names, "dead-letters", description, metric)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The provisioning names them all, and says the same of each.
    #[test]
    fn they_are_alarms_of_the_provisioning() {
        let provisioned = include_str!("../../cdk/stacks/alarms.py");
        let names = Names::new("dev").unwrap();
        for alarm in of(&names, "waybill-dev-dead-letters") {
            let name = alarm.name.strip_prefix("waybill-dev-").unwrap();
            let role = name.strip_suffix("-behind");
            let named = match role {
                Some(_) => "f\"{role}-behind\"".to_owned(),
                None => format!("\"{name}\""),
            };
            assert!(provisioned.contains(&named), "{name}");
            assert!(
                provisioned.contains(&format!("\"{}\"", alarm.metric.name)),
                "{name}"
            );
        }
    }
}
