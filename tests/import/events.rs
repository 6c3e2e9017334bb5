//! Events of S3, and how the import treats those that it cannot process.

use commands::import::files::Object;
use lambda::Failed;
use serde_json::{Value, json};
use support::operator::OperatorMessages;

use crate::world::{Ended, World, counts, created, order, report_key};

fn ok() -> Ended {
    Ended::Answered(Ok(Value::Null))
}

/// Delivers `event`, which can never succeed, and returns the code of its dead letter.
async fn rejected(world: &mut World, event: Value) -> String {
    assert_eq!(world.deliver(&event, None).await, ok());
    let told = world.operator.messages();
    let [(letter, code)] = told.dead_letters.as_slice() else {
        panic!("{event}: {told:?}")
    };
    assert_eq!(serde_json::from_str::<Value>(letter).unwrap(), event);
    let [(subject, text, _)] = told.alerts.as_slice() else {
        panic!("{event}: {told:?}")
    };
    assert_eq!(subject, "Logistics Processing Error - test");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(world.commits().len(), 0);
    code.clone()
}

#[tokio::test]
async fn an_event_of_something_else_is_kept_and_announced() {
    let mut world = World::new();
    let object = world.upload("orders/a.json", order("A-1"));
    let changes: [(&str, Value, &str); 11] = [
        ("/source", json!("my.s3"), "invalid_field"),
        ("/detail-type", json!("Object Deleted"), "invalid_field"),
        ("/detail/bucket/name", json!("another"), "invalid_field"),
        (
            "/detail/object/key",
            json!("elsewhere/secret.json"),
            "invalid_field",
        ),
        (
            "/detail/object/key",
            json!("reports/orders/a/1/report.json"),
            "invalid_field",
        ),
        ("/detail/object/key", json!(17), "invalid_field"),
        (
            "/detail/object/key",
            json!(format!("orders/{}", "k".repeat(800))),
            "key_too_long",
        ),
        ("/detail/object/version-id", json!("a/b"), "invalid_field"),
        (
            "/detail/object",
            json!({ "key": "orders/a" }),
            "invalid_field",
        ),
        ("/id", json!(""), "not_an_event"),
        ("/detail", json!("secret"), "invalid_field"),
    ];
    for (place, value, code) in changes {
        let mut event = created(&object);
        *event.pointer_mut(place).unwrap() = value;
        let mut world = World::with_files(world.files.clone());
        assert_eq!(rejected(&mut world, event).await, code, "{place}");
    }
    let code = rejected(&mut World::with_files(world.files.clone()), json!("secret")).await;
    assert_eq!(code, "not_an_event");
}

#[tokio::test]
async fn a_folder_made_in_the_console_is_nothing() {
    let mut world = World::new();
    let object = world.files.upload("orders/new folder/", "");
    let mut event = created(&object);
    event["detail"]["object"]["size"] = json!(0);
    assert_eq!(world.deliver(&event, None).await, ok());
    assert_eq!(world.operator.messages(), Default::default());
    assert_eq!(world.files.put_by_functions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_gone_is_kept_as_an_event_and_announced() {
    let mut world = World::new();
    let object = world.upload("orders/a.json", order("A-1"));
    world.files.remove("orders/a.json");
    assert_eq!(rejected(&mut world, created(&object)).await, "file_gone");
}

#[tokio::test]
async fn a_checkpoint_that_is_none_is_kept_as_an_event_and_announced() {
    let key = "reports/orders/a.json/v1/1.checkpoint.json";
    for content in ["", "{}", "[]"] {
        let mut world = World::new();
        let object = world.files.upload(key, content);
        assert_eq!(
            rejected(&mut world, created(&object)).await,
            "not_a_checkpoint"
        );
    }
    let mut world = World::new();
    let object = world.files.upload(key, "");
    world.files.remove(key);
    assert_eq!(
        rejected(&mut world, created(&object)).await,
        "not_a_checkpoint"
    );
}

#[tokio::test]
async fn a_checkpoint_of_a_newer_build_waits_for_one() {
    let key = "reports/orders/a.json/v1/1.checkpoint.json";
    let mut world = World::new();
    world.clock.step(1_000);
    let content = ["A-1", "B-2"].map(order).join("\n");
    world.upload("orders/a.json", content);
    let event = world.waiting.pop_front().unwrap();
    world.deliver(&event, Some(30_000)).await;
    let event = world.waiting.pop_front().unwrap();
    let ours = world.json(key);
    let mut newer = ours.clone();
    newer["mark"] = json!("somewhere else");
    world.files.upload(key, newer.to_string());
    let waits = Failed("temporarily unavailable".to_owned());
    assert_eq!(
        world.deliver(&event, None).await,
        Ended::Answered(Err(waits))
    );
    assert_eq!(world.operator.messages(), OperatorMessages::default());
    // Back at the version that this build reads, the checkpoint is used again.
    world.files.upload(key, ours.to_string());
    assert_eq!(world.deliver(&event, None).await, ok());
    assert_eq!(world.commits().len(), 2);
}

#[tokio::test]
async fn without_versions_the_etag_stands_for_the_version() {
    for version_id in [json!(null), json!(""), json!("null")] {
        let mut world = World::new();
        let object = world.files.upload("orders/a.json", order("A-1"));
        let mut event = created(&object);
        event["detail"]["object"]["version-id"] = version_id;
        assert_eq!(world.deliver(&event, None).await, ok());
        let object = Object {
            version_id: None,
            ..object
        };
        assert_eq!(
            report_key(&object),
            "reports/orders/a.json/etag-of-v1/report.json"
        );
        assert_eq!(counts(&world.report(&object)), [1, 0, 0, 1]);
        // Another object has replaced it.
        let mut world = World::with_files(world.files.clone());
        world.files.upload("orders/a.json", order("B-2"));
        world
            .files
            .remove("reports/orders/a.json/etag-of-v1/progress.json");
        assert_eq!(rejected(&mut world, event).await, "file_gone");
    }
}

#[tokio::test]
async fn another_upload_of_the_same_bytes_is_reported_anew() {
    let mut world = World::new();
    let object = world.files.upload("orders/a.json", order("A-1"));
    let event = |sequencer: &str| {
        let mut event = created(&object);
        event["detail"]["object"]["version-id"] = json!(null);
        event["detail"]["object"]["sequencer"] = json!(sequencer);
        event
    };
    world.deliver(&event("1"), None).await;
    let key = "reports/orders/a.json/etag-of-v1/report.json";
    world.files.remove(key);
    world.deliver(&event("1"), None).await;
    assert_eq!(world.files.content(key), None);
    world.deliver(&event("2"), None).await;
    assert_eq!(counts(&world.json(key)), [1, 0, 0, 1]);
}
