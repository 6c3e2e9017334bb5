//! All entry points over ports in memory, and the checks of their answers. The fuzzer uses this
//! file, too.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use commands::{Commands, limits::ALERT_TEXT_MAX};
use domain::{Json, Timestamp};
use event_store::{
    Clock, Commit, EventStore, Keys, commit::Item, limits::CAUSE_TEXT_BYTES_MAX,
    memory::MemoryTable, size::item_bytes,
};
use lambda::{Answer, Failed, Invocation, Payload};
use projectors::{
    Environment, Projectors,
    ports::{Alert, Announcement, Table},
    row::to_item,
};
use serde_json::{Value, json, value::RawValue};
use support::{
    files::{BUCKET, MemoryFiles},
    operator::MemoryOperator,
    outbox::Outbox,
    rows::MemoryRows,
    stream::batch,
};

/// The limit of a DynamoDB item, in bytes.
const ITEM_BYTES: usize = 400 * 1024;
/// The limit of an EventBridge entry and of an SNS message, in bytes.
const MESSAGE_BYTES: usize = 256 * 1024;

/// The most significant digits of a DynamoDB number.
const DIGITS: usize = 38;

/// Internal details that no answer may show.
const INTERNAL: [&str; 6] = [
    "SdkError",
    "waybill-test-",
    "panicked",
    ".rs:",
    "serde",
    "missing field",
];

/// The entry point that gets a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Api,
    Invoke,
    Bus,
    Import,
    Project,
    Notify,
    Query,
}

/// Both executables, over ports in memory.
pub struct World {
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    bus: Arc<Outbox<Announcement>>,
    topic: Arc<Outbox<Alert>>,
    operator: Arc<MemoryOperator>,
    files: MemoryFiles,
    commands: Commands,
    projectors: Projectors,
}

impl World {
    /// Returns a world without any data.
    pub fn new() -> Self {
        let table = Arc::new(MemoryTable::default());
        let store = EventStore::new(table.clone()).with_keys(Keys::in_memory());
        let rows = Arc::new(MemoryRows::default());
        let bus = Arc::new(Outbox::default());
        let topic = Arc::new(Outbox::default());
        let operator = Arc::new(MemoryOperator::default());
        let environment = "test".to_owned();
        let files = MemoryFiles::default();
        Self {
            commands: Commands {
                store: store.clone(),
                clock: Arc::new(Stopped),
                operator: operator.clone(),
                files: Arc::new(files.clone()),
                carriers: commands::carriers::Carriers::none(),
                metrics: support::unread_metrics(),
                environment: environment.clone(),
            },
            projectors: Projectors {
                store,
                rows: rows.clone(),
                bus: bus.clone(),
                topic: topic.clone(),
                metrics: support::unread_metrics(),
                clock: Arc::new(Stopped),
                environment: Environment::of_one_shard(environment),
                stalled_after: lambda::StalledAfter::default(),
                rebuilds: support::ledger::rebuilds(),
                additional: Vec::new(),
            },
            table,
            rows,
            bus,
            topic,
            operator,
            files,
        }
    }

    /// Uploads a file as `name` under `orders/`, imports it, and compares its report with what was
    /// stored. Returns the number of orders that it has placed.
    pub async fn check_file(&self, name: &str, content: &[u8]) -> u64 {
        let object = self.files.upload(&format!("orders/{name}"), content);
        let event = json!({
            "id": "upload", "source": "aws.s3", "detail-type": "Object Created",
            "detail": {
                "bucket": { "name": BUCKET },
                "object": {
                    "key": object.key, "etag": object.etag, "version-id": object.version_id,
                    "size": content.len(), "sequencer": object.version(),
                },
            },
        });
        let before = self.commits().len();
        let answer = self.check(Entry::Import, &event.to_string()).await;
        assert_eq!(answer, Ok(Value::Null));
        let report = format!("reports/{}/{}/report.json", object.key, object.version());
        let report = self.files.content(&report).unwrap();
        let text = String::from_utf8(report).unwrap();
        for word in INTERNAL.iter().filter(|word| **word != "waybill-test-") {
            assert!(!text.contains(word), "{word} in {text}");
        }
        let report: Value = serde_json::from_str(&text).unwrap();
        let count = |name: &str| report[name].as_u64().unwrap();
        let accepted = count("accepted");
        assert_eq!(accepted as usize, self.commits().len() - before);
        let all = accepted + count("alreadyKnown") + count("rejected");
        assert_eq!(all, count("total"), "{text}");
        accepted
    }

