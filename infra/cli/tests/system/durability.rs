//! Whatever was accepted survives a stop, a failing function and a kill.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use local::functions::Role;
use serde_json::{Value, json};

use crate::support::{Folder, Running, eventually};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:waybill-test-alerts";

/// Sends one event to the bus of the environment `test`.
async fn put_event(running: &Running, source: &str, detail_type: &str, detail: &str) {
    let entry = PutEventsRequestEntry::builder()
        .source(source)
        .detail_type(detail_type)
        .detail(detail)
        .event_bus_name("waybill-test")
        .build();
    let client = aws_sdk_eventbridge::Client::new(&running.config);
    let answer = client.put_events().entries(entry).send().await.unwrap();
    assert_eq!(answer.failed_entry_count, 0);
}

#[tokio::test]
async fn messages_are_kept_over_a_restart() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    put_event(
        &running,
        "waybill.orders",
        "Order Created",
        "{\"totalAmount\":1.10}",
    )
    .await;
    let sns = aws_sdk_sns::Client::new(&running.config);
    sns.publish()
        .topic_arn(TOPIC)
        .subject("s")
        .message("m")
        .send()
        .await
        .unwrap();
    let before = running.get_json("/_local/messages").await;
    running.system.stop().await;

    let running = Running::start(&folder.settings()).await.unwrap();
    assert_eq!(running.get_json("/_local/messages").await, before);
    let messages = before["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (&messages[0]["via"], &messages[0]["subject"]),
        (&json!("SNS"), &json!("s"))
    );
    assert_eq!(messages[1]["detailType"], "Order Created");
    let text = running
        .http
        .get(running.aws("/_local/messages?limit=1&before=2"));
    let text = text.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("{\"totalAmount\":1.10}"), "{text}");
    running.system.stop().await;
}

#[tokio::test]
async fn both_consumers_take_every_record_once_and_in_order() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let names: Vec<String> = (0..150).map(|n| format!("order#{n}")).collect();
    for name in &names {
        running.commit(name).await;
    }
    for role in [Role::Project, Role::Notify] {
        eventually("all records", async || {
            running.functions.records(role).len() >= 150
        })
        .await;
        assert_eq!(running.functions.records(role), names);
    }
    let caught_up = async || {
        let status = running.get_json("/_local/status").await;
        status["consumers"]["project"]["behind"] == 0
            && status["consumers"]["notify"]["behind"] == 0
    };
    eventually("both have caught up", caught_up).await;
    running.system.stop().await;

    let running = Running::start(&folder.settings()).await.unwrap();
    running.commit("order#last").await;
    for role in [Role::Project, Role::Notify] {
        eventually("the record", async || {
            !running.functions.records(role).is_empty()
        })
        .await;
        assert_eq!(running.functions.records(role), ["order#last"]);
    }
    running.system.stop().await;
}

#[tokio::test]
async fn one_failing_consumer_does_not_hold_the_other_back() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    running.functions.fail(Role::Notify, 4);
    running.commit("order#1").await;
    running.commit("order#2").await;
    eventually("project", async || {
        running.functions.records(Role::Project).len() == 2
    })
    .await;
    eventually("notify", async || {
        running.functions.records(Role::Notify).len() == 2
    })
    .await;
    assert_eq!(running.get_json("/_local/status").await["deadLetters"], 0);
    running.system.stop().await;
}

#[tokio::test]
async fn a_delivery_is_tried_three_times_and_then_kept() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    running.functions.fail(Role::Bus, 3);
    put_event(
        &running,
        "logistics.shipments",
        "Shipment Update",
        "{\"weight\":0.10}",
    )
    .await;
    let letters = async || running.get_json("/_local/dead-letters").await["deadLetters"].clone();
    eventually("the dead letter", async || letters().await != json!([])).await;
    let letter = &letters().await[0];
    assert_eq!(
        (&letter["consumer"], &letter["attempts"]),
        (&json!("bus"), &json!(3))
    );
    assert_eq!(letter["payload"]["source"], "logistics.shipments");
    assert_eq!(
        running.get_json("/_local/status").await["pendingDeliveries"],
        0
    );

    running.functions.fail(Role::Bus, 1);
    put_event(
        &running,
        "logistics.shipments",
        "Shipment Update",
        "{\"second\":true}",
    )
    .await;
    eventually("the retry", async || {
        running.functions.handled(Role::Bus).len() == 1
    })
    .await;
    running.system.stop().await;
}

