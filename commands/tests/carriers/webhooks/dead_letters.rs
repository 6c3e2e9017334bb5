//! A webhook that is signed and cannot be logged becomes a dead letter, and is reported once.

use lambda::Failed;
use serde_json::{Value, json};

use super::{Told, World, easypost, tracker};

#[tokio::test]
async fn what_is_signed_and_cannot_be_read_is_kept_and_answered_200() {
    let packed: String = (0..60_000).map(|number| format!("{number} ")).collect();
    let bodies = [
        b"not JSON".to_vec(),
        vec![0xff, 0x00],
        packed.clone().into_bytes(),
    ];
    for body in bodies {
        let world = World::new();
        let (status, _) = world.post("easypost", easypost(&body), &body).await;
        assert_eq!(status, 200);
        let letters = world.operator.letters.lock().unwrap().clone();
        let letter: Value = serde_json::from_str(&letters[0]).unwrap();
        assert_eq!(letter["source"], "waybill.carriers");
        assert_eq!(letter["detail"]["provider"], "easypost");
        assert_eq!(letter["detail"]["body"].is_null(), body != b"not JSON");
        let alerts = world.operator.alerts.lock().unwrap().clone();
        assert!(
            alerts[0].contains("Carrier Webhook from easypost: not JSON"),
            "{alerts:?}"
        );
        // On a retry it is read in the same way as before.
        assert!(world.handle(&letter).await.is_ok());
        let again = world.operator.letters.lock().unwrap()[1].clone();
        assert_eq!(again, letters[0]);
        assert!(world.is_empty());
    }
}

#[tokio::test]
async fn a_letter_that_can_be_read_by_now_is_logged() {
    let world = World::new();
    let letter = json!({
        "source": "waybill.carriers", "detail-type": "Carrier Webhook", "id": "request-1",
        "time": "2026-09-21T14:13:20.000Z",
        "detail": { "provider": "easypost", "body": tracker(0..3).to_string() },
    });
    for logged in [3, 0] {
        assert_eq!(world.handle(&letter).await.unwrap()["logged"], logged);
    }
    for other in [
        json!({}),
        json!({ "orderId": "1" }),
        json!({ "source": "orders.commands" }),
    ] {
        assert!(
            matches!(world.handle(&other).await, Err(Failed(_))),
            "{other}"
        );
    }
}

#[tokio::test]
async fn one_scan_that_cannot_be_logged_is_kept_and_the_others_are_logged() {
    for wrong in ["yesterday", "2099-01-01T00:00:00Z"] {
        let world = World::new();
        let mut body = tracker(0..3);
        body["result"]["tracking_details"][1]["datetime"] = json!(wrong);
        let (status, answer) = world.send(&body).await;
        assert_eq!(
            (status, &answer["shipmentId"]),
            (200, &json!("T-1")),
            "{wrong}"
        );
        assert_eq!(world.logged("T-1").await, ["\"0\"", "\"2\""]);
        assert_eq!(world.operator.letters.lock().unwrap().len(), 1);
        let alerts = world.operator.alerts.lock().unwrap().clone();
        assert!(
            alerts[0].contains("invalid_field\nShipment: T-1"),
            "{alerts:?}"
        );
    }
}

#[tokio::test]
async fn a_scan_that_cannot_be_logged_is_told_of_once_whatever_webhooks_bring_it_again() {
    let with_wrong = |scans: std::ops::Range<u32>, wrong: &[usize]| {
        let mut body = tracker(scans);
        for number in wrong {
            body["result"]["tracking_details"][*number]["datetime"] = json!("yesterday");
        }
        body
    };
    let letters = |world: &World| world.operator.letters.lock().unwrap().clone();
    let alerts = |world: &World| world.operator.alerts.lock().unwrap().len();
    let world = World::new();
    let (_, answer) = world.send(&with_wrong(0..3, &[1])).await;
    assert_eq!(answer["message"], "Kept, since it cannot be read");
    // The same webhook, and one with a further scan.
    let (status, answer) = world.send(&with_wrong(0..3, &[1])).await;
    let counts = |answer: &Value| ["logged", "known", "refused"].map(|name| answer[name].clone());
    assert_eq!((status, counts(&answer)), (200, [0, 2, 1].map(Value::from)));
    let (_, answer) = world.send(&with_wrong(0..4, &[1])).await;
    assert_eq!(counts(&answer), [1, 2, 1].map(Value::from));
    assert_eq!((letters(&world).len(), alerts(&world)), (1, 1));
    // Another scan makes another dead letter, once.
    for _ in 0..2 {
        world.send(&with_wrong(0..4, &[1, 3])).await;
    }
    assert_eq!((letters(&world).len(), alerts(&world)), (2, 2));
    // Another process reports it again, with the same id.
    let other = World::new();
    other.send(&with_wrong(0..4, &[1])).await;
    let id = |letter: &str| serde_json::from_str::<Value>(letter).unwrap()["id"].clone();
    let (first, again) = (letters(&world)[0].clone(), letters(&other)[0].clone());
    assert_eq!(id(&first), id(&again));
    assert_ne!(id(&first), id(&letters(&world)[1]));
    // A dead letter that is retried and still cannot be logged must not count as done.
    world
        .handle(&serde_json::from_str(&first).unwrap())
        .await
        .unwrap();
    assert_eq!(letters(&world)[2], first);
}

#[tokio::test]
async fn what_could_not_be_kept_is_told_of_by_the_next_webhook() {
    let world = World::with(Told {
        unreachable: true,
        ..Told::default()
    });
    let mut body = tracker(0..3);
    body["result"]["tracking_details"][1]["datetime"] = json!("yesterday");
    for _ in 0..2 {
        assert_eq!(world.send(&body).await.0, 503);
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_to_be_sent_again() {
    let world = World::with(Told {
        unreachable: true,
        ..Told::default()
    });
    let (status, _) = world
        .post("easypost", easypost(b"not JSON"), b"not JSON")
        .await;
    assert_eq!(status, 503);
}
