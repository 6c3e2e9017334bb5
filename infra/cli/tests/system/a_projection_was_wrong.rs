//! A defect in a projection is deployed, noticed, and repaired by exactly the steps of "A
//! projection was wrong" in `infra/operator/README.md`, while commands are sent and none is
//! refused.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use commands::carriers::secrets::FixedSecrets;
use lambda::{Answer, Invocation, Payload};
use local::functions::{Functions, Role, Waybill};
use local::{Printed, Settings, System};
use projectors::Projectors;
use projectors::ports::{Row, Rows, Table};
use serde_json::{Value, json};
use support::hooked::{Hooked, Hooks};
use tokio::task::JoinHandle;

use crate::support::{Folder, eventually};

/// The number of clients that send in parallel.
const CLIENTS: u64 = 3;

/// The highest number of orders of one client; the test ends long before.
const STEPS_MAX: u64 = 100_000;

/// The number of commands that are answered between two steps of the test.
const COMMANDS_PER_STEP: u64 = 60;

/// The functions as they were deployed by mistake: all are healthy but `project`.
struct Deployed {
    healthy: Waybill,
    projectors: Projectors,
}

#[async_trait]
impl Functions for Deployed {
    async fn call(&self, role: Role, payload: Payload, invocation: &Invocation) -> Answer {
        let role = match role {
            Role::Project => projectors::Role::Project,
            healthy => return self.healthy.call(healthy, payload, invocation).await,
        };
        self.projectors.handle(role, payload, invocation).await
    }
}

/// The table of rows as a defective projection writes it.
struct DefectiveRows(Arc<dyn Rows>);

/// The defect: a cancelled order is written as a processed one, and the sort key of a shipment's
/// log is not padded. So some rows have a wrong content and others should not exist.
fn defect(table: Table, mut row: Row) -> Row {
    let text = |row: &Row, name: &str| match row.get(name) {
        Some(domain::Json::String(text)) => text.clone(),
        _ => String::new(),
    };
    match table {
        Table::ProcessedOrders if text(&row, "status") == "CANCELLED" => {
            row.insert("status".to_owned(), "PROCESSED".into());
        }
        Table::ShipmentLog => {
            let entry = text(&row, "entry").replace("#00000", "#");
            row.insert("entry".to_owned(), entry.into());
        }
        _ => {}
    }
    row
}

impl Hooks for DefectiveRows {
    fn rows(&self) -> &Arc<dyn Rows> {
        &self.0
    }

    fn projected(&self, table: Table, row: Row) -> Row {
        defect(table, row)
    }
}

/// Deploys the functions with the defect.
async fn deploy_the_defect(settings: &Settings) -> System {
    let functions = |config: &aws_config::SdkConfig, settings: &lambda::Settings| {
        let projectors = Projectors::new(config, settings);
        let rows = Arc::new(Hooked(DefectiveRows(Arc::clone(&projectors.rows))));
        Arc::new(Deployed {
            healthy: Waybill::new(
                config,
                settings,
                FixedSecrets::default(),
                Printed::default(),
            ),
            projectors: Projectors { rows, ..projectors },
        }) as Arc<dyn Functions>
    };
    System::start_with(settings, functions).await.unwrap()
}

/// A command of the built program, which does not have the defect.
fn waybill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.stdin(Stdio::null()).env_remove("AWS_PROFILE");
    command
}

/// The running program, which is stopped when this is dropped.
struct HealthyProgram(Child);

