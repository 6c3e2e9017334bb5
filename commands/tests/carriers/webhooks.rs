//! A webhook from its request to its commits: what it costs, what is answered, and what must not
//! happen however often, from however many sides, and however broken off it comes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use commands::{
    Commands, Role,
    carriers::{
        Carriers, Provider,
        secrets::{FixedSecrets, KeptSecrets},
    },
    import::files::{Chunks, FileError, Files, Object},
    operator::{LetterReason, Operator, Unreachable},
};
use domain::{AggregateId, Shipment, Timestamp, shipment::Event};
use event_store::{
    Clock, Commit, EventStore,
    commit::Item,
    memory::MemoryTable,
    table::{CommitTable, Page, Put, Unavailable},
};
use hmac::{Hmac, Mac as _};
use lambda::{
    Answer, Failed, Invocation,
    metrics::{LatestLines, Metrics},
};
use serde_json::{Value, json, value::to_raw_value};
use sha2::Sha256;

const SECRET: &str = "secret";

// ---- A world in memory

/// A table that counts what is asked of it, and fails as often as it is told to.
#[derive(Default)]
struct Counting {
    table: MemoryTable,
    reads: AtomicUsize,
    puts: AtomicUsize,
    /// Puts from this one on are carried out, and not answered.
    lost_from: Mutex<Option<usize>>,
}

#[async_trait]
impl CommitTable for Counting {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let number = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        let put = self.table.put_new(item).await?;
        // Others get on meanwhile, as they do while a request is on its way.
        tokio::task::yield_now().await;
        match *self.lost_from.lock().unwrap() {
            Some(from) if number >= from => Err(Unavailable("on purpose".to_owned())),
            _ => Ok(put),
        }
    }

    async fn newest(&self, a: &str, before: Option<u64>, n: u32) -> Result<Page, Unavailable> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.table.newest(a, before, n).await
    }

    async fn oldest(&self, a: &str, from: u64, n: u32) -> Result<Page, Unavailable> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let page = self.table.oldest(a, from, n).await;
        tokio::task::yield_now().await;
        page
    }

    async fn segment(&self, s: u32, of: u32, after: Option<&Item>) -> Result<Page, Unavailable> {
        self.table.segment(s, of, after).await
    }
}

struct At(i64);

#[async_trait]
impl Clock for At {
    fn now(&self) -> Timestamp {
        crate::at(self.0)
    }

    async fn sleep(&self, _: std::time::Duration) {
        tokio::task::yield_now().await;
    }

    fn jitter(&self, max: std::time::Duration) -> std::time::Duration {
        max
    }
}

#[derive(Default)]
struct Told {
    letters: Mutex<Vec<String>>,
    alerts: Mutex<Vec<String>>,
    unreachable: bool,
}

#[async_trait]
impl Operator for Told {
    async fn keep_dead_letter(&self, event: &str, _: &LetterReason) -> Result<(), Unreachable> {
        if self.unreachable {
            return Err(Unreachable("on purpose".to_owned()));
        }
        self.letters.lock().unwrap().push(event.to_owned());
        Ok(())
    }

    async fn alert(&self, _: &str, text: &str, _: &str) -> Result<(), Unreachable> {
        self.alerts.lock().unwrap().push(text.to_owned());
        Ok(())
    }
}

struct NoFiles;

#[async_trait]
impl Files for NoFiles {
    fn bucket(&self) -> &str {
        "none"
    }

    async fn open(&self, _: &Object, _: u64) -> Result<Box<dyn Chunks>, FileError> {
        Err(FileError::Gone)
    }

    async fn get(&self, _: &str, _: usize) -> Result<Option<Vec<u8>>, FileError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: Vec<u8>) -> Result<(), FileError> {
        Err(FileError::Gone)
    }
}

struct World {
    commands: Commands,
    table: Arc<Counting>,
    operator: Arc<Told>,
    lines: Arc<LatestLines>,
}

impl World {
    fn new() -> Self {
        Self::with(Told::default())
    }

