//! The embedded DynamoDB, in a process of its own: this program again, with another argument.

use std::io::Write as _;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{Failed, meter::Meter};

/// The running database; it ends with this value.
pub struct Database {
    address: String,
    _child: Child,
}

/// Serves a database in memory, and says where.
pub async fn serve() -> Result<(), Failed> {
    let database = dynoxide::Database::new("file:peers?mode=memory&cache=shared")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await?;
    Ok(())
}

/// Starts the database.
pub async fn start() -> Result<Database, Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("database")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("the database has no output")?;
    let address = BufReader::new(stdout).lines().next_line().await?;
    Ok(Database {
        address: address.ok_or("the database did not start")?,
        _child: child,
    })
}

impl Database {
    /// A client whose calls `meter` counts.
    pub fn client(&self, meter: &Meter) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "peers"))
            .retry_config(RetryConfig::disabled())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .endpoint_url(format!("http://{}", self.address))
            .interceptor(meter.clone());
        Client::from_conf(config.build())
    }
}

/// Makes a table of this key: a text, and after it a number where `range` names one.
pub async fn make_table(
    client: &Client,
    name: &str,
    hash: &str,
    range: Option<&str>,
) -> Result<(), Failed> {
    let key = |name: &str, of: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(of)
            .build()
    };
    let attribute = |name: &str, of: ScalarAttributeType| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(of)
            .build()
    };
    let mut table = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(hash, KeyType::Hash)?)
        .attribute_definitions(attribute(hash, ScalarAttributeType::S)?);
    if let Some(range) = range {
        table = table
            .key_schema(key(range, KeyType::Range)?)
            .attribute_definitions(attribute(range, ScalarAttributeType::N)?);
    }
    table.send().await?;
    Ok(())
}
