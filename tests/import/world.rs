//! The world of these tests: the import over ports in memory, with the events that wait for it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::{Commands, Role, import::files::Object};
use domain::{Timestamp, event::EncodedEvent};
use event_store::{Clock, Commit, EventStore, Keys, memory::MemoryTable, table::CommitTable};
use futures::poll;
use lambda::{Answer, Invocation};
use serde_json::{Value, json, value::to_raw_value};
use support::{
    files::{BUCKET, MemoryFiles},
    operator::MemoryOperator,
};

use crate::faults::{Breakable, CrashSwitch};

/// All ports in memory, and the events on their way to the function.
pub struct World {
    pub commands: Commands,
    pub files: MemoryFiles,
    pub table: Arc<MemoryTable>,
    pub operator: Arc<MemoryOperator>,
    pub clock: Arc<TickingClock>,
    pub crash_switch: Arc<CrashSwitch>,
    /// The events that are not delivered yet.
    pub waiting: VecDeque<Value>,
    /// The number of the functions' puts that S3 has announced.
    announced: usize,
}

/// The end of an invocation.
#[derive(Debug, PartialEq)]
pub enum Ended {
    Answered(Answer),
    Crashed,
}

impl World {
    pub fn new() -> Self {
        Self::with_files(MemoryFiles::in_chunks_of(1_000))
    }

    pub fn with_files(files: MemoryFiles) -> Self {
        let table = Arc::new(MemoryTable::default());
        let operator = Arc::new(MemoryOperator::default());
        let clock = Arc::new(TickingClock::default());
        let crash_switch = Arc::new(CrashSwitch::default());
        let breakable = Arc::new(Breakable {
            crash_switch: crash_switch.clone(),
            files: files.clone(),
            table: table.clone(),
            operator: operator.clone(),
        });
        let commands = Commands {
            store: EventStore::new(breakable.clone()).with_keys(Keys::in_memory()),
            clock: clock.clone(),
            operator: breakable.clone(),
            files: breakable,
            carriers: commands::carriers::Carriers::none(),
            metrics: support::unread_metrics(),
            environment: "test".to_owned(),
        };
        Self {
            commands,
            files,
            table,
            operator,
            clock,
            crash_switch,
            waiting: VecDeque::new(),
            announced: 0,
        }
    }

    /// Returns the same world, whose functions use another table.
    pub fn with_table(mut self, table: Arc<dyn CommitTable>) -> Self {
        self.commands.store = EventStore::new(table).with_keys(Keys::in_memory());
        self
    }

    /// Uploads a file. Its event then waits for its delivery.
    pub fn upload(&mut self, key: &str, content: impl Into<Vec<u8>>) -> Object {
        let object = self.files.upload(key, content);
        self.waiting.push_back(created(&object));
        object
    }

    /// Delivers an event once. The function has `millis` milliseconds until its time-out.
    pub async fn deliver(&mut self, event: &Value, millis: Option<i64>) -> Ended {
        let end = millis.map(|millis| self.clock.at() + millis);
        let invocation = Invocation {
            deadline: end.and_then(Timestamp::from_millis),
            ..Invocation::of("request")
        };
        let payload = to_raw_value(event).unwrap();
        let commands = self.commands.clone();
        let handle = commands.handle(Role::Import, payload, &invocation);
        let mut handle = Box::pin(handle);
        let ended = loop {
            if let std::task::Poll::Ready(answer) = poll!(&mut handle) {
                break Ended::Answered(answer);
            }
            if self.crash_switch.has_crashed() {
                break Ended::Crashed;
            }
            tokio::task::yield_now().await;
        };
        drop(handle);
        self.crash_switch.reset();
        self.announce();
        ended
    }

    /// Adds the events of the objects that the functions have put, where a rule of the bus delivers
    /// them: those of checkpoints.
    fn announce(&mut self) {
        let put = self.files.put_by_functions();
        for key in &put[self.announced..] {
            if key.starts_with("reports/") && key.ends_with(".checkpoint.json") {
                let object = Object {
                    key: key.clone(),
                    version_id: Some("any".to_owned()),
                    etag: "any".to_owned(),
                };
                self.waiting.push_back(created(&object));
            }
        }
        self.announced = put.len();
    }

    /// Delivers all waiting events, and those that failed again, until none waits. Returns the
    /// number of deliveries.
    pub async fn deliver_all(&mut self, millis: Option<i64>) -> usize {
        for deliveries in 0..10_000 {
            let Some(event) = self.waiting.pop_front() else {
                return deliveries;
            };
            match self.deliver(&event, millis).await {
                Ended::Answered(Ok(_)) => {}
                _ => self.waiting.push_back(event),
            }
        }
        panic!("it never settles");
    }

    /// Uploads a file, imports it without any fault, and returns its report.
    pub async fn import(&mut self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        let object = self.upload(key, content);
        assert_eq!(self.deliver_all(None).await, 1);
        self.report(&object)
    }