    fn with(operator: Told) -> Self {
        let table = Arc::new(Counting::default());
        let operator = Arc::new(operator);
        let lines = Arc::new(LatestLines::new(1_000));
        let secrets = Provider::ALL.map(|provider| (provider, SECRET.to_owned()));
        let secrets = secrets
            .into_iter()
            .filter(|(provider, _)| *provider != Provider::Shippo);
        Self {
            commands: Commands {
                store: EventStore::new(table.clone()),
                clock: Arc::new(At(1_790_000_000)),
                operator: operator.clone(),
                files: Arc::new(NoFiles),
                carriers: Carriers {
                    secrets: Arc::new(KeptSecrets::new(FixedSecrets(secrets.collect()))),
                    ..Carriers::none()
                },
                metrics: Metrics::new("test", lines.clone()),
                environment: "test".to_owned(),
            },
            table,
            operator,
            lines,
        }
    }

    async fn handle(&self, payload: &Value) -> Answer {
        let payload = to_raw_value(payload).unwrap();
        let invocation = Invocation::of("invocation");
        self.commands
            .handle(Role::Carriers, payload, &invocation)
            .await
    }

    /// Sends it as the gateway would; status and body of the answer.
    async fn post(&self, provider: &str, headers: Value, body: &[u8]) -> (u64, Value) {
        let path = format!("/carriers/{provider}");
        let request = json!({
            "version": "2.0", "routeKey": "POST /carriers/{provider}",
            "rawPath": path, "rawQueryString": "", "headers": headers,
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": "$default", "requestId": "request-1",
                "domainName": "d", "domainPrefix": "d", "routeKey": "r", "time": "t", "timeEpoch": 1,
                "http": {
                    "method": "POST", "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "test",
                },
            },
            "body": BASE64_STANDARD.encode(body), "isBase64Encoded": true,
        });
        let answer = self.handle(&request).await.unwrap();
        let text = answer["body"].as_str().unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        (status, serde_json::from_str(text).unwrap())
    }

    /// A webhook of EasyPost, rightly signed.
    async fn send(&self, body: &Value) -> (u64, Value) {
        let body = body.to_string();
        self.post("easypost", easypost(body.as_bytes()), body.as_bytes())
            .await
    }

    /// What a webhook costs: reads and puts.
    async fn cost(&self, body: &Value) -> (usize, usize, Value) {
        self.table.reads.store(0, Ordering::SeqCst);
        self.table.puts.store(0, Ordering::SeqCst);
        let (status, answer) = self.send(body).await;
        assert_eq!(status, 200, "{answer}");
        let reads = self.table.reads.load(Ordering::SeqCst);
        (reads, self.table.puts.load(Ordering::SeqCst), answer)
    }

    /// The messages of a shipment's scans, in the order of its history.
    async fn logged(&self, id: &str) -> Vec<String> {
        let id = AggregateId::Shipment(id.parse().unwrap());
        let history = self.commands.store.whole_history(&id).await.unwrap();
        let events = history
            .iter()
            .map(|commit: &Commit| commit.decoded::<Shipment>().unwrap());
        let message = |event| {
            let event: Event = event;
            let update = event.update().unwrap();
            update.attributes["message"].to_string()
        };
        events.flatten().map(message).collect()
    }

    fn counted(&self, name: &str, outcome: &str) -> u64 {
        let lines = self.lines.all();
        let lines = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = lines.filter(|line| outcome.is_empty() || line["Outcome"] == outcome);
        of.filter_map(|line| line[name].as_u64()).sum()
    }

    fn is_empty(&self) -> bool {
        self.table.table.all().is_empty()
    }
}

fn easypost(body: &[u8]) -> Value {
    let mut hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    hmac.update(body);
    let mac = hex::encode(hmac.finalize().into_bytes());
    json!({ "x-hmac-signature": format!("hmac-sha256-hex={mac}") })
}

/// A tracker with scans of these numbers, a minute apart.
fn tracker(numbers: impl IntoIterator<Item = u32>) -> Value {
    let scan = |number: u32| {
        let (hour, minute) = (number / 60, number % 60);
        json!({
            "status": "in_transit", "status_detail": "departed_facility",
            "message": number.to_string(),
            "datetime": format!("2025-08-{:02}T{:02}:{minute:02}:00Z", 1 + hour / 24, hour % 24),
        })
    };
    let scans: Vec<Value> = numbers.into_iter().map(scan).collect();
    json!({ "description": "tracker.updated", "result": {
        "object": "Tracker", "tracking_code": "T-1", "carrier": "UPS", "tracking_details": scans,
    }})
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("\"{number}\"")).collect()
}

