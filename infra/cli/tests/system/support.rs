//! A local system on free ports in a folder of its own, with functions that a test controls.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::SdkConfig;
use lambda::{Answer, Invocation, Payload};
use local::functions::{Functions, Role};
use local::{Settings, StartError, System};
use serde_json::{Value, json};

/// The time limit of [`eventually`].
const TIMEOUT: Duration = Duration::from_secs(20);

/// A folder that is removed when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("waybill-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Settings with free ports, this folder, and the environment `test`.
    pub fn settings(&self) -> Settings {
        Settings {
            port: 0,
            aws_port: 0,
            data: self.0.clone(),
            env: "test".to_owned(),
            shards: lambda::Shards::ONE,
            read_models: lambda::ReadModels::default(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            allow_host: Vec::new(),
            cors_origin: Vec::new(),
            carrier_secret: Vec::new(),
            carrier_reference: Vec::new(),
            stalled_after_hours: lambda::StalledAfter::default(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Functions that remember their payloads, and fail as many times as they are told to.
#[derive(Default)]
pub struct Fake {
    calls: Mutex<Vec<(Role, Value)>>,
    failures: Mutex<BTreeMap<Role, u32>>,
}

impl Fake {
    /// Lets the next calls of a function fail.
    pub fn fail(&self, role: Role, times: u32) {
        self.failures.lock().unwrap().insert(role, times);
    }

    /// The payloads that a function was given, without those at which it has failed.
    pub fn handled(&self, role: Role) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(called, _)| *called == role)
            .map(|(_, payload)| payload.clone())
            .collect()
    }

    /// The aggregates of all records that a consumer of the stream has handled.
    pub fn records(&self, role: Role) -> Vec<String> {
        let batches = self.handled(role);
        let records = batches
            .iter()
            .flat_map(|batch| batch["Records"].as_array().unwrap().clone());
        records
            .map(|record| {
                record["dynamodb"]["NewImage"]["aggregate"]["S"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

#[async_trait]
impl Functions for Fake {
    async fn call(&self, role: Role, payload: Payload, _invocation: &Invocation) -> Answer {
        if let Some(left) = self.failures.lock().unwrap().get_mut(&role)
            && *left > 0
        {
            *left -= 1;
            return Err(lambda::Failed("on purpose".to_owned()));
        }
        let payload: Value = serde_json::from_str(payload.get()).unwrap();
        self.calls.lock().unwrap().push((role, payload.clone()));
        Ok(match role {
            Role::Api | Role::Query => {
                json!({ "statusCode": 200, "body": payload.to_string(),
                        "headers": { "content-type": "application/json" } })
            }
            _ => json!({ "batchItemFailures": [] }),
        })
    }
}

/// A running system, with clients for it.
pub struct Running {
    pub system: System,
    pub functions: Arc<Fake>,
    pub config: SdkConfig,
    pub http: reqwest::Client,
}

impl Running {
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let functions = Arc::new(Fake::default());
        let mut config = None;
        let given = Arc::clone(&functions);
        let system = System::start_with(settings, |sdk, _| {
            config = Some(sdk.clone());
            given
        })
        .await?;
        let config = config.unwrap();
        Ok(Self {
            system,
            functions,
            config,
            http: reqwest::Client::new(),
        })
    }

    pub fn api(&self, path: &str) -> String {
        format!("http://{}{path}", self.system.api())
    }

    pub fn aws(&self, path: &str) -> String {
        format!("http://{}{path}", self.system.aws())
    }

    pub async fn get_json(&self, what: &str) -> Value {
        self.http
            .get(self.aws(what))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Puts a commit of this aggregate into the event store's table.
    pub async fn commit(&self, aggregate: &str) {
        use aws_sdk_dynamodb::types::AttributeValue;
        aws_sdk_dynamodb::Client::new(&self.config)
            .put_item()
            .table_name("waybill-test-events")
            .item("aggregate", AttributeValue::S(aggregate.to_owned()))
            .item("sequence", AttributeValue::N("1".to_owned()))
            .send()
            .await
            .unwrap();
    }
}

/// Waits until `holds` returns true. Panics with `what` after [`TIMEOUT`].
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < TIMEOUT, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