#[tokio::test]
async fn a_folder_has_one_system_at_a_time() {
    let folder = Folder::new();
    let running = Running::start(&folder.settings()).await.unwrap();
    let refused = Running::start(&folder.settings())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains("in use by another waybill (process "),
        "{refused}"
    );
    assert!(refused.contains("--data"), "{refused}");

    let elsewhere = Folder::new();
    let mut settings = elsewhere.settings();
    settings.aws_port = running.system.aws().port();
    let refused = Running::start(&settings).await.err().unwrap().to_string();
    let port = settings.aws_port.to_string();
    assert!(
        refused.contains(&port) && refused.contains("--aws-port"),
        "{refused}"
    );
    running.system.stop().await;
    Running::start(&folder.settings())
        .await
        .unwrap()
        .system
        .stop()
        .await;
}

/// The built program as a process, which a test can kill.
struct Program {
    child: Child,
    aws: String,
}

impl Program {
    fn start(folder: &Folder) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_waybill"))
            .args([
                "local",
                "--port",
                "0",
                "--aws-port",
                "0",
                "--console-port",
                "0",
                "--env",
                "test",
                "--data",
            ])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let line = output
            .lines()
            .map(Result::unwrap)
            .find(|line| line.contains("AWS protocols"));
        let aws = line.unwrap().split_whitespace().nth(2).unwrap().to_owned();
        Self { child, aws }
    }

    /// Kills the process, as `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        let signature = "AWS4-HMAC-SHA256 Credential=a/20000101/us-east-1/dynamodb/aws4_request, \
                         SignedHeaders=host, Signature=a";
        let request = reqwest::Client::new()
            .post(&self.aws)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20000101T000000Z")
            .header("authorization", signature);
        request
            .body(body.to_string())
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn put_order(&self, id: usize) {
        let body = json!({
            "TableName": "waybill-test-processed-orders", "Item": { "orderId": { "S": id.to_string() } },
        });
        assert_eq!(self.dynamodb("PutItem", body).await, json!({}));
    }

    async fn put_event(&self, number: usize) {
        let entry = json!({
            "Source": "waybill.orders", "DetailType": "Order Created", "EventBusName": "waybill-test",
            "Detail": json!({ "number": number }).to_string(),
        });
        let request = reqwest::Client::new()
            .post(&self.aws)
            .header("x-amz-target", "AWSEvents.PutEvents");
        let body = json!({ "Entries": [entry] }).to_string();
        let answer: Value = request
            .body(body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["FailedEntryCount"], 0);
    }

    async fn get_json(&self, what: &str) -> Value {
        reqwest::get(format!("{}{what}", self.aws))
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let mut sent = 0;
    for _ in 0..3 {
        let program = Program::start(&folder);
        for _ in 0..20 {
            program.put_order(sent).await;
            program.put_event(sent).await;
            sent += 1;
        }
        program.kill();
    }
    let program = Program::start(&folder);
    let scan = json!({ "TableName": "waybill-test-processed-orders", "Select": "COUNT" });
    assert_eq!(program.dynamodb("Scan", scan).await["Count"], sent);
    let messages = program.get_json("/_local/messages").await["messages"]
        .as_array()
        .unwrap()
        .clone();
    let numbers: Vec<Value> = messages
        .iter()
        .map(|message| message["detail"]["number"].clone())
        .collect();
    assert_eq!(
        numbers,
        (0..sent)
            .rev()
            .map(|number| json!(number))
            .collect::<Vec<_>>()
    );
    program.kill();
}