    /// Returns the report of a file.
    pub fn report(&self, object: &Object) -> Value {
        self.json(&report_key(object))
    }

    /// Returns the content of an object, as JSON.
    pub fn json(&self, key: &str) -> Value {
        let content = self.files.content(key);
        let content = content.unwrap_or_else(|| panic!("no {key} in {:?}", self.files.keys()));
        serde_json::from_slice(&content).unwrap()
    }

    /// Returns all commits, by aggregate.
    pub fn commits(&self) -> BTreeMap<String, Vec<Commit>> {
        let mut commits: BTreeMap<String, Vec<Commit>> = BTreeMap::new();
        for item in self.table.all() {
            let commit = Commit::from_item(item).unwrap();
            let of_aggregate = commits.entry(commit.aggregate.to_string()).or_default();
            of_aggregate.push(commit);
        }
        commits
    }

    /// Returns the result of all imports: the commits without their times, and the reports.
    pub fn result(&self) -> (Vec<String>, Value) {
        let event = |event: &EncodedEvent| {
            let mut data: Value = serde_json::from_str(event.data.get()).unwrap();
            data["at"].take();
            format!("{} {data}", event.kind)
        };
        let commit = |commit: &Commit| {
            let (aggregate, sequence) = (&commit.aggregate, commit.sequence);
            let events: Vec<String> = commit.events.iter().map(event).collect();
            format!("{aggregate} {sequence} {:?} {events:?}", commit.cause)
        };
        let commits = self.commits().into_values().flatten();
        let commits = commits.map(|it| commit(&it)).collect();
        let keys = self.files.keys().into_iter();
        // Checkpoints and progress depend on the course of an import and are not its result.
        let own = |key: &str| key.ends_with(".checkpoint.json") || key.ends_with("progress.json");
        let reports = keys.filter(|key| key.starts_with("reports/") && !own(key));
        let reports = reports.map(|key| (self.json(&key), key));
        let reports = reports.map(|(content, key)| (key, content));
        (commits, Value::Object(reports.collect()))
    }

    /// Returns the table, to wrap it into another one.
    pub fn inner_table(&self) -> Arc<dyn CommitTable> {
        self.table.clone()
    }
}

/// Returns the key of an object's report.
pub fn report_key(object: &Object) -> String {
    format!("reports/{}/{}/report.json", object.key, object.version())
}

/// Returns the event of S3 about a new object, as EventBridge delivers it.
pub fn created(object: &Object) -> Value {
    json!({
        "version": "0",
        "id": format!("event-{}-{}", object.key, object.version()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": "2026-01-15T12:00:00Z",
        "region": "us-east-1",
        "resources": [format!("arn:aws:s3:::{BUCKET}")],
        "detail": {
            "version": "0",
            "bucket": { "name": BUCKET },
            "object": {
                "key": object.key,
                "size": 1234,
                "etag": object.etag,
                "version-id": object.version_id,
                "sequencer": format!("sequencer-of-{}", object.version()),
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "000000000000",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    })
}

/// Returns an order as JSON on one line, with characters that a splitter could mistake.
pub fn order(id: &str) -> String {
    json!({
        "orderId": id,
        "customerId": "customer, \"one\" {",
        "items": [{ "productId": "p", "name": "n\\", "quantity": 2, "price": 1.25 }, { "name": "[n]", "quantity": 1, "price": "3" }],
        "totalAmount": 5.5,
        "note": { "lines": ["a", "b"] },
    })
    .to_string()
}

/// Returns the counts of a report: `accepted`, `alreadyKnown`, `rejected` and `total`.
pub fn counts(report: &Value) -> [u64; 4] {
    ["accepted", "alreadyKnown", "rejected", "total"].map(|name| report[name].as_u64().unwrap())
}

/// Returns the position and the code of each rejection of a report.
pub fn rejections(report: &Value) -> Vec<(u64, String)> {
    let rejections = report["rejections"].as_array().unwrap().iter();
    let one = |rejection: &Value| {
        let code = rejection["code"].as_str().unwrap().to_owned();
        (rejection["position"].as_u64().unwrap(), code)
    };
    rejections.map(one).collect()
}

/// A clock that advances by a number of milliseconds at each reading.
#[derive(Default)]
pub struct TickingClock {
    millis: AtomicI64,
    step: AtomicI64,
}

impl TickingClock {
    /// Lets the clock advance by `millis` milliseconds at each reading.
    pub fn step(&self, millis: i64) {
        self.step.store(millis, Ordering::SeqCst);
    }

    /// Returns the time in milliseconds since 1970, without advancing it.
    pub fn at(&self) -> i64 {
        1_768_478_400_000 + self.millis.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        let step = self.step.load(Ordering::SeqCst);
        self.millis.fetch_add(step, Ordering::SeqCst);
        Timestamp::from_millis(self.at()).unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}
