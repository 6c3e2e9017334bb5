//! Files as exports, streams and archives write them: compressed, wrapped in an object, or in
//! another encoding.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use crate::world::{World, counts, order, rejections};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns orders that compress badly, one in each line.
fn lines(number: usize) -> String {
    let line = |index: usize| {
        let mut seed = index as u64 + 1;
        let noise: String = (0..40)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'a' + (seed >> 60) as u8)
            })
            .collect();
        let id = format!("A-{index}");
        order(&id).replace("customer", &noise)
    };
    (0..number).map(|index| line(index) + "\n").collect()
}

#[tokio::test]
async fn packed_files_are_unpacked_in_every_form() {
    let [a, b, c] = ["A-1", "B-2", "C-3"].map(order);
    let members = [
        packed(format!("{a}\n{b}\n").as_bytes()),
        packed(c.as_bytes()),
    ];
    for (name, content) in [
        ("a.json.gz", packed(format!("[{a},{b},{c}]").as_bytes())),
        ("a.jsonl", packed(format!("{a}\n{b}\n{c}").as_bytes())),
        (
            "marked",
            packed(format!("\u{feff}[{a},{b},{c}]").as_bytes()),
        ),
        ("stream.json", packed(format!("{a}{b}{c}").as_bytes())),
        ("members.gz", members.concat()),
        (
            "wrapped.gz",
            packed(
                format!(r#"{{"page":{{"n":[1]}},"orders":[{a},{b},{c}],"next":null}}"#).as_bytes(),
            ),
        ),
    ] {
        let mut world = World::new();
        let report = world.import(&format!("orders/{name}"), content).await;
        assert_eq!(counts(&report), [3, 0, 0, 3], "{name}: {report}");
        let orders: Vec<String> = world.commits().into_keys().collect();
        assert_eq!(orders, ["order#A-1", "order#B-2", "order#C-3"], "{name}");
    }
}

#[tokio::test]
async fn of_a_packed_file_that_is_cut_off_what_was_whole_is_taken() {
    let text = lines(500);
    let whole = packed(text.as_bytes());
    for cut in [
        whole.len() / 3,
        whole.len() / 2,
        whole.len() - 9,
        whole.len() - 1,
    ] {
        let mut world = World::new();
        let report = world.import("orders/a.gz", whole[..cut].to_vec()).await;
        let [accepted, known, rejected, total] = counts(&report);
        assert_eq!(
            (known, rejected, total),
            (0, 1, accepted + 1),
            "{cut}: {report}"
        );
        assert!(accepted > 50, "{cut}: {report}");
        assert_eq!(rejections(&report), [(accepted, "not_unpacked".to_owned())]);
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    let mut world = World::new();
    let report = world.import("orders/a.gz", damaged).await;
    assert_eq!(
        report["rejected"].as_u64().unwrap_or_default().min(1),
        1,
        "{report}"
    );
    let mut world = World::new();
    let report = world.import("orders/a.gz", whole[..2].to_vec()).await;
    assert_eq!(counts(&report), [0, 0, 1, 1], "{report}");
}

#[tokio::test]
async fn orders_stand_in_an_object_or_one_behind_the_other() {
    let [a, b, c] = ["A-1", "B-2", "C-3"].map(order);
    for text in [
        format!(r#"{{"orders":[{a},{b},{c}]}}"#),
        format!(
            r#" {{ "shop" : "x,[\"orders\"]" , "orders" : [ {a} , {b} , {c} ] , "n" : {{"b":[1]}} }} "#
        ),
        format!("{{\n\"orders\":[{a}]}}\n{{\"orders\":[{b},{c}],\"more\":false}}"),
        format!("{a}{b}{c}"),
        format!("{a} {b}\t{c}\n"),
        format!("{a}{b}\n{c}\n"),
        format!("{a}\n{b}{c}"),
        format!("[{a},{b},{c},]"),
        format!("[{a},{b},{c} , ]\n"),
    ] {
        let mut world = World::new();
        let report = world.import("orders/a.json", text.clone()).await;
        assert_eq!(counts(&report), [3, 0, 0, 3], "{text}: {report}");
    }
}

#[tokio::test]
async fn an_order_with_orders_of_its_own_is_an_order() {
    let text = order("A-1");
    let text = format!(r#"{},"orders":["X-1"]}}"#, &text[..text.len() - 1]);
    let mut world = World::new();
    let report = world.import("orders/a.json", text).await;
    assert_eq!(counts(&report), [1, 0, 0, 1], "{report}");
}

#[tokio::test]
async fn an_object_around_orders_that_ends_too_early_is_one_rejection() {
    let [a, b] = ["A-1", "B-2"].map(order);
    for text in [
        format!(r#"{{"orders":[{a},{b}],"next":"#),
        format!(r#"{{"orders":[{a},{b}"#),
        format!(r#"{{"orders":[{a},{b},"#),
    ] {
        let mut world = World::new();
        let report = world.import("orders/a.json", text.clone()).await;
        assert_eq!(counts(&report), [2, 0, 1, 3], "{text}: {report}");
    }
}

#[tokio::test]
async fn what_is_no_json_in_utf_8_is_one_rejection_that_names_it() {
    let text = format!("[{}]", order("A-1"));
    let utf_16 = |to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
    let little = utf_16(u16::to_le_bytes);
    let big = utf_16(u16::to_be_bytes);
    let utf_32: Vec<u8> = text
        .chars()
        .flat_map(|c| (c as u32).to_le_bytes())
        .collect();
    for (content, named) in [
        ([vec![0xff, 0xfe], little.clone()].concat(), "UTF-16"),
        (little, "UTF-16"),
        ([vec![0xfe, 0xff], big.clone()].concat(), "UTF-16"),
        (big, "UTF-16"),
        (utf_32, "UTF-32"),
        (b"PK\x03\x04 and so on".to_vec(), "ZIP"),
        (b"<?xml version=\"1.0\"?>".to_vec(), "XML"),
    ] {
        let mut world = World::new();
        let report = world.import("orders/a.json", content).await;
        assert_eq!(counts(&report), [0, 0, 1, 1], "{report}");
        let reason = report["rejections"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(named), "{reason}");
    }
}

#[tokio::test]
async fn a_fault_is_told_by_its_byte_in_the_file() {
    let first = order("A-1");
    let text = format!("{first}\n{{\"orderId\": oops}}\n{}", order("B-2"));
    let mut world = World::new();
    let report = world.import("orders/a.jsonl", text).await;
    let rejection = &report["rejections"][0];
    let begins = first.len() + 1;
    assert_eq!(rejection["byte"], begins, "{report}");
    let reason = rejection["reason"].as_str().unwrap();
    let at = format!("at byte {} of the file", begins + r#"{"orderId": "#.len());
    assert!(reason.contains(&at), "{reason}");
}

#[tokio::test]
async fn a_bomb_is_left_where_the_limit_is() {
    let space = vec![b' '; 1024 * 1024];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(format!("{}\n", order("A-1")).as_bytes())
        .unwrap();
    for _ in 0..1024 {
        encoder.write_all(&space).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let mut world = World::new();
    let report = world.import("orders/bomb.jsonl", bomb).await;
    assert_eq!(counts(&report), [1, 0, 1, 2], "{report}");
    let reason = report["rejections"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("536870912 bytes"), "{reason}");
}