// ---- What it costs

#[tokio::test]
async fn known_scans_cost_one_read_and_new_ones_a_write_for_a_hundred() {
    let world = World::new();
    for (numbers, writes, logged, known) in [
        (0..1, 1, 1, 0),
        (0..1, 0, 0, 1),
        (0..30, 1, 29, 1),
        (0..30, 0, 0, 30),
        (0..31, 1, 1, 30),
        (0..131, 1, 100, 31),
        (0..1_131, 10, 1_000, 131),
        (0..1_131, 0, 0, 1_131),
    ] {
        let (reads, puts, answer) = world.cost(&tracker(numbers.clone())).await;
        assert_eq!((reads, puts), (1, writes), "{numbers:?}");
        assert_eq!(
            (&answer["logged"], &answer["known"]),
            (&json!(logged), &json!(known))
        );
        assert_eq!(answer["version"], numbers.end);
    }
    assert_eq!(world.logged("T-1").await, numbers(0..1_131));
    assert_eq!(world.counted("CarrierWebhooks", "known"), 3);
    assert_eq!(world.counted("CarrierWebhooks", "logged"), 5);
    assert_eq!(world.counted("ShipmentUpdatesProcessed", ""), 1_131);
}

#[tokio::test]
async fn a_commit_is_never_larger_than_a_row_may_be() {
    let world = World::new();
    let mut body = tracker(0..100);
    for scan in body["result"]["tracking_details"].as_array_mut().unwrap() {
        let number = scan["message"].as_str().unwrap().to_owned();
        scan["message"] = json!(number + &"ü".repeat(3_000));
    }
    let (reads, puts, answer) = world.cost(&body).await;
    assert_eq!(answer["logged"], 100);
    assert!((5..=10).contains(&puts) && reads == 1, "{puts}");
}

#[tokio::test]
async fn scans_are_logged_by_their_time_whatever_their_order_in_the_list() {
    let world = World::new();
    let newest_first: Vec<u32> = (0..50).rev().collect();
    world.cost(&tracker(newest_first)).await;
    assert_eq!(world.logged("T-1").await, numbers(0..50));
}

/// A list of scans with these times, each named by its place in the list.
fn listed(times: &[Option<&str>], statuses: &[&str]) -> Value {
    let mut tracker = tracker(0..u32::try_from(times.len()).unwrap());
    let scans = tracker["result"]["tracking_details"].as_array_mut();
    for ((scan, time), status) in scans.unwrap().iter_mut().zip(times).zip(statuses) {
        scan["datetime"] = json!(time);
        scan["status"] = json!(status);
    }
    tracker
}

#[tokio::test]
async fn scans_of_one_minute_are_logged_as_they_happened() {
    let ten = Some("2025-08-01T10:00:00Z");
    let moving = ["in_transit"; 3];
    for (times, expected) in [
        // The newest first, as some providers have it.
        ([Some("2025-08-01T11:00:00Z"), ten, ten], [2, 1, 0]),
        ([ten, ten, Some("2025-08-01T11:00:00Z")], [0, 1, 2]),
    ] {
        let world = World::new();
        world.cost(&listed(&times, &moving)).await;
        let expected: Vec<String> = expected.iter().map(|n: &u32| format!("\"{n}\"")).collect();
        assert_eq!(world.logged("T-1").await, expected);
    }
}

#[tokio::test]
async fn a_scan_without_a_time_does_not_come_before_those_that_have_one() {
    let world = World::new();
    let times = [
        None,
        Some("2025-08-01T10:00:00Z"),
        Some("2025-08-01T11:00:00Z"),
    ];
    let statuses = ["pre_transit", "in_transit", "delivered"];
    let (status, answer) = world.send(&listed(&times, &statuses)).await;
    assert_eq!((status, &answer["logged"]), (200, &json!(3)), "{answer}");
    let id = AggregateId::Shipment("T-1".parse().unwrap());
    let loaded = world.commands.store.load::<Shipment>(&id).await.unwrap();
    assert_eq!(loaded.state.current.unwrap().status.as_str(), "DELIVERED");
}

// ---- Broken off, repeated, at the same time