    /// Invokes an entry point with `payload` and checks its answer and its effects.
    pub async fn check(&self, entry: Entry, payload: &str) -> Answer {
        let answer = self.invoke(entry, payload).await;
        match (entry, &answer) {
            // The event is delivered again, since the order may arrive later.
            (Entry::Bus, Err(Failed(text))) if text == "there is no such order yet" => {}
            (_, Err(Failed(text))) => assert!(
                matches!(
                    text.as_str(),
                    "not a request of an HTTP API" | "not a batch of a DynamoDB stream"
                ) && !matches!(entry, Entry::Bus | Entry::Import),
                "{entry:?} failed: {text}"
            ),
            (Entry::Api | Entry::Invoke, Ok(answer)) => check_answer(answer),
            (Entry::Query, Ok(answer)) => {
                check_http(answer);
            }
            (Entry::Bus | Entry::Import, Ok(answer)) => assert_eq!(answer, &Value::Null),
            // Nothing in memory is ever unavailable, so no batch has to be delivered again.
            (Entry::Project | Entry::Notify, Ok(answer)) => {
                assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#);
            }
        }
        let parked = format!("{:?}", self.rows.all(Table::Parked));
        assert!(
            !parked.contains("\"panic\""),
            "{entry:?} panicked: {parked}"
        );
        answer
    }

    async fn invoke(&self, entry: Entry, payload: &str) -> Answer {
        let raw: Payload = RawValue::from_string(payload.to_owned()).unwrap();
        match entry {
            Entry::Api => {
                let invocation = Invocation::of("r-1").by_gateway();
                let api = self.commands.handle(commands::Role::Api, raw, &invocation);
                api.await
            }
            Entry::Invoke => {
                self.commands
                    .handle(commands::Role::Invoke, raw, &Invocation::of("r-1"))
                    .await
            }
            Entry::Bus => {
                let before = self.operator.messages();
                let answer = self
                    .commands
                    .handle(commands::Role::Bus, raw, &Invocation::of("r-1"))
                    .await;
                let after = self.operator.messages();
                let rejected = after.dead_letters.len() - before.dead_letters.len();
                assert!(rejected <= 1, "one event, {rejected} dead letters");
                assert_eq!(after.alerts.len() - before.alerts.len(), rejected);
                if let Some((letter, _)) = after.dead_letters.last().filter(|_| rejected == 1) {
                    assert_eq!(
                        letter,
                        payload.trim(),
                        "a dead letter is the event as it came"
                    );
                    let (_, text, id) = after.alerts.last().unwrap();
                    assert!(text.chars().count() <= ALERT_TEXT_MAX, "{text}");
                    assert!((1..=CAUSE_TEXT_BYTES_MAX).contains(&id.len()), "{id}");
                }
                answer
            }
            Entry::Import => {
                self.commands
                    .handle(commands::Role::Import, raw, &Invocation::of("r-1"))
                    .await
            }
            Entry::Project => self.project(projectors::Role::Project, raw).await,
            Entry::Notify => self.project(projectors::Role::Notify, raw).await,
            Entry::Query => self.project(projectors::Role::Query, raw).await,
        }
    }

    async fn project(&self, role: projectors::Role, payload: Payload) -> Answer {
        self.projectors
            .handle(role, payload, &Invocation::of("r-1"))
            .await
    }

    /// Returns all stored commits.
    pub fn commits(&self) -> Vec<Commit> {
        let items = self.table.all().into_iter();
        items.map(|item| Commit::from_item(item).unwrap()).collect()
    }

    /// Returns the number of events that became dead letters.
    pub fn rejected(&self) -> usize {
        self.operator.messages().dead_letters.len()
    }

    /// Checks that everything accepted fits the limits downstream: of the table, the read models,
    /// the bus and the topic.
    pub async fn check_downstream(&self) {
        for item in self.table.all() {
            check_item(&item);
        }
        let commits = self.commits();
        let payload = batch(&commits);
        for entry in [Entry::Project, Entry::Notify] {
            let answer = self.check(entry, payload.get()).await;
            assert!(answer.is_ok(), "{entry:?}: {answer:?}");
        }
        assert_eq!(self.rows.all(Table::Parked), [], "accepted, then parked");
        for table in [Table::ProcessedOrders, Table::ShipmentLog] {
            for row in self.rows.all(table) {
                check_item(&to_item(row));
            }
        }
        for message in self.bus.accepted() {
            check_announcement(&message);
        }
        for alert in self.topic.accepted() {
            check_alert(&alert);
        }
    }
}

/// Checks the limits of EventBridge: 256 KiB for an entry with everything that counts, 128
/// characters for a detail-type, 256 for a source (`PutEventsRequestEntry`; user guide, "PutEvents
/// entry size").
fn check_announcement(message: &Announcement) {
    let detail = message.detail.to_string();
    let bytes = 14 + message.source.len() + message.detail_type.len() + detail.len();
    assert!(bytes <= MESSAGE_BYTES, "an entry of {bytes} bytes");
    assert!((1..=128).contains(&message.detail_type.chars().count()));
    assert!((1..=256).contains(&message.source.chars().count()));
    let trace = message.trace.as_ref().map_or(0, |it| it.to_xray().len());
    assert!(trace <= 500, "a trace header of {trace} characters");
}

