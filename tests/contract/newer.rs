//! Older code reads an event that newer code has written, as it does during a deployment or after a
//! rollback. That passes with time, so the older code must not reject anything for good.

use std::sync::Arc;

use commands::{Commands, Role as CommandRole, execute::execute};
use domain::{AggregateId, EventSourced, Order, Shipment, event::EncodedEvent};
use event_store::{Commit, EventStore, StoreError, SystemClock, memory::MemoryTable};
use lambda::{Invocation, Payload};
use projectors::{Environment, Projectors, Role, ports::Table};
use serde_json::{Value, json, value::to_raw_value};
use support::{
    envelopes::{placing, update},
    files::MemoryFiles,
    operator::{MemoryOperator, OperatorMessages},
    outbox::Outbox,
    rows::MemoryRows,
    stream::batch_of_items,
    unread_metrics,
};

/// Changes that turn an event of this code into one of newer code.
const NEWER: [fn(&mut EncodedEvent); 2] = [
    |event| event.version = 99,
    |event| event.kind = "Exploded".to_owned(),
];

struct World {
    table: Arc<MemoryTable>,
    operator: Arc<MemoryOperator>,
    rows: Arc<MemoryRows>,
    commands: Commands,
    projectors: Projectors,
}

impl World {
    /// Returns a world with an order and a shipment `1`, each with one commit of newer code.
    async fn new(newer: fn(&mut EncodedEvent)) -> Self {
        let table = Arc::new(MemoryTable::default());
        let operator = Arc::new(MemoryOperator::default());
        let rows = Arc::new(MemoryRows::default());
        let store = EventStore::new(table.clone());
        let world = Self {
            commands: Commands {
                store: store.clone(),
                clock: Arc::new(SystemClock),
                operator: operator.clone(),
                carriers: commands::carriers::Carriers::none(),
                files: Arc::new(MemoryFiles::default()),
                metrics: unread_metrics(),
                environment: "test".to_owned(),
            },
            projectors: Projectors {
                store: store.clone(),
                rows: rows.clone(),
                bus: Arc::new(Outbox::default()),
                topic: Arc::new(Outbox::default()),
                metrics: unread_metrics(),
                clock: Arc::new(SystemClock),
                environment: Environment::of_one_shard("test"),
                stalled_after: lambda::StalledAfter::default(),
                rebuilds: support::ledger::rebuilds(),
                additional: Vec::new(),
            },
            table,
            operator,
            rows,
        };
        let (placed, updated) = (placing("1", "c-1"), update("1", "c-1", "x", None));
        execute::<Order>(&store, &SystemClock, placed)
            .await
            .unwrap();
        execute::<Shipment>(&store, &SystemClock, updated)
            .await
            .unwrap();
        world.rewrite(newer);
        world
    }

    fn rewrite(&self, change: fn(&mut EncodedEvent)) {
        for item in self.table.all() {
            let mut commit = Commit::from_item(item).unwrap();
            change(&mut commit.events[0]);
            // Newer code has another schema of the state in snapshots, too.
            if let Some(snapshot) = &mut commit.snapshot {
                snapshot.schema.push_str("99");
            }
            self.table.overwrite(commit.to_item().unwrap()).unwrap();
        }
    }

    async fn command(&self, role: CommandRole, payload: Value) -> lambda::Answer {
        let payload: Payload = to_raw_value(&payload).unwrap();
        let invocation = Invocation::of("request").by_gateway();
        self.commands.handle(role, payload, &invocation).await
    }

    async fn query(&self, path: &str, at: Value) -> Value {
        let mut request = request("GET", path, Value::Null);
        request["queryStringParameters"] = at;
        let payload = to_raw_value(&request).unwrap();
        let invocation = Invocation::of("request");
        let answer = self.projectors.handle(Role::Query, payload, &invocation);
        answer.await.unwrap()
    }
}

