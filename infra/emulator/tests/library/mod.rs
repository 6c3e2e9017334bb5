//! The toy system of the tests, a library: its definition, its functions, and its client.

// Not every test uses all of it.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use emulator::definition::{
    Bucket, Definition, Function, HttpApi, Key, KmsKey, Queue, Route, Rule, Schedule,
    StreamConsumer, Table,
};
use emulator::{
    Answer, Context, Emulator, Files, FunctionError, Handler, Listeners, Payload, Printed,
};
use reqwest::{Client, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The longest time that a test waits for a condition.
const PATIENCE: Duration = Duration::from_secs(20);

/// A temporary folder, which is removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("library-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The KMS key for the data of readers.
    pub fn key(&self) -> KmsKey {
        KmsKey {
            alias: "alias/library-readers".to_owned(),
            file: self.0.join("readers.keys"),
        }
    }

    pub fn files(&self) -> Files {
        let Self(folder) = self;
        Files {
            database: folder.join("dynamodb.sqlite"),
            state: folder.join("state.sqlite"),
            objects: folder.join("objects"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A function that records its invocations and prints a metric. It fails where its payload contains
/// the word `broken`.
#[derive(Clone)]
pub struct RecordingHandler {
    pub calls: Arc<Mutex<Vec<(Value, Context)>>>,
    printed: Printed,
}

#[async_trait]
impl Handler for RecordingHandler {
    async fn invoke(&self, payload: Payload, context: &Context) -> Answer {
        let given: Value = serde_json::from_str(payload.get()).unwrap();
        self.calls.lock().unwrap().push((given, context.clone()));
        self.printed.take("a line of a log".to_owned());
        self.printed
            .take(json!({ "_aws": {}, "Calls": 1 }).to_string());
        match payload.get().contains("broken") {
            true => Err(FunctionError("it is broken".to_owned())),
            false => Ok(json!({ "statusCode": 200, "body": "done" })),
        }
    }
}

/// A running library, and the records of its functions.
pub struct Library {
    pub emulator: Emulator,
    pub notes: BTreeMap<&'static str, RecordingHandler>,
    pub http: Client,
}

pub fn rule() -> Rule {
    Rule {
        name: "loans".to_owned(),
        bus: "library".to_owned(),
        pattern: r#"{ "source": ["library.desk"], "detail-type": [{ "prefix": "Book " }] }"#
            .to_owned(),
        target: "lend".to_owned(),
    }
}

fn books() -> Table {
    Table {
        name: "library-books".to_owned(),
        partition_key: Key {
            name: "isbn".to_owned(),
            kind: "S".to_owned(),
        },
        sort_key: None,
        indexes: Vec::new(),
        stream: Some("NEW_IMAGE".to_owned()),
    }
}

fn definition(notes: &BTreeMap<&'static str, RecordingHandler>, folder: &Folder) -> Definition {
    let function = |(id, noting): (&&str, &RecordingHandler)| Function {
        id: (*id).to_owned(),
        name: format!("library-{id}"),
        timeout: Duration::from_secs(5),
        reserved_concurrency: None,
        variables: BTreeMap::new(),
        handler: Arc::new(noting.clone()),
    };
    Definition {
        environment: "library".to_owned(),
        functions: notes.iter().map(function).collect(),
        tables: vec![books()],
        stream_consumers: vec![StreamConsumer {
            function: "shelve".to_owned(),
            table: books().name,
            batch_size: 10,
            attempts: 2,
            failure_bucket: "failures".to_owned(),
        }],
        buses: vec!["library".to_owned()],
        rules: vec![rule()],
        kept_sources: vec!["library.".to_owned()],
        schedules: vec![Schedule {
            function: "remind".to_owned(),
            every: Duration::from_millis(50),
            input: RawValue::from_string(r#"{"late":true}"#.to_owned()).unwrap(),
        }],
        dead_letter_queue: Queue {
            name: "library-dead-letters".to_owned(),
            ..Queue::default()
        },
        buckets: vec![Bucket {
            id: "failures".to_owned(),
            name: "library-failures".to_owned(),
            event_bridge: false,
        }],
        kms_keys: vec![folder.key()],
        http_api: HttpApi {
            routes: vec![Route {
                method: "PUT".to_owned(),
                path: "/books/{isbn}".to_owned(),
                function: "desk".to_owned(),
            }],
            ..HttpApi::default()
        },
        ..Definition::default()
    }
}

pub async fn listeners() -> Listeners {
    let free = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    Listeners {
        http_api: free().await,
        aws: free().await,
    }
}

impl Library {
    pub async fn open(folder: &Folder) -> Self {
        let printed = Printed::default();
        let noting = |id| {
            let noting = RecordingHandler {
                calls: Arc::default(),
                printed: printed.clone(),
            };
            (id, noting)
        };
        let notes = BTreeMap::from(["shelve", "lend", "desk", "remind"].map(noting));
        let definition = definition(&notes, folder);
        let (listeners, files) = (listeners().await, folder.files());
        let started = Emulator::start(definition, listeners, files, printed);
        Self {
            emulator: started.await.unwrap(),
            notes,
            http: Client::new(),
        }
    }

    /// Returns the payloads that a function has received so far.
    pub fn taken(&self, function: &str) -> Vec<Value> {
        let calls = self.notes[function].calls.lock().unwrap();
        calls.iter().map(|(given, _)| given.clone()).collect()
    }

    /// Calls an operation in AWS's JSON protocol.
    pub async fn call(&self, target: &str, request: &Value) -> Value {
        let signature = "AWS4-HMAC-SHA256 Credential=any/20000101/us-east-1/any/aws4_request, \
                         SignedHeaders=host, Signature=any";
        let sent = self.http.post(format!("http://{}/", self.emulator.aws()));
        let sent = sent
            .header("X-Amz-Target", target)
            .header("X-Amz-Date", "20000101T000000Z")
            .header("Authorization", signature)
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(request.to_string());
        let answer = sent.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn put_book(&self, isbn: &str) {
        let item = json!({ "isbn": { "S": isbn } });
        let request = json!({ "TableName": "library-books", "Item": item });
        self.call("DynamoDB_20120810.PutItem", &request).await;
    }

    /// Switches faults, and returns the status and the answer.
    pub async fn switch(&self, wanted: Value) -> (StatusCode, Value) {
        let url = format!("http://{}/_local/faults", self.emulator.aws());
        let answer = self.http.put(url).body(wanted.to_string()).send();
        let answer = answer.await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub async fn lend(&self, isbn: &str) {
        let detail = json!({ "isbn": isbn }).to_string();
        let entry = json!({ "Source": "library.desk", "DetailType": "Book Lent",
                            "EventBusName": "library", "Detail": detail });
        let request = json!({ "Entries": [entry] });
        self.call("AWSEvents.PutEvents", &request).await;
    }

    pub async fn look(&self, what: &str) -> Value {
        let url = format!("http://{}/_local/{what}", self.emulator.aws());
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }
}

/// Waits until `holds` returns true; fails after [`PATIENCE`].
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