/// Checks the limits of SNS: 256 KiB with subject and attributes, a subject of at most 100
/// printable ASCII characters, no empty attribute.
fn check_alert(alert: &Alert) {
    let subject = &alert.subject;
    assert!((1..=100).contains(&subject.len()), "{subject:?}");
    assert!(
        subject.bytes().all(|b| (b' '..=b'~').contains(&b)),
        "{subject:?}"
    );
    let mut bytes = subject.len() + alert.body.len();
    for (name, value) in &alert.attributes {
        assert!(!value.is_empty(), "{name} is empty");
        bytes += name.len() + "String".len() + value.len();
    }
    assert!(bytes <= MESSAGE_BYTES, "a message of {bytes} bytes");
    assert!(!alert.body.contains(|c: char| c.is_control() && c != '\n'));
}

/// Checks the limits of DynamoDB: the size of an item, and the digits and the range of its numbers.
fn check_item(item: &Item) {
    assert!(item_bytes(item) <= ITEM_BYTES, "{} bytes", item_bytes(item));
    item.values().for_each(check_value);
}

fn check_value(value: &aws_sdk_dynamodb::types::AttributeValue) {
    use aws_sdk_dynamodb::types::AttributeValue;
    match value {
        AttributeValue::N(number) => check_number(number),
        AttributeValue::L(values) => values.iter().for_each(check_value),
        AttributeValue::M(members) => members.values().for_each(check_value),
        _ => {}
    }
}

fn check_number(text: &str) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_start_matches('0');
    // The range is from 1e-130 up to, not including, 1e126.
    let size = exponent + significant.len() as i64 - fraction.len() as i64;
    let significant = significant.trim_end_matches('0');
    assert!(significant.len() <= DIGITS, "{text}");
    assert!(
        significant.is_empty() || (-129..=126).contains(&size),
        "{text}"
    );
}

/// Checks an answer of the role `api`: to an HTTP request or to a direct invocation.
fn check_answer(answer: &Value) {
    if answer["statusCode"].is_number() {
        let (status, body) = check_http(answer);
        if status == 200 {
            check_reply(&body);
        }
    } else if answer["error"].is_object() {
        check_problem(&answer["error"]);
    } else {
        check_reply(answer);
    }
}

fn check_reply(reply: &Value) {
    assert!(reply["message"].is_string(), "{reply}");
    let id = reply.get("orderId").or(reply.get("shipmentId"));
    assert!(id.is_some_and(Value::is_string), "{reply}");
    assert!(reply["status"].is_string(), "{reply}");
    assert!(reply["version"].as_u64() > Some(0), "{reply}");
}

/// Checks that an answer has the payload format 2.0 of the HTTP API. Returns its status and its
/// body.
pub fn check_http(answer: &Value) -> (u64, Value) {
    let status = answer["statusCode"].as_u64().unwrap();
    // Nothing in memory is unavailable, and no payload may cause an error of the server.
    assert!((200..500).contains(&status), "{answer}");
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    let headers = answer["headers"].as_object().unwrap();
    for (name, value) in headers {
        let value = value.as_str().unwrap();
        assert!(
            http::HeaderName::try_from(name.as_str()).is_ok(),
            "{name:?}"
        );
        assert!(http::HeaderValue::try_from(value).is_ok(), "{value:?}");
    }
    let text = answer["body"].as_str().unwrap();
    Json::parse(text).unwrap();
    let body: Value = serde_json::from_str(text).unwrap();
    let content_type = match status {
        200 => "application/json",
        _ => "application/problem+json",
    };
    assert_eq!(headers["content-type"], content_type, "{answer}");
    if status != 200 {
        check_problem(&body);
        assert_eq!(body["status"], status, "{body}");
    }
    (status, body)
}

fn check_problem(problem: &Value) {
    for name in ["type", "title", "detail", "code", "message"] {
        let text = problem[name].as_str();
        assert!(
            text.is_some_and(|text| !text.is_empty()),
            "{name}: {problem}"
        );
    }
    assert_eq!(problem["detail"], problem["message"]);
    let status = problem["status"].as_u64();
    assert!(
        status.is_some_and(|status| (400..500).contains(&status)),
        "{problem}"
    );
    let text = problem.to_string();
    for word in INTERNAL {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

/// A clock that always shows the same time and does not wait.
struct Stopped;

#[async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_705_320_000_000).unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}
