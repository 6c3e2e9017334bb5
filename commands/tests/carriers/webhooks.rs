//! A webhook from its request to its commits, in a world in memory.

mod answers;
mod dead_letters;
mod logged;

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
        secrets::{CachedSecrets, FixedSecrets},
    },
    import::files::{Chunks, FileError, Files, Object},
    operator::{DeadLetterReason, Operator, Unreachable},
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
    Answer, Invocation,
    metrics::{LatestLines, Metrics},
};
use serde_json::{Value, json, value::to_raw_value};
use sha2::Sha256;

const SECRET: &str = "secret";

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
    async fn keep_dead_letter(&self, event: &str, _: &DeadLetterReason) -> Result<(), Unreachable> {
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
                    secrets: Arc::new(CachedSecrets::new(FixedSecrets(secrets.collect()))),
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
