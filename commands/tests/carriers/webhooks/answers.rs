//! The answers to the provider, and webhooks that store nothing.

use serde_json::json;

use super::{World, easypost, tracker};

#[tokio::test]
async fn what_is_not_trusted_leaves_nothing() {
    let world = World::new();
    let body = tracker(0..3).to_string();
    let right = easypost(body.as_bytes());
    let mac = right["x-hmac-signature"].as_str().unwrap();
    let twice = json!({ "x-hmac-signature": format!("{mac},{mac}") });
    let of_another = json!({ "sendcloud-signature": mac.split_once('=').unwrap().1 });
    let large = vec![b'x'; 1024 * 1024];
    for (headers, body) in [
        (json!({}), body.as_bytes()),
        (json!({ "x-hmac-signature": "" }), body.as_bytes()),
        (
            json!({ "x-hmac-signature": "hmac-sha256-hex=00" }),
            body.as_bytes(),
        ),
        (twice, body.as_bytes()),
        (of_another, body.as_bytes()),
        (right.clone(), &body.as_bytes()[1..]),
        (right.clone(), b""),
        (json!({}), b""),
        (right.clone(), &large[..]),
    ] {
        let (status, problem) = world.post("easypost", headers, body).await;
        assert_eq!((status, &problem["code"]), (401, &json!("wrong_signature")));
    }
    let too_large = vec![b'x'; 1024 * 1024 + 1];
    let (status, _) = world
        .post("easypost", easypost(&too_large), &too_large)
        .await;
    assert_eq!(status, 413);
    assert!(world.is_empty() && world.operator.letters.lock().unwrap().is_empty());
    assert_eq!(world.counted("CarrierWebhooks", "refused"), 9);
    assert_eq!(world.counted("CarrierWebhooks", "too_large"), 1);
}

#[tokio::test]
async fn a_provider_without_a_secret_is_not_there() {
    let world = World::new();
    let body = tracker(0..1).to_string();
    for provider in ["shippo", "dhl", "EASYPOST", "easypost/1", ""] {
        let (status, problem) = world
            .post(provider, easypost(body.as_bytes()), body.as_bytes())
            .await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("not_found")),
            "{provider}"
        );
    }
    assert!(world.is_empty());
}

#[tokio::test]
async fn a_set_of_keys_that_cannot_be_had_is_a_reason_to_send_it_again() {
    let world = World::new();
    let headers = json!({ "x-shipengine-rsa-sha256-key-id": "key-1" });
    let (status, _) = world.post("shipengine", headers, b"{}").await;
    assert_eq!(status, 503);
    let (status, _) = world.post("shipengine", json!({}), b"{}").await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_event_about_something_else_does_nothing() {
    let world = World::new();
    let (status, answer) = world.send(&json!({ "description": "batch.created" })).await;
    assert_eq!((status, &answer["message"]), (200, &json!("Nothing to do")));
    let (status, _) = world.send(&tracker(0..0)).await;
    assert_eq!(status, 200);
    assert!(world.is_empty() && world.operator.letters.lock().unwrap().is_empty());
    assert_eq!(world.counted("CarrierWebhooks", "nothing"), 2);
}

#[tokio::test]
async fn codes_that_no_table_has_are_counted_once() {
    let world = World::new();
    let mut body = tracker(0..3);
    for place in [0, 2] {
        body["result"]["tracking_details"][place]["status"] = json!("teleported");
        body["result"]["tracking_details"][place]["status_detail"] = json!(null);
    }
    for _ in 0..3 {
        assert_eq!(world.send(&body).await.0, 200);
    }
    assert_eq!(world.counted("UnmappedCarrierStatus", ""), 2);
}