impl HealthyProgram {
    /// Starts the program with the same data and on the same ports.
    fn deploy(settings: &Settings) -> Self {
        let mut command = waybill();
        command.arg("local").arg("--data").arg(&settings.data);
        let (port, aws) = (settings.port.to_string(), settings.aws_port.to_string());
        let rest = [
            ["--env", &settings.env],
            ["--port", &port],
            ["--aws-port", &aws],
            ["--console-port", "0"],
        ];
        let command = command.args(rest.concat()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for HealthyProgram {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An operator at a terminal.
struct Operator {
    endpoint: String,
    folder: PathBuf,
}

impl Operator {
    /// Runs a command, and returns its exit code and its JSON output.
    async fn run(&self, command: &'static str) -> (Option<i32>, Value) {
        let mut process = waybill();
        process
            .args([command, "--json", "--env", "test", "--endpoint-url"])
            .arg(&self.endpoint)
            .current_dir(&self.folder);
        let done = tokio::task::spawn_blocking(move || process.output().unwrap());
        let done = done.await.unwrap();
        let said = serde_json::from_slice(&done.stdout).unwrap_or_default();
        (done.status.code(), said)
    }
}

/// Clients that send one command after the other, and wait for each answer.
struct Clients {
    http: reqwest::Client,
    api: String,
    stop: AtomicBool,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Clients {
    fn start(api: String) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let clients = Arc::new(Self {
            http: reqwest::Client::new(),
            api,
            stop: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let work = (0..CLIENTS).map(|client| tokio::spawn(Arc::clone(&clients).work(client)));
        let work = work.collect();
        (clients, work)
    }

    async fn work(self: Arc<Self>, client: u64) {
        for number in 0..STEPS_MAX {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let id = format!("{client}-{number}");
            let order = json!({
                "orderId": id, "items": [{ "name": "Lamp", "quantity": 1, "price": 5 }]
            });
            self.send("/orders", &format!("place-{id}"), &order).await;
            if number % 2 == 0 {
                let path = format!("/orders/{id}/cancel");
                self.send(&path, &format!("cancel-{id}"), &json!({})).await;
            }
            let path = format!("/shipments/{client}-{}/updates", number % 20);
            let update = json!({ "status": "IN_TRANSIT", "location": id });
            self.send(&path, &format!("update-{id}"), &update).await;
        }
    }

    /// Sends a command. It is sent again only while nothing listens on the port, between two
    /// deployments.
    async fn send(&self, path: &str, key: &str, body: &Value) {
        let answer = loop {
            let request = self.http.post(format!("{}{path}", self.api));
            match request
                .header("Idempotency-Key", key)
                .json(body)
                .send()
                .await
            {
                Ok(answer) => break answer,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.answered.fetch_add(1, Ordering::Relaxed);
        if answer.status() != 200 {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until [`COMMANDS_PER_STEP`] more commands have been answered.
    async fn some_more(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + COMMANDS_PER_STEP;
        let come = async || self.answered.load(Ordering::Relaxed) >= enough;
        eventually("commands go on", come).await;
    }

    async fn status_of(&self, order: &str) -> String {
        let asked = self.http.get(format!("{}/orders/{order}", self.api)).send();
        let row: Value = asked.await.unwrap().json().await.unwrap();
        row["status"].as_str().unwrap_or_default().to_owned()
    }
}

/// The ids of the findings of one kind in one table.
fn named<'a>(said: &'a Value, wrong: &str, table: &str) -> BTreeSet<&'a str> {
    let findings = said["findings"].as_array().unwrap().iter();
    findings
        .filter(|it| it["wrong"] == wrong && it["table"] == table)
        .map(|it| it["id"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_projection_was_wrong_and_is_right_again_without_a_pause() {
    let folder = Folder::new();
    let mut settings = folder.settings();
    settings.data = folder.path().join("data");
    let defective = deploy_the_defect(&settings).await;
    (settings.port, settings.aws_port) = (defective.api().port(), defective.aws().port());
    let operator = Operator {
        endpoint: format!("http://{}", defective.aws()),
        folder: folder.path().to_owned(),
    };
    let (clients, work) = Clients::start(format!("http://{}", defective.api()));

    // A wrong row is seen. The fixed build names the rows that the defect has made wrong.
    clients.some_more().await;
    let shown = async || clients.status_of("0-0").await == "PROCESSED";
    eventually("a cancelled order passes for a processed one", shown).await;
    let (code, noticed) = operator.run("verify").await;
    assert_eq!(code, Some(3));
    let orders = named(&noticed, "different", "processed-orders");
    assert!(orders.contains("0-0") && !orders.contains("0-1"));
    assert!(named(&noticed, "missing", "shipment-log").contains("0-0"));
    assert!(named(&noticed, "superfluous", "shipment-log").contains("0-0"));

    // The fix is deployed. Here the old code ends with its process, so there is no need to wait for
    // the end of its invocations.
    defective.stop().await;
    let _healthy = HealthyProgram::deploy(&settings);
    clients.some_more().await;
    assert_eq!(clients.status_of("0-0").await, "PROCESSED");

    // Rows are rebuilt and verified while commands are still sent.
    let (code, rebuilt) = operator.run("rebuild").await;
    assert_eq!(code, Some(0));
    assert!(rebuilt["counted"]["written"].as_u64() > Some(20));
    assert!(rebuilt["counted"]["removed"].as_u64() > Some(20));
    assert_eq!(clients.status_of("0-0").await, "CANCELLED");
    let right = (Some(0), json!([]));
    let (code, verified) = operator.run("verify").await;
    assert_eq!((code, verified["findings"].clone()), right);
    clients.some_more().await;

    clients.stop.store(true, Ordering::Relaxed);
    for client in work {
        client.await.unwrap();
    }
    assert_eq!(clients.refused.load(Ordering::Relaxed), 0);
    let (code, at_last) = operator.run("verify").await;
    assert_eq!((code, at_last["findings"].clone()), right);
    assert!(at_last["counted"]["aggregates"].as_u64() > noticed["counted"]["aggregates"].as_u64());
}
