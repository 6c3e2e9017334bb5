//! The real AWS SDK clients with Waybill's settings, over a proxy (the wire) that throttles,
//! answers errors, breaks connections and withholds answers. These tests check what the SDK
//! retries, what Waybill retries, and that the invariants hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod http;
mod measured;
mod messages;
mod proxy;
mod services;
mod storm;
mod unavailable;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_config::{Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use commands::{
    Commands,
    execute::{Envelope, Failure, Outcome, execute},
};
use domain::{AggregateId, Order, Shipment, Timestamp, order, shipment};
use event_store::{Clock, Commit, EventStore, SystemClock, commit::Item};
use lambda::{Invocation, Settings, sdk};
use projectors::{Projectors, Role};
use proxy::Proxy;
use services::Services;
use support::embedded::Embedded;

/// The time-out of one attempt of an SDK call in tests that withhold answers. The embedded DynamoDB
/// answers within it.
const SHORT: Duration = Duration::from_millis(400);

static NEXT: AtomicU32 = AtomicU32::new(1);

/// Both executables as they start on AWS, with a proxy of their own before all services.
struct World {
    embedded: Arc<Embedded>,
    proxy: Proxy,
    commands: Commands,
    projectors: Projectors,
}

impl World {
    async fn new() -> Self {
        Self::on(Arc::new(Embedded::start().await), sdk::ATTEMPT_TIMEOUT).await
    }

    /// Returns a world on this DynamoDB, with this time-out of an attempt. Several worlds may share
    /// a DynamoDB, where each has orders of its own.
    async fn on(embedded: Arc<Embedded>, attempt: Duration) -> Self {
        let dynamodb = embedded.config.endpoint_url().unwrap();
        let dynamodb = dynamodb.trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::start(Services::new(dynamodb)).await;
        let config = config(&embedded.config, &proxy, attempt);
        let settings = Settings {
            rebuild: lambda::settings::RebuildSettings::default(),
            carrier_references: Vec::new(),
            stalled_after: lambda::StalledAfter::default(),
            read_models: lambda::ReadModels::default(),
            names: embedded.names.clone(),
            alerts_arn: "arn:aws:sns:us-east-1:000000000000:waybill-test-alerts".to_owned(),
            dead_letters_url: format!("http://{}/queue", proxy.address),
            bucket: embedded.names.orders_bucket("000000000000"),
            shards: lambda::Shards::ONE,
        };
        let clock: Arc<dyn Clock> = Arc::new(InstantClock);
        Self {
            commands: Commands {
                clock: clock.clone(),
                ..Commands::new(&config, &settings)
            },
            projectors: Projectors {
                clock,
                ..Projectors::new(&config, &settings)
            },
            proxy,
            embedded,
        }
    }

    /// Returns the store without the proxy.
    fn direct_store(&self) -> EventStore {
        EventStore::new(self.embedded.events())
    }

    /// Returns the history of the order and of the shipment with this id, without the proxy.
    async fn history(&self, id: &str) -> Vec<Commit> {
        let store = self.direct_store();
        let mut history = Vec::new();
        for aggregate in [format!("order#{id}"), format!("shipment#{id}")] {
            let aggregate: AggregateId = aggregate.parse().unwrap();
            history.extend(store.whole_history(&aggregate).await.unwrap());
        }
        history
    }

    /// Returns the parked rows, without the proxy.
    async fn parked(&self) -> Vec<Item> {
        self.items(self.embedded.names.parked()).await
    }

    /// Returns all items of a small table, without the proxy.
    async fn items(&self, table: String) -> Vec<Item> {
        let scan = self.embedded.client().scan().table_name(table);
        scan.send().await.unwrap().items.unwrap_or_default()
    }

    /// Delivers a batch. Returns the number of the record from which it must be delivered again.
    async fn delivered(&self, role: Role, batch: lambda::Payload) -> Option<String> {
        let answer = self
            .projectors
            .handle(role, batch, &Invocation::of("request"))
            .await;
        let answer = answer.unwrap();
        let number = &answer["batchItemFailures"][0]["itemIdentifier"];
        number.as_str().map(str::to_owned)
    }

    async fn order(&self, command: Envelope<order::Intent>) -> Result<Outcome, Failure> {
        execute::<Order>(&self.commands.store, &InstantClock, command).await
    }

    async fn shipment(&self, command: Envelope<shipment::Intent>) -> Result<Outcome, Failure> {
        execute::<Shipment>(&self.commands.store, &InstantClock, command).await
    }
}

/// Returns the outcome of a command, or `None` where it was unavailable. A faulty wire may cause no
/// other failure.
fn succeeded(outcome: Result<Outcome, Failure>) -> Option<Outcome> {
    match outcome {
        Ok(outcome) => Some(outcome),
        Err(Failure::Unavailable(_)) => None,
        Err(other) => panic!("a faulty wire caused {other:?}"),
    }
}

/// Returns Waybill's own settings of the SDK, with a short backoff. The SDK has one quota of
/// retries for each service and region in the whole process, so each world gets a region of its
/// own, with a full quota.
fn config(base: &SdkConfig, proxy: &Proxy, attempt: Duration) -> SdkConfig {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let retries = RetryConfig::standard().with_max_attempts(sdk::SDK_ATTEMPTS);
    base.to_builder()
        .endpoint_url(format!("http://{}", proxy.address))
        .region(Region::new(format!("wire-{number}")))
        .retry_config(retries.with_initial_backoff(Duration::from_millis(1)))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(sdk::CONNECT_TIMEOUT)
                .operation_attempt_timeout(attempt)
                .operation_timeout(sdk::CALL_TIMEOUT)
                .build(),
        )
        .build()
}

/// The system's clock, whose sleeps take no time.
struct InstantClock;

#[async_trait]
impl Clock for InstantClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn sleep(&self, _duration: Duration) {
        tokio::task::yield_now().await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}
