//! Carriers' webhooks: which providers' webhooks are accepted, and how many ended in which way.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::LOOKBACK_MINUTES,
    metrics::{MetricRequest, Points, SHIPMENTS, Window, points},
};

/// The providers whose webhooks Waybill reads, as their addresses name them: `POST
/// /carriers/<provider>`.
pub const PROVIDERS: [&str; 6] = [
    "easypost",
    "aftership",
    "shipengine",
    "shippo",
    "17track",
    "sendcloud",
];

/// The name of the member, in a line of metrics, that names a webhook's provider.
pub const PROVIDER: &str = "Provider";

/// Whether the environment has the secret with which a provider signs its webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Secret {
    /// The secret is set: webhooks are accepted.
    Set,
    /// The secret is not set: the provider's address answers 404.
    NotSet,
    /// The address answered with this other HTTP status, so it is not known.
    Unknown(u16),
}

impl Secret {
    /// The state that follows from the HTTP status with which the address answers a webhook without
    /// a signature.
    pub fn by_status(status: u16) -> Self {
        match status {
            401 => Self::Set,
            404 => Self::NotSet,
            other => Self::Unknown(other),
        }
    }
}

/// Finds out for each provider whether its secret is set, from the answer to a webhook without a
/// signature. The environment stores nothing of such a webhook and counts it as refused. `post`
/// sends an empty JSON object to a path of the HTTP API without credentials and returns the HTTP
/// status. The first error of `post` ends this.
pub async fn secrets<Failure, Posted>(
    post: impl Fn(String) -> Posted,
) -> Result<BTreeMap<&'static str, Secret>, Failure>
where
    Posted: Future<Output = Result<u16, Failure>>,
{
    let mut secrets = BTreeMap::new();
    for name in PROVIDERS {
        let status = post(format!("/carriers/{name}")).await?;
        secrets.insert(name, Secret::by_status(status));
    }
    Ok(secrets)
}

/// Every outcome of a webhook, as the metric's dimension `Outcome` names them.
pub const OUTCOMES: [&str; 8] = [
    "known",
    "logged",
    "no_secret",
    "nothing",
    "refused",
    "too_large",
    "unavailable",
    "unreadable",
];

/// The webhooks of each provider that CloudWatch has counted in the last day: one call of
/// `cloudwatch:GetMetricData`. A provider without webhooks is left out.
pub async fn measured(
    environment: &Environment,
) -> Result<BTreeMap<String, Webhooks>, OperatorError> {
    let window = Window::of_last(environment, LOOKBACK_MINUTES);
    let mut asked = Vec::new();
    for provider in PROVIDERS {
        let of_it = (PROVIDER, provider);
        for outcome in OUTCOMES {
            let more = [of_it, ("Outcome", outcome)];
            let id = id(provider, outcome);
            asked.push(MetricRequest::sum(
                environment,
                id,
                SHIPMENTS,
                "CarrierWebhooks",
                &more,
            ));
        }
        let id = id(provider, UNMAPPED);
        let name = "UnmappedCarrierStatus";
        asked.push(MetricRequest::sum(
            environment,
            id,
            SHIPMENTS,
            name,
            &[of_it],
        ));
    }
    let found = points(environment, asked, window, HOUR_SECONDS).await?;
    Ok(of_points(&found))
}

const HOUR_SECONDS: i32 = 60 * 60;
const UNMAPPED: &str = "unmapped";

/// The id of a metric in the query. A provider's name may begin with a digit, an id may not.
fn id(provider: &str, what: &str) -> String {
    format!("of_{provider}_{what}")
}

fn of_points(found: &Points) -> BTreeMap<String, Webhooks> {
    let of = |provider: &'static str| {
        let ended =
            OUTCOMES.map(|outcome| (outcome.to_owned(), found.total(&id(provider, outcome))));
        let webhooks = Webhooks {
            outcomes: ended.into_iter().filter(|(_, count)| *count > 0).collect(),
            unmapped: found.total(&id(provider, UNMAPPED)),
        };
        (provider.to_owned(), webhooks)
    };
    let all = PROVIDERS.into_iter().map(of);
    all.filter(|(_, webhooks)| *webhooks != Webhooks::default())
        .collect()
}

/// The number of a provider's webhooks by their outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhooks {
    /// The number of webhooks by their outcome, such as `logged` or `refused`.
    pub outcomes: BTreeMap<String, u64>,
    /// The number of scans whose status code is not in Waybill's table for the provider.
    pub unmapped: u64,
}

impl Webhooks {
    /// The number of all webhooks.
    pub fn came(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// The number of webhooks with this outcome.
    pub fn ended(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or_default()
    }
}

/// Counts each provider's webhooks in lines of metrics, which are in CloudWatch's embedded metric
/// format.
pub fn counted(lines: &[Value]) -> BTreeMap<String, Webhooks> {
    let mut all: BTreeMap<String, Webhooks> = BTreeMap::new();
    for line in lines {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let Some(provider) = text(PROVIDER) else {
            continue;
        };
        let webhooks = all.entry(provider.to_owned()).or_default();
        if let (Some(outcome), Some(count)) = (text("Outcome"), number("CarrierWebhooks")) {
            *webhooks.outcomes.entry(outcome.to_owned()).or_default() += count;
        }
        webhooks.unmapped += number("UnmappedCarrierStatus").unwrap_or_default();
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use domain::Timestamp;
    use lambda::metrics::{CarrierWebhook, LatestLines, Metrics, Orders};

    use super::*;

    #[test]
    fn webhooks_are_counted_as_they_were_told() {
        let kept = Arc::new(LatestLines::new(10));
        let (metrics, now) = (Metrics::new("dev", kept.clone()), Timestamp::EPOCH);
        metrics.orders(now, Orders::default());
        for outcome in ["logged", "refused", "logged"] {
            let provider = "shippo";
            metrics.carrier_webhook(now, CarrierWebhook { provider, outcome });
        }
        metrics.unmapped_carrier_statuses(now, "17track", 3);
        let lines = kept.all();
        let lines: Vec<Value> = lines
            .iter()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        let counted = counted(&lines);
        assert_eq!(counted.len(), 2);
        let shippo = &counted["shippo"];
        let numbers = (
            shippo.came(),
            shippo.ended("logged"),
            shippo.ended("refused"),
        );
        assert_eq!(numbers, (3, 2, 1));
        assert_eq!(
            (counted["17track"].came(), counted["17track"].unmapped),
            (0, 3)
        );
    }

    #[test]
    fn what_cloudwatch_has_counted_is_summed_by_provider() {
        let found = Points::from_pairs(&[
            ("of_17track_logged", &[(0, 2), (3_600, 3)]),
            ("of_17track_refused", &[(0, 1)]),
            ("of_17track_unmapped", &[(0, 4)]),
            ("of_shippo_logged", &[]),
        ]);
        let counted = of_points(&found);
        assert_eq!(counted.keys().collect::<Vec<_>>(), ["17track"]);
        let track = &counted["17track"];
        assert_eq!(
            (track.came(), track.ended("logged"), track.unmapped),
            (6, 5, 4)
        );
    }

    #[test]
    fn an_address_tells_by_its_answer_whether_a_secret_is_set() {
        let secrets = [401, 404, 503].map(Secret::by_status);
        assert_eq!(secrets, [Secret::Set, Secret::NotSet, Secret::Unknown(503)]);
    }
}
