//! The costs of a run of the watcher, as DynamoDB reports them, which do not grow with the number
//! of shipments: `make bench-watch`.

// Units are multiples of 0.5, and hours need not be whole.
#![allow(clippy::float_arithmetic)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef},
    },
    error::BoxError,
    operation::query::{QueryInput, QueryOutput},
    types::{PutRequest, ReturnConsumedCapacity, WriteRequest},
};
use domain::{Shipment, Timestamp, shipment::Status};
use futures::{StreamExt, stream};
use lambda::Invocation;
use projectors::{Environment, Role, aws::DynamoDbRows, row::to_item, shipment_log};
use support::embedded::Embedded;

use crate::{World, watch::SetClock};

/// The number of shipments that the watcher must find, among all others.
const SILENT: usize = 100;

/// The number of shards of an environment that is made for the peak load.
const SHARDS: &str = "4";

/// The rows of one `BatchWriteItem`: the most that DynamoDB accepts.
const ROWS_PER_WRITE: usize = 25;

/// The number of writes at the same time.
const WRITES_AT_ONCE: usize = 16;

/// Counts the queries of a client and the read units that DynamoDB reports.
#[derive(Debug, Clone, Default)]
struct Counted {
    queries: Arc<AtomicU64>,
    units: Arc<Mutex<f64>>,
}

impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(query) = context.input_mut().downcast_mut::<QueryInput>() {
            query.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let output = context.output_or_error().and_then(Result::ok);
        if let Some(query) = output.and_then(|output| output.downcast_ref::<QueryOutput>()) {
            let consumed = query.consumed_capacity.as_ref().unwrap();
            self.queries.fetch_add(1, Ordering::Relaxed);
            *self.units.lock().unwrap() += consumed.capacity_units.unwrap();
        }
        Ok(())
    }
}

fn at(hours: f64) -> Timestamp {
    let begin: Timestamp = "2024-01-15T12:00:00Z".parse().unwrap();
    Timestamp::from_millis(begin.millis() + (hours * 3_600_000.0) as i64).unwrap()
}

/// Returns the row `CURRENT` of a shipment whose last update arrived at this time.
fn row(
    number: usize,
    last_update_at: Timestamp,
    environment: &Environment,
) -> projectors::ports::Row {
    let status = Status::EXPECTING_UPDATES[number % Status::EXPECTING_UPDATES.len()];
    let mut shipment = Shipment {
        last_update_at: Some(last_update_at),
        updates: 1,
        ..Shipment::default()
    };
    shipment.current = Some(domain::shipment::Current {
        shipment_id: format!("1Z999AA1{number:010}").parse().unwrap(),
        status: status.to_owned().try_into().unwrap(),
        timestamp: last_update_at,
        location: Some("Memphis, TN".to_owned()),
        stall: None,
    });
    shipment_log::current(&shipment, 1, environment).unwrap()
}

/// Puts rows directly into the table, which no function may do.
async fn load(client: &Client, table: &str, rows: impl Iterator<Item = projectors::ports::Row>) {
    let put = |row| {
        let put = PutRequest::builder().set_item(Some(to_item(row)));
        let put = put.build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let mut requests = rows.map(put);
    let batches = std::iter::from_fn(|| {
        let batch: Vec<WriteRequest> = requests.by_ref().take(ROWS_PER_WRITE).collect();
        (!batch.is_empty()).then_some(batch)
    });
    let writes = stream::iter(batches).map(|batch| async move {
        let written = client.batch_write_item().request_items(table, batch);
        let left = written.send().await.unwrap().unprocessed_items;
        assert!(left.is_none_or(|left| left.is_empty()));
    });
    writes.buffer_unordered(WRITES_AT_ONCE).count().await;
}

/// Returns the queries and the read units of one run among this many shipments.
async fn cost(shipments: usize) -> (u64, f64) {
    let embedded = Embedded::with(SHARDS.parse().unwrap()).await;
    let mut world = World::new();
    let environment = Environment {
        shards: SHARDS.parse().unwrap(),
        ..Environment::of_one_shard("test")
    };
    // Only the first hundred had no update for longer than their status allows. The last update of
    // each other one arrived within the last hour, each at a different time.
    let rows = (0..shipments).map(|number| match number < SILENT {
        true => row(number, at(number as f64 / 1_000.0), &environment),
        false => row(
            number,
            at(999.0 + number as f64 / shipments as f64),
            &environment,
        ),
    });
    let started = std::time::Instant::now();
    let table = embedded.names.shipment_log();
    load(&embedded.client(), &table, rows).await;
    let loaded = started.elapsed();
    let counted = Counted::default();
    let config = aws_sdk_dynamodb::config::Builder::from(&embedded.config);
    let client = Client::from_conf(config.interceptor(counted.clone()).build());
    world.projectors.rows = Arc::new(DynamoDbRows::new(client, &embedded.names));
    world.projectors.environment = environment;
    world.projectors.clock = Arc::new(SetClock(AtomicI64::new(at(1_000.0).millis())));
    let payload = serde_json::value::to_raw_value(&serde_json::json!({})).unwrap();
    let started = std::time::Instant::now();
    let invocation = Invocation::of("request");
    let found = world.projectors.handle(Role::Watch, payload, &invocation);
    let found = found.await.unwrap();
    assert_eq!(found, serde_json::json!({ "silent": SILENT, "all": true }));
    assert_eq!(world.bus.accepted().len(), SILENT);
    let (queries, units) = (
        counted.queries.load(Ordering::Relaxed),
        *counted.units.lock().unwrap(),
    );
    println!(
        "{shipments} shipments, {SILENT} silent: {queries} queries, {units} read units, {:?} (loaded \
         in {loaded:?})",
        started.elapsed()
    );
    (queries, units)
}

#[tokio::test]
#[ignore = "it loads a million rows: make bench-watch"]
async fn a_run_costs_the_same_among_ten_thousand_shipments_and_a_million() {
    let most = std::env::var("SHIPMENTS").map_or(1_000_000, |number| number.parse().unwrap());
    let partitions = 8 * 4;
    let few = cost(10_000).await;
    // One page of each status and shard, which holds the shipments to find.
    assert_eq!(few.0, partitions);
    assert!(few.1 <= 2.5 * partitions as f64, "{} read units", few.1);
    let many = cost(most).await;
    assert_eq!(many, few);
}