fn request(method: &str, path: &str, body: Value) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "headers": { "idempotency-key": "key-1" },
        "requestContext": { "http": { "method": method, "path": path }, "requestId": "request-1" },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
}

fn assert_unavailable(answer: &Value) {
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert_eq!(answer["headers"]["retry-after"], "1", "{answer}");
    assert!(
        !answer["body"].as_str().unwrap().contains("newer"),
        "{answer}"
    );
}

fn newer<A: EventSourced>(loaded: Result<event_store::Loaded<A>, StoreError>) -> bool {
    matches!(loaded, Err(StoreError::Newer { sequence: 1, .. }))
}

#[tokio::test]
async fn the_store_tells_it_from_damage() {
    for change in NEWER {
        let world = World::new(change).await;
        let store = &world.commands.store;
        let [order, shipment] =
            ["order#1", "shipment#1"].map(|id| id.parse::<AggregateId>().unwrap());
        assert!(newer(store.load::<Order>(&order).await));
        assert!(newer(store.load::<Shipment>(&shipment).await));
    }
}

#[tokio::test]
async fn http_answers_503() {
    for change in NEWER {
        let world = World::new(change).await;
        let order =
            json!({ "orderId": "1", "items": [{ "name": "L", "quantity": 1, "price": 1 }] });
        for (path, body) in [
            ("/orders", order),
            ("/orders/1/complete", json!({})),
            ("/orders/1/cancel", json!({})),
            ("/shipments/1/updates", json!({ "status": "DELIVERED" })),
        ] {
            let request = request("POST", path, body);
            assert_unavailable(&world.command(CommandRole::Api, request).await.unwrap());
        }
        let now = || json!({ "at": "2100-01-01T00:00:00Z" });
        for path in ["/orders/1", "/shipments/1", "/shipments/1/log"] {
            assert_unavailable(&world.query(path, now()).await);
        }
        assert_eq!(world.operator.messages(), OperatorMessages::default());
    }
}

#[tokio::test]
async fn an_event_of_the_bus_fails_and_is_delivered_again() {
    let event = |source: &str, detail_type: &str, detail: Value| json!({ "id": "event-1", "source": source, "detail-type": detail_type, "detail": detail });
    let shipped = json!({ "shipmentId": "1", "status": "DELIVERED" });
    let events = [
        event("logistics.shipments", "Shipment Update", shipped),
        event(
            "orders.commands",
            "Complete Order",
            json!({ "orderId": "1" }),
        ),
        event("waybill.orders", "Order Created", json!({ "orderId": "1" })),
    ];
    for change in NEWER {
        let world = World::new(change).await;
        for event in &events {
            let handled = world.command(CommandRole::Bus, event.clone()).await;
            assert!(handled.is_err(), "{event}");
        }
        assert_eq!(
            world.operator.messages(),
            OperatorMessages::default(),
            "nothing is rejected"
        );
        assert_eq!(world.table.all().len(), 2);
    }
}

#[tokio::test]
async fn an_invocation_says_that_it_may_be_sent_again() {
    let world = World::new(NEWER[0]).await;
    let order = json!({ "orderId": "1", "items": [{ "name": "L", "quantity": 1, "price": 1 }] });
    let invoked = world.command(CommandRole::Invoke, order).await;
    let text = invoked.unwrap_err().to_string();
    assert!(text.contains("unavailable"), "{text}");
}

/// The aggregate is parked, and can be resumed later; other aggregates continue.
#[tokio::test]
async fn the_stream_s_consumers_park_it() {
    let world = World::new(NEWER[0]).await;
    for role in [Role::Project, Role::Notify] {
        let batch = batch_of_items(&world.table.all());
        let invocation = Invocation::of("request");
        let answer = world
            .projectors
            .handle(role, batch, &invocation)
            .await
            .unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]));
    }
    assert_eq!(world.rows.all(Table::Parked).len(), 4);
}
