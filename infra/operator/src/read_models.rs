//! The read models of an environment in all their generations, and the result of the last hourly
//! sweep.

use std::collections::BTreeMap;

use domain::Timestamp;
use lambda::{ReadModel, metrics::Swept};
use serde::Serialize;
use serde_json::Value;

use crate::{
    cost::{Size, size},
    dead_letters::Consumer,
    environment::Environment,
    error::OperatorError,
    limits::{ACTIVITY_LAG_MINUTES, LOOKBACK_MINUTES},
    metrics::{MINUTE_SECONDS, MetricRequest, PROJECTIONS, Points, Window, points},
};

/// The table of a read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadModelTable {
    /// The read model.
    pub model: ReadModel,
    /// Whether queries read this generation. Otherwise it is projected in addition to the one that
    /// they read.
    pub is_read: bool,
    /// The table's full name.
    pub table: String,
    /// The table's size as DynamoDB counts it; on AWS it is some hours old.
    pub size: Size,
}

/// Lists every read model that is projected.
pub async fn read_models(environment: &Environment) -> Result<Vec<ReadModelTable>, OperatorError> {
    let models = &environment.settings.read_models;
    let mut tables = Vec::new();
    for &model in models.all() {
        let table = environment.names.of(&model.to_string());
        tables.push(ReadModelTable {
            model,
            is_read: models.read(model.kind) == model,
            size: size(environment, &table).await?,
            table,
        });
    }
    Ok(tables)
}

/// Finds the last sweep in lines of metrics, which are in CloudWatch's embedded metric format, the
/// oldest first. Returns the time at which it ended and its result.
pub fn last_sweep(lines: &[Value]) -> Option<(Timestamp, Swept)> {
    let sweep = |line: &Value| {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let at = line.pointer("/_aws/Timestamp").and_then(Value::as_i64)?;
        let swept = Swept {
            aggregates: number(SWEPT_AGGREGATES)?,
            mended: number("SweepMended")?,
            unreadable: number("SweepUnreadable")?,
            unfinished: number("SweepUnfinished")? > 0,
            parked: number("ParkedAggregates"),
        };
        Some((Timestamp::from_millis(at)?, swept))
    };
    lines.iter().rev().find_map(sweep)
}

/// The metrics of the read models in the last day, from CloudWatch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The age, in milliseconds, of the oldest event that each consumer of the stream was given in
    /// the last minutes, by the consumer's name; `None` where it was given none.
    pub behind: BTreeMap<String, Option<u64>>,
    /// The last sweep: the minute in which it ended, and its result.
    #[serde(skip)]
    pub sweep: Option<(Timestamp, Swept)>,
    /// The rebuilds by the deployed state machine.
    pub rebuilds: DeployedRebuilds,
}

/// The number of rebuilds by the deployed state machine in the last day, as CloudWatch has counted
/// them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedRebuilds {
    /// The number of rebuilds that were started.
    pub started: u64,
    /// The number of rebuilds that have succeeded.
    pub succeeded: u64,
    /// The number of rebuilds that have failed, timed out, or were stopped.
    pub failed: u64,
}

impl DeployedRebuilds {
    /// The number of rebuilds that are still running, as far as the last day shows.
    pub fn under_way(&self) -> u64 {
        self.started.saturating_sub(self.succeeded + self.failed)
    }
}

/// The metrics that count the executions of a state machine, at their begin and at their end, each
/// with the id of its request.
const EXECUTIONS: [(&str, &str); 5] = [
    ("started", "ExecutionsStarted"),
    ("succeeded", "ExecutionsSucceeded"),
    ("failed", "ExecutionsFailed"),
    ("timedOut", "ExecutionsTimedOut"),
    ("aborted", "ExecutionsAborted"),
];

/// The name of a member that only those lines of metrics have that are about a sweep.
pub const SWEPT_AGGREGATES: &str = "SweptAggregates";

const SWEPT: [&str; 5] = [
    SWEPT_AGGREGATES,
    "SweepMended",
    "SweepUnreadable",
    "SweepUnfinished",
    "ParkedAggregates",
];

