//! The read models of an environment, each generation of them, and how the hourly sweep left them.

use domain::Timestamp;
use lambda::{ReadModel, metrics::Swept};
use serde::Serialize;
use serde_json::Value;

use crate::{
    cost::{Size, size},
    environment::Environment,
    error::OperatorError,
};

/// A read model's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadModelTable {
    /// Which.
    pub model: ReadModel,
    /// Is it the one of its kind that is read? Else it is projected beside that.
    pub is_read: bool,
    /// The table's whole name.
    pub table: String,
    /// How large it is, as DynamoDB counts it: on AWS some hours late.
    pub size: Size,
}

/// Every read model that is projected.
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

/// The last sweep of which these lines of metrics tell, in CloudWatch's embedded format, oldest
/// first: when it ended, and what it did.
pub fn last_sweep(lines: &[Value]) -> Option<(Timestamp, Swept)> {
    let sweep = |line: &Value| {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let at = line.pointer("/_aws/Timestamp").and_then(Value::as_i64)?;
        let swept = Swept {
            aggregates: number("SweptAggregates")?,
            mended: number("SweepMended")?,
            unreadable: number("SweepUnreadable")?,
            unfinished: number("SweepUnfinished")? > 0,
            parked: number("ParkedAggregates"),
        };
        Some((Timestamp::from_millis(at)?, swept))
    };
    lines.iter().rev().find_map(sweep)
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
}
