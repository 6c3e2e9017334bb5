//! The actor of a commit: it is what the authoriser says, and never what a client has sent.

use std::sync::Arc;

use commands::{Commands, Role};
use domain::AggregateId;
use event_store::{EventStore, SystemClock, memory::MemoryTable};
use lambda::{Invocation, Payload};
use serde_json::{Value, json, value::to_raw_value};
use support::{files::MemoryFiles, operator::MemoryOperator, unread_metrics};

fn commands() -> Commands {
    Commands {
        store: EventStore::new(Arc::new(MemoryTable::default())),
        clock: Arc::new(SystemClock),
        operator: Arc::new(MemoryOperator::default()),
        files: Arc::new(MemoryFiles::default()),
        carriers: commands::carriers::Carriers::none(),
        metrics: unread_metrics(),
        environment: "test".to_owned(),
    }
}

/// Returns a request as the HTTP API passes it on, with the answer of its authoriser.
fn request(authorizer: Value, path: &str, body: Value) -> Payload {
    let request = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "idempotency-key": "k", "x-actor": "somebody-else" },
        "requestContext": {
            "authorizer": authorizer,
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1",
                      "sourceIp": "127.0.0.1", "userAgent": "test" },
            "requestId": "request", "stage": "$default", "timeEpoch": 0,
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    });
    to_raw_value(&request).unwrap()
}

fn order(id: &str) -> Value {
    json!({
        "orderId": id,
        "items": [{ "name": "Lamp", "quantity": 1, "price": 1 }],
        "actor": "somebody-else",
        "sub": "somebody-else",
    })
}

async fn send(commands: &Commands, payload: Payload) -> Value {
    let invocation = Invocation::of("request").by_gateway();
    let answer = commands.handle(Role::Api, payload, &invocation).await;
    answer.unwrap()
}

fn jwt(subject: &str) -> Value {
    json!({ "jwt": { "claims": { "sub": subject, "iss": "https://issuer" }, "scopes": [] } })
}

fn iam(arn: &str) -> Value {
    json!({ "iam": { "userArn": arn, "accessKey": "AKIA", "accountId": "1" } })
}

#[tokio::test]
async fn every_commit_names_whom_the_authoriser_named() {
    let role = "arn:aws:sts::1:assumed-role/Shop";
    let cases = [
        (jwt("user-7"), "user-7"),
        (
            json!({ "jwt": { "claims": { "client_id": "app", "iss": "https://i" }, "scopes": [] } }),
            "client/app@https://i",
        ),
        (
            json!({ "jwt": { "claims": { "azp": "app", "iss": "https://i", "sub": "" } } }),
            "client/app@https://i",
        ),
        // Nobody can take another actor's name by choosing a subject.
        (jwt("waybill"), "sub/waybill"),
        (jwt("client/app@https://i"), "sub/client/app@https://i"),
        (iam(&format!("{role}/session-1")), role),
        (iam("arn:aws:iam::1:user/ann"), "arn:aws:iam::1:user/ann"),
        (Value::Null, "anonymous"),
    ];
    for (authorizer, actor) in cases {
        let commands = commands();
        let placed = send(
            &commands,
            request(authorizer.clone(), "/orders", order("1")),
        )
        .await;
        assert_eq!(placed["statusCode"], 200, "{placed}");
        let cancelled = request(authorizer, "/orders/1/cancel", json!({ "reason": "me" }));
        // An idempotency key belongs to its order and caller, not to the kind of command, so
        // this command needs another one.
        let cancelled = cancelled.get().replace("\"k\"", "\"k-2\"");
        let cancelled = send(&commands, serde_json::from_str(&cancelled).unwrap()).await;
        assert_eq!(cancelled["statusCode"], 200, "{cancelled}");
        let id = AggregateId::Order("1".parse().unwrap());
        let history = commands.store.whole_history(&id).await.unwrap();
        let actors: Vec<&str> = history.iter().map(|c| c.cause.actor.as_str()).collect();
        assert_eq!(actors, [actor, actor]);
    }
}