/// Reads the metrics of the read models: one call of `cloudwatch:GetMetricData`.
pub async fn measured(environment: &Environment) -> Result<Measured, OperatorError> {
    let window = Window::of_last(environment, LOOKBACK_MINUTES);
    let behind =
        Consumer::ALL.map(|consumer| MetricRequest::iterator_age(environment, consumer.name()));
    let swept = SWEPT.map(|name| {
        let id = name.to_ascii_lowercase();
        MetricRequest::sum(environment, id, PROJECTIONS, name, &[])
    });
    let machine = machine(environment);
    let executions = EXECUTIONS.map(|(id, name)| MetricRequest {
        id: id.to_owned(),
        namespace: "AWS/States",
        name,
        dimensions: vec![("StateMachineArn", machine.clone())],
        statistic: "Sum",
    });
    let asked = behind.into_iter().chain(swept).chain(executions).collect();
    let found = points(environment, asked, window, 60).await?;
    Ok(of_points(&found, window.end))
}

/// The ARN of the state machine that rebuilds, in the region and account of the topic for alerts.
fn machine(environment: &Environment) -> String {
    let topic: Vec<&str> = environment.settings.alerts_arn.split(':').collect();
    let part = |place: usize| topic.get(place).copied().unwrap_or_default();
    let (partition, region, account) = (part(1), part(3), part(4));
    let name = environment.names.of("rebuild");
    format!("arn:{partition}:states:{region}:{account}:stateMachine:{name}")
}

fn of_points(found: &Points, end: i64) -> Measured {
    let lately = end - ACTIVITY_LAG_MINUTES as i64 * MINUTE_SECONDS;
    let behind = Consumer::ALL.map(|consumer| {
        let points = found.of(consumer.name()).iter();
        let lately = points.filter(|(at, _)| *at >= lately);
        let most = lately.map(|(_, value)| *value).max();
        (consumer.name().to_owned(), most)
    });
    let last = found.of("sweptaggregates").last().copied();
    let sweep = last.and_then(|(at, aggregates)| {
        let then = |id: &str| {
            let mut points = found.of(id).iter();
            points.find(|(other, _)| *other == at).map(|(_, it)| *it)
        };
        let swept = Swept {
            aggregates,
            mended: then("sweepmended").unwrap_or_default(),
            unreadable: then("sweepunreadable").unwrap_or_default(),
            unfinished: then("sweepunfinished").is_some_and(|it| it > 0),
            parked: then("parkedaggregates"),
        };
        Some((Timestamp::from_millis(at * 1_000)?, swept))
    });
    let total = |id: &str| found.total(id);
    Measured {
        behind: behind.into(),
        sweep,
        rebuilds: DeployedRebuilds {
            started: total("started"),
            succeeded: total("succeeded"),
            failed: total("failed") + total("timedOut") + total("aborted"),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use lambda::metrics::{LatestLines, Metrics, Orders};

    use super::*;

    #[test]
    fn the_last_sweep_is_read_as_it_was_written() {
        let kept = Arc::new(LatestLines::new(10));
        let metrics = Metrics::new("dev", kept.clone());
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let lines = || -> Vec<Value> {
            let lines = kept.all();
            lines
                .iter()
                .map(|it| serde_json::from_str(it).unwrap())
                .collect()
        };
        metrics.orders(at(1), Orders::default());
        assert_eq!(last_sweep(&lines()), None);
        let swept = |mended| Swept {
            aggregates: 7,
            mended,
            unreadable: 1,
            unfinished: true,
            parked: Some(2),
        };
        metrics.swept(at(2), &swept(3));
        metrics.swept(at(5), &swept(4));
        assert_eq!(last_sweep(&lines()), Some((at(5), swept(4))));
    }

    #[test]
    fn what_cloudwatch_has_counted_is_the_last_sweep_and_what_is_under_way() {
        let found = Points::from_pairs(&[
            ("project", &[(0, 90_000), (840, 1_500), (900, 700)]),
            ("sweptaggregates", &[(60, 5), (660, 7)]),
            ("sweepmended", &[(60, 3), (660, 1)]),
            ("sweepunfinished", &[(60, 1), (660, 0)]),
            ("started", &[(60, 2), (120, 1)]),
            ("succeeded", &[(180, 1)]),
            ("aborted", &[(240, 1)]),
        ]);
        let measured = of_points(&found, 960);
        assert_eq!(measured.behind["project"], Some(1_500));
        assert_eq!(measured.behind["notify"], None);
        let (at, swept) = measured.sweep.unwrap();
        assert_eq!(at.millis(), 660_000);
        assert_eq!(
            (swept.aggregates, swept.mended, swept.unfinished),
            (7, 1, false)
        );
        assert_eq!(swept.parked, None);
        assert_eq!(
            (measured.rebuilds.failed, measured.rebuilds.under_way()),
            (1, 1)
        );
        assert_eq!(of_points(&Points::default(), 960).sweep, None);
    }
}
