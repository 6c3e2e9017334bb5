//! A system that is none of ours in the emulator: a library with one table, one bus, one route. It
//! also shows what a definition looks like.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use emulator::definition::{
    Bucket, Definition, Function, HttpApi, Key, Queue, Route, Rule, Schedule, StreamConsumer, Table,
};
use emulator::{
    Answer, Context, Emulator, Files, FunctionError, Handler, Listeners, Payload, Printed,
    StartError,
};
use reqwest::{Client, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("library-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Files {
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

/// A function that remembers what it was given, fails where that holds the word `broken`, and
/// prints a metric.
#[derive(Clone)]
struct Noting {
    calls: Arc<Mutex<Vec<(Value, Context)>>>,
    printed: Printed,
}

#[async_trait]
impl Handler for Noting {
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

/// The library and its functions' notes.
struct Library {
    emulator: Emulator,
    notes: BTreeMap<&'static str, Noting>,
    http: Client,
}

fn rule() -> Rule {
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

fn definition(notes: &BTreeMap<&'static str, Noting>) -> Definition {
    let function = |(id, noting): (&&str, &Noting)| Function {
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

async fn listeners() -> Listeners {
    let free = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    Listeners {
        http_api: free().await,
        aws: free().await,
    }
}

impl Library {
    async fn open(folder: &Folder) -> Self {
        let printed = Printed::default();
        let noting = |id| {
            let noting = Noting {
                calls: Arc::default(),
                printed: printed.clone(),
            };
            (id, noting)
        };
        let notes = BTreeMap::from(["shelve", "lend", "desk", "remind"].map(noting));
        let definition = definition(&notes);
        let (listeners, files) = (listeners().await, folder.files());
        let started = Emulator::start(definition, listeners, files, printed);
        Self {
            emulator: started.await.unwrap(),
            notes,
            http: Client::new(),
        }
    }

    /// What a function was given so far.
    fn taken(&self, function: &str) -> Vec<Value> {
        let calls = self.notes[function].calls.lock().unwrap();
        calls.iter().map(|(given, _)| given.clone()).collect()
    }

    /// Calls an operation as AWS's JSON protocols do.
    async fn call(&self, target: &str, request: &Value) -> Value {
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

    async fn put_book(&self, isbn: &str) {
        let item = json!({ "isbn": { "S": isbn } });
        let request = json!({ "TableName": "library-books", "Item": item });
        self.call("DynamoDB_20120810.PutItem", &request).await;
    }

    async fn look(&self, what: &str) -> Value {
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

/// Waits until `holds`.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_item_put_into_a_table_reaches_a_function_by_the_stream() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    library.put_book("1").await;
    eventually("the book is shelved", async || {
        !library.taken("shelve").is_empty()
    })
    .await;
    let batch = &library.taken("shelve")[0];
    assert_eq!(batch["Records"].as_array().unwrap().len(), 1);
    let record = &batch["Records"][0];
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["dynamodb"]["NewImage"]["isbn"]["S"], "1");

    // A record that fails at each attempt lies in the bucket, and the next one is taken.
    library.put_book("broken").await;
    library.put_book("2").await;
    eventually("the third book is shelved", async || {
        let status = library.look("status").await;
        status["consumers"]["shelve"]["behind"] == 0
    })
    .await;
    let letters = library.look("dead-letters").await;
    let letters = letters["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0]["consumer"], &letters[0]["attempts"]),
        (&json!("shelve"), &json!(2))
    );
    let key = letters[0]["object"].as_str().unwrap();
    let object = format!("http://{}/library-failures/{key}", library.emulator.aws());
    let object: Value = library
        .http
        .get(object)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(object["payload"].as_str().unwrap().contains("broken"));
    library.emulator.stop().await;
}

#[tokio::test]
async fn an_event_put_on_a_bus_reaches_a_function_by_a_rule() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let entry = |kind: &str, bus: &str| {
        json!({ "Source": "library.desk", "DetailType": kind, "EventBusName": bus,
                "Detail": "{\"isbn\":\"1\"}" })
    };
    let entries = [
        entry("Card Lost", "library"),
        entry("Book Lent", "default"),
        entry("Book Lent", "library"),
    ];
    let request = json!({ "Entries": entries });
    let answer = library.call("AWSEvents.PutEvents", &request).await;
    assert_eq!(answer["FailedEntryCount"], 0);
    eventually("the book is lent", async || {
        !library.taken("lend").is_empty()
    })
    .await;
    library.emulator.stop().await;

    let taken = library.notes["lend"].calls.lock().unwrap().clone();
    assert_eq!(taken.len(), 1);
    let (event, context) = &taken[0];
    assert_eq!(
        (&event["detail-type"], &event["detail"]),
        (&json!("Book Lent"), &json!({ "isbn": "1" }))
    );
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:library-lend";
    assert_eq!(context.invoked_function_arn, arn);

    // All three are kept, also by the next process.
    let library = Library::open(&folder).await;
    let messages = library.look("messages").await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 3);
    library.emulator.stop().await;
}

#[tokio::test]
async fn an_asynchronous_invocation_that_fails_becomes_a_dead_letter_after_its_tries() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let url = format!(
        "http://{}/2015-03-31/functions/library-lend/invocations",
        library.emulator.aws()
    );
    let invoked = library
        .http
        .post(url)
        .header("X-Amz-Invocation-Type", "Event");
    let invoked = invoked.body(r#"{"book":"broken"}"#).send().await.unwrap();
    assert_eq!(invoked.status(), StatusCode::ACCEPTED);
    eventually("it is given up", async || {
        library.look("status").await["deadLetters"] == 1
    })
    .await;
    let calls = library.notes["lend"].calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 3);
    assert!(
        calls
            .iter()
            .all(|(_, context)| context.request_id == calls[0].1.request_id)
    );

    let queue = "http://localhost/000000000000/library-dead-letters";
    let request = json!({ "QueueUrl": queue, "MessageAttributeNames": ["All"] });
    let received = library.call("AmazonSQS.ReceiveMessage", &request).await;
    let message = &received["Messages"][0];
    assert_eq!(message["Body"], r#"{"book":"broken"}"#);
    let reason = &message["MessageAttributes"]["ErrorMessage"]["StringValue"];
    assert_eq!(reason, "it is broken");
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_route_leads_to_a_function_and_a_foreign_host_nowhere() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    let api = library.emulator.http_api();
    let put = |path: &str| library.http.put(format!("http://{api}{path}"));
    let answer = put("/books/7").body("new").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), "done");
    let request = &library.taken("desk")[0];
    assert_eq!(request["routeKey"], "PUT /books/{isbn}");
    assert_eq!(
        (&request["pathParameters"]["isbn"], &request["body"]),
        (&json!("7"), &json!("new"))
    );

    let nowhere = put("/shelves").send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    let foreign = put("/books/7").header("Host", "evil.example");
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(foreign.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    assert_eq!(library.taken("desk").len(), 1);
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_schedule_runs_its_function_and_what_that_prints_is_looked_at() {
    let folder = Folder::new();
    let library = Library::open(&folder).await;
    eventually("the reminder runs again", async || {
        library.taken("remind").len() > 1
    })
    .await;
    assert_eq!(library.taken("remind")[0], json!({ "late": true }));
    let metrics = library.look("metrics").await;
    assert_eq!(metrics["metrics"][0], json!({ "_aws": {}, "Calls": 1 }));
    library.emulator.stop().await;
}

#[tokio::test]
async fn a_definition_that_does_not_hold_together_starts_nothing() {
    let folder = Folder::new();
    let unsound = Definition {
        rules: vec![rule()],
        ..Definition::default()
    };
    let started = Emulator::start(
        unsound,
        listeners().await,
        folder.files(),
        Printed::default(),
    );
    let refused = started.await.err().unwrap();
    assert!(matches!(refused, StartError::Definition(_)), "{refused}");
    assert!(!Path::exists(&folder.files().state));
}
