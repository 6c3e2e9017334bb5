//! An embedded DynamoDB in memory, one for each test.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use emulator::dynamodb::{self, DynamoDb};
use event_store::dynamodb::DynamoDbTable;
use lambda::{Names, Shards};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A DynamoDB with every table of an environment. It stops when this value is dropped.
pub struct Embedded {
    /// The names of its tables.
    pub names: Names,
    /// The configuration with which clients reach it.
    pub config: SdkConfig,
    _server: DynamoDb,
}

impl Embedded {
    /// Starts a DynamoDB with tables of its own, whose indexes have one shard.
    pub async fn start() -> Self {
        Self::with(Shards::ONE).await
    }

    /// Starts a DynamoDB with tables of its own, whose indexes have this number of shards.
    pub async fn with(shards: Shards) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let names = Names::new("test").unwrap();
        let path = format!("file:test-{number}?mode=memory&cache=shared");
        let path = Path::new(&path);
        let tables = local::tables::of(&names, shards, &lambda::ReadModels::default());
        let server = dynamodb::start(path, &tables.unwrap(), &[]).unwrap();
        let config = lambda::sdk::loader()
            .endpoint_url(format!("http://{}", server.address))
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .load()
            .await;
        Self {
            names,
            config,
            _server: server,
        }
    }

    /// Returns a new client.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Returns its events table.
    pub fn events(&self) -> Arc<DynamoDbTable> {
        Arc::new(DynamoDbTable::new(self.client(), self.names.events()))
    }
}
