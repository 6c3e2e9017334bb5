//! Files with errors: their valid orders are accepted, and everything else is reported.

use serde_json::json;

use crate::world::{World, counts, order, rejections};

async fn import(name: &str, content: impl Into<Vec<u8>>) -> serde_json::Value {
    World::new()
        .import(&format!("orders/{name}"), content)
        .await
}

fn not_json(positions: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    let one = |position| (position, "not_json".to_owned());
    positions.into_iter().map(one).collect()
}

#[tokio::test]
async fn a_broken_line_is_a_rejection_wherever_it_stands() {
    let broken = [
        "oops",
        r#"{"orderId":"X","items":["#,
        r#"{"orderId":"X","items":[{"name":"x"#,
        r#"{"orderId":"X"}}"#,
        r#"{"orderId":"X"]"#,
        r#"{'orderId':'X'}"#,
        "}",
        "\"",
        "{",
        "null,",
    ];
    for line in broken {
        for position in 0..3 {
            let mut lines = vec![order("A-1"), order("B-2")];
            lines.insert(position, line.to_owned());
            for name in ["a.json", "a.jsonl"] {
                let report = import(name, lines.join("\n")).await;
                assert_eq!(
                    counts(&report),
                    [2, 0, 1, 3],
                    "{line} at {position}: {report}"
                );
                assert_eq!(rejections(&report), not_json([position as u64]), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn an_element_that_is_no_order_is_a_rejection_of_its_own() {
    for element in ["oops", "", "{'a':1}", r#"{"a":nope}"#, r#"{"a":1]"#] {
        let (a, b) = (order("A-1"), order("B-2"));
        let report = import("a.json", format!("[{a},{element},{b}]")).await;
        assert_eq!(counts(&report), [2, 0, 1, 3], "{element}: {report}");
        assert_eq!(rejections(&report), not_json([1]), "{element}");
    }
}

#[tokio::test]
async fn of_an_array_that_ends_too_early_what_came_before_counts() {
    let (a, b) = (order("A-1"), order("B-2"));
    for (rest, accepted) in [
        (",", 2),
        ("", 2),
        (", {\"orderId\":\"C", 2),
        (", {\"orderId\": [1}, {}]", 2),
        (", \"unclosed}, {}]", 2),
    ] {
        let report = import("a.json", format!("[{a},{b}{rest}")).await;
        assert_eq!(
            counts(&report),
            [accepted, 0, 1, accepted + 1],
            "{rest}: {report}"
        );
        assert_eq!(rejections(&report), not_json([accepted]), "{rest}");
    }
    let report = import("a.json", "[").await;
    assert_eq!(counts(&report), [0, 0, 1, 1]);
}

#[tokio::test]
async fn a_comma_behind_the_last_order_is_passed_over_and_one_between_is_a_rejection() {
    let report = import("a.json", format!("[{},]", order("A-1"))).await;
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    let report = import("a.json", format!("[{},,{}]", order("A-1"), order("B-2"))).await;
    assert_eq!(counts(&report), [2, 0, 1, 3]);
}

#[tokio::test]
async fn what_is_no_json_at_all_is_one_rejection() {
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    picture.extend((0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    let table = "id,customer,total\n1,ann,3.50\n".repeat(100_000);
    let broken = "{\n  \"orderId\": \"A-1\",\n  \"items\": [],\n}\n".to_owned();
    for content in [
        "hello".into(),
        "<orders/>\n<order/>\n".into(),
        table.into_bytes(),
        broken.into_bytes(),
        picture,
        b"\xff\xfe{\0}\0".to_vec(),
    ] {
        let report = import("a.json", content.clone()).await;
        assert_eq!(
            counts(&report),
            [0, 0, 1, 1],
            "{:?}",
            &content[..9.min(content.len())]
        );
        assert_eq!(rejections(&report), not_json([0]));
    }
}

#[tokio::test]
async fn an_empty_file_is_a_rejection_unless_lines_were_promised() {
    for content in ["", "\u{feff}", " \r\n\n"] {
        let report = import("a.json", content).await;
        assert_eq!(counts(&report), [0, 0, 1, 1]);
        assert_eq!(report["rejections"][0]["reason"], "the file is empty");
        let report = import("a.jsonl", content).await;
        assert_eq!(counts(&report), [0, 0, 0, 0]);
    }
    let report = import("a.json", " [ ] ").await;
    assert_eq!(counts(&report), [0, 0, 0, 0]);
}

#[tokio::test]
async fn an_order_that_is_too_long_is_passed_over() {
    let long = order("L-1").replace("customer", &"x".repeat(1_100_000));
    let (a, b) = (order("A-1"), order("B-2"));
    for (content, position) in [
        (format!("{a}\n{long}\n{b}\n"), 1),
        (format!("{long}\n{a}\n{b}"), 0),
        (format!("{a}\n{b}\n{long}"), 2),
        (format!("[{a},{long},{b}]"), 1),
        (format!("[{long} , {a},{b}]"), 0),
    ] {
        let report = import("a.json", content).await;
        assert_eq!(counts(&report), [2, 0, 1, 3], "{position}: {report}");
        let expected = (position, "too_large".to_owned());
        assert_eq!(rejections(&report), [expected]);
    }
    // One order over many lines.
    let lines = ",\n \"x\"".repeat(400_000);
    let content = format!("{{\"orderId\":\n\"A\",\"items\":[1{lines}]}}");
    let report = import("a.json", content).await;
    assert_eq!(rejections(&report), [(0, "too_large".to_owned())]);
}

#[tokio::test]
async fn a_rejection_names_its_position_id_code_field_and_reason() {
    let bad = r#"{"orderId":"X-9","items":[{"productId":"p","quantity":0,"price":1}]}"#;
    let nameless = r#"{"items":[{"productId":"p","quantity":1,"price":1}]}"#;
    let nonsense = r#"{"orderId":"a/b","items":[{"productId":"p","quantity":1,"price":1}]}"#;
    let empty = r#"{"orderId":"X-8","items":[]}"#;
    let lines = [bad, nameless, nonsense, "[1]", "17", empty].join("\n");
    let report = import("a.jsonl", lines).await;
    assert_eq!(counts(&report), [0, 0, 6, 6]);
    assert_eq!(
        report["rejections"][0],
        json!({
            "position": 0,
            "byte": 0,
            "orderId": "X-9",
            "code": "invalid_field",
            "field": "items[0].quantity",
            "reason": "a quantity is above zero, this one is 0",
        })
    );
    let of = |index: usize, member: &str| report["rejections"][index][member].clone();
    assert_eq!(of(1, "field"), "orderId");
    assert_eq!(of(1, "orderId"), json!(null));
    assert_eq!(
        (of(2, "orderId"), of(2, "field")),
        (json!("a/b"), json!("orderId"))
    );
    assert_eq!(of(3, "code"), "not_an_object");
    assert_eq!(of(4, "reason"), "an order was expected, not a number");
    assert_eq!(
        (of(5, "orderId"), of(5, "field")),
        (json!("X-8"), json!("items"))
    );
}

#[tokio::test]
async fn what_is_quoted_of_an_order_is_cut() {
    let name = "n".repeat(5_000);
    let line = format!(r#"{{"orderId":"{name}","{name}":1e999,"items":[]}}"#);
    let report = import("a.jsonl", line).await;
    let text = report["rejections"][0].to_string();
    assert!(text.len() < 1_500, "{text}");
}

#[tokio::test]
async fn many_rejections_lie_in_parts_that_the_report_names() {
    let mut world = World::new();
    let mut lines: Vec<String> = (0..2_500).map(|n| format!("bad {n}")).collect();
    lines.insert(1_700, order("A-1"));
    let object = world.upload("orders/a.jsonl", lines.join("\n"));
    world.deliver_all(None).await;
    let report = world.report(&object);
    assert_eq!(counts(&report), [1, 0, 2_500, 2_501]);
    let parts = [
        "reports/orders/a.jsonl/v1/rejected-1.json",
        "reports/orders/a.jsonl/v1/rejected-2.json",
    ];
    assert_eq!(report["rejectionParts"], json!(parts));
    let mut positions: Vec<u64> = Vec::new();
    for part in parts {
        let part = world.json(part);
        assert_eq!(part["version"], "v1");
        assert_eq!(rejections(&part).len(), 1_000);
        positions.extend(rejections(&part).iter().map(|(position, _)| position));
    }
    positions.extend(rejections(&report).iter().map(|(position, _)| position));
    let expected: Vec<u64> = (0..=2_500).filter(|position| *position != 1_700).collect();
    assert_eq!(positions, expected);
}

#[tokio::test]
async fn the_operator_hears_of_a_file_with_rejections_once_and_without_a_word_of_it() {
    let mut world = World::new();
    let secret = r#"{"orderId":"X-9","customerName":"Ann Secret","items":[]}"#;
    let content = [
        order("A-1"),
        secret.to_owned(),
        order("A-1"),
        "Ann".to_owned(),
    ]
    .join("\n");
    world.import("orders/a.json", content).await;
    let told = world.operator.messages();
    assert_eq!(told.dead_letters, vec![]);
    let [(subject, text, id)] = told.alerts.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(subject, "Logistics Processing Error - test");
    assert_eq!(id, "reports/orders/a.json/v1/report.json");
    assert_eq!(
        text,
        "Orders of a file were rejected.\n\nOrders: 4\nAccepted: 1\nAlready known: 1\n\
         Rejected: 2\nReport: s3://waybill-test-orders-000000000000/reports/orders/a.json/v1/\
         report.json\n"
    );
}
