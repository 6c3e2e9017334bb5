//! A history that has reached its limit: what the sender and the operator are told.

use std::sync::Arc;

use commands::{Commands, Role};
use event_store::{EventStore, Policy, SystemClock, memory::MemoryTable};
use lambda::Invocation;
use serde_json::{Value, json, value::to_raw_value};
use support::{files::MemoryFiles, operator::MemoryOperator, unread_metrics};

async fn send(commands: &Commands, role: Role, payload: Value) -> Value {
    let payload = to_raw_value(&payload).unwrap();
    let invocation = Invocation::of("request").by_gateway();
    commands.handle(role, payload, &invocation).await.unwrap()
}

fn event(id: &str) -> Value {
    json!({
        "id": id, "source": "logistics.shipments", "detail-type": "Shipment Update",
        "time": "2024-01-15T12:00:00Z", "detail": { "shipmentId": "S", "status": "LOST" },
    })
}

fn request(key: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/shipments/S/updates",
        "rawQueryString": "", "headers": { "idempotency-key": key },
        "requestContext": {
            "http": { "method": "POST", "path": "/shipments/S/updates", "protocol": "HTTP/1.1",
                      "sourceIp": "127.0.0.1", "userAgent": "test" },
            "requestId": "request", "stage": "$default", "timeEpoch": 0,
        },
        "body": json!({ "shipmentId": "S", "status": "LOST" }).to_string(),
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn a_full_history_is_a_conflict_over_http_and_a_dead_letter_of_the_bus() {
    let operator = Arc::new(MemoryOperator::default());
    let policy = Policy {
        commits_max: 3,
        ..Policy::default()
    };
    let commands = Commands {
        store: EventStore::new(Arc::new(MemoryTable::default())).under(policy),
        clock: Arc::new(SystemClock),
        operator: operator.clone(),
        carriers: commands::carriers::Carriers::none(),
        files: Arc::new(MemoryFiles::default()),
        metrics: unread_metrics(),
        environment: "test".to_owned(),
    };
    for id in ["e-1", "e-2"] {
        send(&commands, Role::Bus, event(id)).await;
    }
    let last = send(&commands, Role::Api, request("k-1")).await;
    assert_eq!(last["statusCode"], 200, "{last}");
    assert!(operator.messages().dead_letters.is_empty());
    let full = send(&commands, Role::Api, request("k-2")).await;
    assert_eq!(full["statusCode"], 409, "{full}");
    let body: Value = serde_json::from_str(full["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["code"], "history_full");
    // A sender on the bus gets no answer, so the event becomes a dead letter and an alert is sent.
    send(&commands, Role::Bus, event("e-3")).await;
    let told = operator.messages();
    assert!(told.dead_letters[0].0.contains("e-3"));
    assert_eq!(told.alerts[0].0, "Logistics Processing Error - test");
    // A repeat of an accepted command is answered as before, although the history is full.
    send(&commands, Role::Bus, event("e-1")).await;
    assert_eq!(operator.messages().dead_letters.len(), 1);
    let again = send(&commands, Role::Api, request("k-1")).await;
    assert_eq!(again["body"], last["body"]);
}

/// The correlation id of a client counts for the size of a commit, too. A retry with a longer one
/// than the first attempt's is a repeat, even where the new commit would be too large.
#[tokio::test]
async fn a_repeat_that_would_be_too_large_is_a_repeat() {
    let commands = Commands {
        store: EventStore::new(Arc::new(MemoryTable::default())),
        clock: Arc::new(SystemClock),
        operator: Arc::new(MemoryOperator::default()),
        carriers: commands::carriers::Carriers::none(),
        files: Arc::new(MemoryFiles::default()),
        metrics: unread_metrics(),
        environment: "test".to_owned(),
    };
    let place = async |note: usize, correlation: Option<String>| {
        let mut order = request(&format!("k-{note}"));
        order["rawPath"] = "/orders".into();
        order["requestContext"]["http"]["path"] = "/orders".into();
        order["headers"]["x-correlation-id"] = correlation.into();
        if order["headers"]["x-correlation-id"].is_null() {
            order["headers"]
                .as_object_mut()
                .unwrap()
                .remove("x-correlation-id");
        }
        let items = json!([{ "name": "Lamp", "quantity": 1, "price": 1 }]);
        let body = json!({ "orderId": note.to_string(), "items": items, "note": "x".repeat(note) });
        order["body"] = body.to_string().into();
        send(&commands, Role::Api, order).await
    };
    let (mut fits, mut too_large) = (100_000, 400_000);
    while too_large - fits > 1 {
        let middle = (fits + too_large) / 2;
        match place(middle, None).await["statusCode"] == 200 {
            true => fits = middle,
            false => too_large = middle,
        }
    }
    let first = place(fits, None).await;
    assert_eq!(first["statusCode"], 200);
    let again = place(fits, Some("c".repeat(200))).await;
    assert_eq!(again, first);
}
