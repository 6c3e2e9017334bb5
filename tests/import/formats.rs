//! The formats of a file: one order, an array of orders, or one order in each line.

use serde_json::{Value, json};

use crate::world::{World, counts, order, rejections};

/// Returns the same three orders in every format of a file.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let [a, b, c] = ["A-1", "B-2", "C-3"].map(order);
    let pretty = |value: &str| {
        let value: Value = serde_json::from_str(value).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let array = format!("[{a},{b},{c}]");
    let lines = format!("{a}\n{b}\n{c}\n");
    let forms = [
        ("array.json", array.clone()),
        ("spaced.json", format!("\n [ {a} ,\r\n\t{b}\n, {c} ]\n\n")),
        ("pretty.json", pretty(&array)),
        ("lines.json", lines.clone()),
        ("lines.jsonl", lines.clone()),
        ("lines.ndjson", lines.clone()),
        ("unended.json", format!("{a}\n{b}\n{c}")),
        ("crlf.json", lines.replace('\n', "\r\n")),
        ("blank.json", format!("\n\n{a}\n\n \r\n{b}\n\t{c}  \n\n")),
        ("marked.json", format!("\u{feff}{lines}")),
        ("marked-array.json", format!("\u{feff}{array}")),
        ("marked.jsonl", format!("\u{feff}{lines}")),
        (
            "one-by-one.json",
            [&a, &b, &c].map(|it| pretty(it)).join("\n"),
        ),
        ("arrays.json", format!("[{a}]\n[{b},{c}]\n")),
        ("no-extension", lines),
    ];
    forms.map(|(name, text)| (name, text.into_bytes())).into()
}

#[tokio::test]
async fn the_same_orders_are_accepted_from_every_form() {
    for (name, content) in forms() {
        let mut world = World::new();
        let report = world.import(&format!("orders/{name}"), content).await;
        assert_eq!(counts(&report), [3, 0, 0, 3], "{name}: {report}");
        let orders: Vec<String> = world.commits().into_keys().collect();
        assert_eq!(orders, ["order#A-1", "order#B-2", "order#C-3"], "{name}");
        assert_eq!(world.operator.messages().alerts, vec![], "{name}");
    }
}

#[tokio::test]
async fn one_order_alone_on_one_line_or_on_many() {
    let pretty = serde_json::from_str::<Value>(&order("A-1")).unwrap();
    let indented = serde_json::to_string_pretty(&pretty).unwrap();
    let flat = indented.lines().map(str::trim_start).collect::<Vec<_>>();
    let in_one = r#"{"orderId":"A-1","items":[
{"name":"n","quantity":1,"price":2}
]}"#;
    for text in [
        order("A-1"),
        indented.clone(),
        flat.join("\n"),
        in_one.to_owned(),
    ] {
        let mut world = World::new();
        let report = world.import("orders/a.json", text.clone()).await;
        assert_eq!(counts(&report), [1, 0, 0, 1], "{text}\n{report}");
    }
}

#[tokio::test]
async fn a_commit_says_which_file_and_position_it_is_from() {
    let mut world = World::new();
    let lines = [order("A-1"), order("B-2")].join("\n");
    world.import("orders/2026/day 1+ü.json", lines).await;
    let commits = world.commits();
    let commit = &commits["order#B-2"][0];
    let cause = &commit.cause;
    let bucket = "waybill-test-orders-000000000000";
    assert_eq!(
        cause.command_id,
        format!("file/{bucket}/orders/2026/day 1+ü.json/v1/1")
    );
    assert_eq!(cause.actor, format!("files/{bucket}"));
    assert_eq!(cause.source, "file");
    assert_eq!(cause.correlation_id, "orders/2026/day 1+ü.json@v1");
    assert_eq!(cause.causation_id, "event-orders/2026/day 1+ü.json-v1");
    let placed: Value = serde_json::from_str(commit.events[0].data.get()).unwrap();
    let source_file = format!("s3://{bucket}/orders/2026/day 1+ü.json");
    assert_eq!(placed["sourceFile"], json!(source_file));
    assert_eq!(placed["fulfilment"], json!("automatic"));
}

#[tokio::test]
async fn the_report_names_the_file() {
    let mut world = World::new();
    let report = world.import("orders/a.json", order("A-1")).await;
    let expected = json!({
        "sourceFile": "s3://waybill-test-orders-000000000000/orders/a.json",
        "version": "v1",
        "correlationId": "orders/a.json@v1",
        "total": 1,
        "accepted": 1,
        "alreadyKnown": 0,
        "rejected": 0,
        "rejectionParts": [],
        "rejections": [],
    });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn a_long_key_has_a_digest_for_a_correlation_id() {
    let mut world = World::new();
    let key = format!("orders/{}.json", "k".repeat(300));
    let report = world.import(&key, order("A-1")).await;
    let correlation_id = report["correlationId"].as_str().unwrap();
    assert_eq!(correlation_id.len(), 32);
    let cause = &world.commits()["order#A-1"][0].cause;
    assert_eq!(cause.correlation_id, correlation_id);
}

#[tokio::test]
async fn the_same_file_again_adds_nothing_and_knows_all() {
    let mut world = World::new();
    let lines = [order("A-1"), order("B-2"), "oops".to_owned()].join("\n");
    world.import("orders/a.json", lines.clone()).await;
    let commits = world.result().0;
    let report = world.import("orders/a.json", lines.clone()).await;
    assert_eq!(counts(&report), [0, 2, 1, 3]);
    assert_eq!(report["version"], "v2");
    let report = world.import("orders/b.json", lines).await;
    assert_eq!(counts(&report), [0, 2, 1, 3]);
    assert_eq!(world.result().0, commits);
}

#[tokio::test]
async fn one_id_twice_in_a_file() {
    let mut world = World::new();
    let other = order("A-1").replace("customer", "stranger");
    let lines = [order("A-1"), order("A-1"), other, order("B-2")].join("\n");
    let report = world.import("orders/a.json", lines).await;
    assert_eq!(counts(&report), [2, 1, 1, 4]);
    assert_eq!(rejections(&report), [(2, "order_exists".to_owned())]);
    assert_eq!(report["rejections"][0]["orderId"], "A-1");
    assert_eq!(
        world.commits()["order#A-1"][0].cause.command_id,
        "file/waybill-test-orders-000000000000/orders/a.json/v1/0"
    );
}

#[tokio::test]
async fn an_order_that_another_command_placed_is_known() {
    let mut world = World::new();
    let placed = support::envelopes::placing("A-1", "elsewhere");
    let clock = world.clock.clone();
    commands::execute::execute::<domain::Order>(&world.commands.store, clock.as_ref(), placed)
        .await
        .unwrap();
    let same = r#"{"orderId":"A-1","customerId":"customer123","items":[{"productId":"prod1","quantity":2,"price":29.99},{"productId":"prod2","quantity":1,"price":49.99}],"currency":"USD"}"#;
    let report = world.import("orders/a.json", same).await;
    assert_eq!(counts(&report), [0, 1, 0, 1], "{report}");
}