#[tokio::test]
async fn a_webhook_that_is_broken_off_is_logged_whole_when_it_is_sent_again() {
    // Four commits: of the last one, the second attempt finds that it was stored all the same.
    for (lost_from, answered) in [(1, 503), (2, 503), (3, 503), (4, 200)] {
        let world = World::new();
        *world.table.lost_from.lock().unwrap() = Some(lost_from);
        let (status, _) = world.send(&tracker(0..350)).await;
        assert_eq!(status, answered, "{lost_from}");
        *world.table.lost_from.lock().unwrap() = None;
        let (status, answer) = world.send(&tracker(0..350)).await;
        assert_eq!(
            (status, &answer["version"]),
            (200, &json!(350)),
            "{lost_from}"
        );
        assert_eq!(world.logged("T-1").await, numbers(0..350));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_six_deliveries_from_eight_sides_make_each_scan_one() {
    let world = Arc::new(World::new());
    let mut sides = tokio::task::JoinSet::new();
    for side in 0..8 {
        let world = world.clone();
        sides.spawn(async move {
            for delivery in (side..46).step_by(8) {
                // Some know more than others.
                let (status, answer) = world.send(&tracker(0..250 + delivery)).await;
                assert_eq!(status, 200, "{answer}");
            }
        });
    }
    while let Some(side) = sides.join_next().await {
        side.unwrap();
    }
    let mut logged = world.logged("T-1").await;
    logged.sort();
    let mut expected = numbers(0..295);
    expected.sort();
    assert_eq!(logged, expected);
    assert_eq!(world.counted("ShipmentUpdatesProcessed", ""), 295);
}

#[tokio::test]
async fn two_webhooks_of_one_parcel_at_once_lose_nothing_of_each_other() {
    let world = World::new();
    // Both read before either writes.
    let (early, late) = (tracker(0..110), tracker(110..220));
    let (one, other) = tokio::join!(world.send(&early), world.send(&late));
    assert_eq!((one.0, other.0), (200, 200));
    let mut logged = world.logged("T-1").await;
    logged.sort();
    let mut expected = numbers(0..220);
    expected.sort();
    assert_eq!(logged, expected);
}

// ---- What is answered

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

// ---- Dead letters

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
        // Taken up again, it is read as it came, and no better.
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
    // Word for word, and with a scan more.
    let (status, answer) = world.send(&with_wrong(0..3, &[1])).await;
    let counts = |answer: &Value| ["logged", "known", "refused"].map(|name| answer[name].clone());
    assert_eq!((status, counts(&answer)), (200, [0, 2, 1].map(Value::from)));
    let (_, answer) = world.send(&with_wrong(0..4, &[1])).await;
    assert_eq!(counts(&answer), [1, 2, 1].map(Value::from));
    assert_eq!((letters(&world).len(), alerts(&world)), (1, 1));
    // Another scan is another letter, once.
    for _ in 0..2 {
        world.send(&with_wrong(0..4, &[1, 3])).await;
    }
    assert_eq!((letters(&world).len(), alerts(&world)), (2, 2));
    // Another process tells of it again, and by the same id.
    let other = World::new();
    other.send(&with_wrong(0..4, &[1])).await;
    let id = |letter: &str| serde_json::from_str::<Value>(letter).unwrap()["id"].clone();
    let (first, again) = (letters(&world)[0].clone(), letters(&other)[0].clone());
    assert_eq!(id(&first), id(&again));
    assert_ne!(id(&first), id(&letters(&world)[1]));
    // A letter that is taken up and still cannot be logged must not be thought of as done.
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
async fn a_number_with_a_slash_is_called_as_in_a_url() {
    for (code, id) in [
        ("2025/0042", "2025%2F0042"),
        ("/", "%2F"),
        ("A/B/C", "A%2FB%2FC"),
    ] {
        let world = World::new();
        let mut body = tracker(0..2);
        body["result"]["tracking_code"] = json!(code);
        let (status, answer) = world.send(&body).await;
        assert_eq!(
            (status, &answer["shipmentId"]),
            (200, &json!(id)),
            "{answer}"
        );
        assert_eq!(world.logged(id).await, ["\"0\"", "\"1\""]);
        assert!(world.operator.letters.lock().unwrap().is_empty());
        let id = AggregateId::Shipment(id.parse().unwrap());
        let loaded = world.commands.store.load::<Shipment>(&id).await.unwrap();
        assert_eq!(loaded.state.tracking_number.unwrap().value, code);
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
