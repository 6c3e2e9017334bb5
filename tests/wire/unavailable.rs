//! A wire that stays faulty: every caller is told to try again, and nothing else.

use commands::Role as CommandRole;
use domain::Json;
use event_store::Commit;
use lambda::{Invocation, Payload};
use projectors::Role;
use serde_json::{Value, json, value::to_raw_value};
use support::{envelopes::placing, stream::batch};

use crate::{
    World,
    proxy::{Fault, Plan},
    succeeded,
};

/// Returns the faults that cost no time-out.
fn faults() -> impl Iterator<Item = Fault> {
    Fault::ALL.into_iter().filter(|fault| *fault != Fault::Held)
}

fn payload(value: Value) -> Payload {
    to_raw_value(&value).unwrap()
}

fn request(method: &str, path: &str, body: &str) -> Payload {
    payload(json!({
        "version": "2.0",
        "rawPath": path,
        "headers": { "idempotency-key": "key-1" },
        "requestContext": { "http": { "method": method, "path": path }, "requestId": "request-1" },
        "body": body,
        "isBase64Encoded": false,
    }))
}

const ORDER: &str = r#"{"orderId":"1","items":[{"productId":"p","quantity":1,"price":1}]}"#;

fn assert_unavailable(answer: &Value, fault: Fault) {
    assert_eq!(answer["statusCode"], 503, "{fault:?}: {answer}");
    assert_eq!(answer["headers"]["retry-after"], "1", "{fault:?}: {answer}");
    let body = Json::parse(answer["body"].as_str().unwrap()).unwrap();
    let body = body.into_object().unwrap();
    assert_eq!(body["code"], Json::from("unavailable"), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_503_and_succeeds_when_it_is_sent_again() {
    for fault in faults() {
        let world = World::new().await;
        let send = async || {
            let request = request("POST", "/orders", ORDER);
            let invocation = Invocation::of("r-1").by_gateway();
            let answer = world
                .commands
                .handle(CommandRole::Api, request, &invocation);
            answer.await.unwrap()
        };
        world.proxy.plan(Plan::First(u32::MAX, fault));
        assert_unavailable(&send().await, fault);
        assert_eq!(
            world.history("1").await.len(),
            usize::from(fault.has_effect())
        );
        world.proxy.plan(Plan::Fair);
        let answer = send().await;
        assert_eq!(answer["statusCode"], 200, "{fault:?}: {answer}");
        assert_eq!(send().await, answer);
        assert_eq!(world.history("1").await.len(), 1);
    }
}

/// Nobody reads the answer of an asynchronous invocation; Lambda only retries one that fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_direct_invocation_fails_and_is_neither_refused_nor_lost() {
    for fault in faults() {
        let world = World::new().await;
        let invoke = async |request_id: &str| {
            let order = payload(serde_json::from_str(ORDER).unwrap());
            let invocation = Invocation::of(request_id);
            let answer = world
                .commands
                .handle(CommandRole::Invoke, order, &invocation);
            answer.await
        };
        world.proxy.plan(Plan::First(u32::MAX, fault));
        assert!(invoke("r-1").await.is_err(), "{fault:?}");
        world.proxy.plan(Plan::Fair);
        // Lambda keeps the request id when it retries.
        let placed = invoke("r-1").await.unwrap();
        assert_eq!(placed["orderId"], "1", "{fault:?}: {placed}");
        assert_eq!(invoke("r-1").await, Ok(placed));
        assert_eq!(world.history("1").await.len(), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_the_bus_fails_and_is_neither_rejected_nor_lost() {
    for fault in faults() {
        let world = World::new().await;
        let event = || {
            payload(json!({
                "id": "event-1",
                "source": "logistics.shipments",
                "detail-type": "Shipment Update",
                "detail": { "shipmentId": "1", "status": "IN_TRANSIT" },
            }))
        };
        world.proxy.plan(Plan::First(u32::MAX, fault));
        let failed = world
            .commands
            .handle(CommandRole::Bus, event(), &Invocation::of("r-1"))
            .await;
        assert!(failed.is_err(), "{fault:?}");
        let rejected = world.proxy.take_count("SendMessage").requests;
        assert_eq!(rejected, 0, "{fault:?}: it can still succeed");
        world.proxy.plan(Plan::Fair);
        let done = world
            .commands
            .handle(CommandRole::Bus, event(), &Invocation::of("r-2"))
            .await;
        assert_eq!(done, Ok(Value::Null), "{fault:?}");
        assert_eq!(world.history("1").await.len(), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_answered_503() {
    for fault in faults() {
        let world = World::new().await;
        world.order(placing("1", "c-1")).await.unwrap();
        world.proxy.plan(Plan::First(u32::MAX, fault));
        for path in [
            "/orders/1",
            "/orders/1/history",
            "/shipments/1",
            "/shipments/1/log",
        ] {
            let request = request("GET", path, "");
            let answer = world
                .projectors
                .handle(Role::Query, request, &Invocation::of("r-1"))
                .await;
            assert_unavailable(&answer.unwrap(), fault);
        }
    }
}

/// The SDK has a quota of retries for the whole process, and an outage uses it up. Then each call
/// has one attempt only, and nothing may be lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_spends_the_sdk_s_repeats_and_nothing_is_lost() {
    let world = World::new().await;
    world
        .proxy
        .plan(Plan::First(u32::MAX, Fault::CutAfterTheEffect));
    let mut requests = Vec::new();
    for number in 0..40 {
        let answer = world.order(placing(&number.to_string(), "c-1")).await;
        assert_eq!(succeeded(answer), None);
        requests.push(world.proxy.take_count("").requests);
    }
    println!("requests of one command in an outage: {requests:?}");
    assert_eq!((requests[0], requests[39]), (6, 2));
    world.proxy.plan(Plan::Fair);
    for number in 0..40 {
        let id = number.to_string();
        assert_eq!(world.order(placing(&id, "c-1")).await.unwrap().version, 1);
        let history: Vec<Commit> = world.history(&id).await;
        assert_eq!(history.len(), 1);
        assert_eq!(world.delivered(Role::Project, batch(&history)).await, None);
    }
}