/// A request of the HTTP API names its caller. Anybody who may invoke the function could send such
/// a request; but Lambda says by which alias the function was invoked, and only the HTTP API uses
/// the alias `live`.
#[tokio::test]
async fn a_request_that_the_gateway_has_not_brought_is_refused() {
    let arn = "arn:aws:lambda:us-east-1:1:function:waybill-dev-api";
    let by = |arn: &str| Invocation::of("request").invoked_as(arn);
    let commands = commands();
    let id = AggregateId::Order("1".parse().unwrap());
    for invocation in [
        Invocation::of("request"),
        by(arn),
        by(&format!("{arn}:$LATEST")),
        by(&format!("{arn}:7")),
        by(&format!("{arn}:live2")),
        by(""),
    ] {
        let spoofed = request(jwt("ceo@shop"), "/orders", order("1"));
        let answer = commands.handle(Role::Api, spoofed, &invocation).await;
        assert_eq!(answer.unwrap()["statusCode"], 403, "{invocation:?}");
    }
    assert!(commands.store.whole_history(&id).await.unwrap().is_empty());
    let invocation = by(&format!("{arn}:live"));
    let brought = request(jwt("ann"), "/orders", order("1"));
    let answer = commands.handle(Role::Api, brought, &invocation).await;
    assert_eq!(answer.unwrap()["statusCode"], 200);
}

/// A direct invocation places orders as the actor `invoke`, whatever its payload says, and can do
/// nothing else.
#[tokio::test]
async fn a_direct_invocation_cannot_say_who_it_is() {
    let commands = commands();
    let invoke = async |payload: Payload| {
        let invocation = Invocation::of("request").by_gateway();
        let answer = commands.handle(Role::Invoke, payload, &invocation).await;
        answer.unwrap()
    };
    let placed = invoke(to_raw_value(&order("1")).unwrap()).await;
    assert_eq!(placed["orderId"], "1", "{placed}");
    let cancelled = request(jwt("ceo@shop"), "/orders/1/cancel", json!({}));
    assert_eq!(invoke(cancelled).await["error"]["status"], 400);
    let mut both = serde_json::to_value(request(jwt("ceo@shop"), "/orders", json!({}))).unwrap();
    both["orderId"] = "2".into();
    both["items"] = order("2")["items"].clone();
    assert_eq!(invoke(to_raw_value(&both).unwrap()).await["orderId"], "2");
    for id in ["1", "2"] {
        let id = AggregateId::Order(id.parse().unwrap());
        let history = commands.store.whole_history(&id).await.unwrap();
        let actors: Vec<&str> = history.iter().map(|c| c.cause.actor.as_str()).collect();
        assert_eq!(actors, ["invoke"]);
    }
}

#[tokio::test]
async fn a_token_that_names_nobody_is_refused() {
    for claims in [
        json!({}),
        json!({ "iss": "https://issuer" }),
        json!({ "client_id": "app" }),
        json!({ "sub": "", "azp": "", "iss": "https://issuer" }),
    ] {
        let commands = commands();
        let authorizer = json!({ "jwt": { "claims": claims, "scopes": [] } });
        let answer = send(&commands, request(authorizer, "/orders", order("1"))).await;
        assert_eq!(answer["statusCode"], 401, "{answer}");
        let id = AggregateId::Order("1".parse().unwrap());
        assert!(commands.store.whole_history(&id).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_authoriser_that_names_nobody_is_refused() {
    for authorizer in [
        json!({ "iam": {} }),
        iam(""),
        json!({ "lambda": {} }),
        json!({}),
    ] {
        let answer = send(&commands(), request(authorizer, "/orders", order("1"))).await;
        assert_eq!(answer["statusCode"], 401, "{answer}");
    }
}

/// An idempotency key belongs to its caller, in every session of that caller.
#[tokio::test]
async fn a_key_of_one_caller_is_none_of_anothers() {
    let commands = commands();
    let mut nameless = order("");
    nameless.as_object_mut().unwrap().remove("orderId");
    let mut ids = Vec::new();
    for authorizer in [
        jwt("ann"),
        jwt("bob"),
        jwt("ann"),
        iam("arn:aws:sts::1:assumed-role/Shop/one"),
        iam("arn:aws:sts::1:assumed-role/Shop/two"),
    ] {
        let placed = send(&commands, request(authorizer, "/orders", nameless.clone())).await;
        let body: Value = serde_json::from_str(placed["body"].as_str().unwrap()).unwrap();
        ids.push(body["orderId"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[3]);
    assert_eq!(ids[3], ids[4]);
}
