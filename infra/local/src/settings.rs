//! What can be set from outside.

use std::net::IpAddr;
use std::path::PathBuf;

use lambda::{ReadModels, Shards};

/// Where the local system listens and keeps its data.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Port of the HTTP API; 0 takes any free one
    #[arg(long, env = "WAYBILL_PORT", default_value_t = 8080)]
    pub port: u16,

    /// Port of the AWS protocols (DynamoDB, EventBridge, S3, SNS, SQS, Lambda); 0 takes any free one
    #[arg(long, env = "WAYBILL_AWS_PORT", default_value_t = 4566)]
    pub aws_port: u16,

    /// Folder of the database, the state and the log
    #[arg(long, env = "WAYBILL_DATA", default_value = ".waybill")]
    pub data: PathBuf,

    /// Environment: part of the name of every table, function, bus and topic
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    pub env: String,

    /// Over how many partitions indexes are spread, 1 to 64; it may only grow
    #[arg(long, env = "WAYBILL_SHARDS", default_value = "1")]
    pub shards: Shards,

    /// Read models that are projected; the first of each kind is read, and `-v2`, `-v3` … are later
    /// generations of one
    #[arg(
        long,
        env = "WAYBILL_READ_MODELS",
        default_value = "processed-orders,shipment-log"
    )]
    pub read_models: ReadModels,

    /// Address to listen on. Nothing here asks who is calling: any other address than the default
    /// opens the system, unauthenticated, to the network
    #[arg(long, env = "WAYBILL_BIND", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// A name that this machine is called by, beside localhost and the address it listens on: a
    /// request with another `Host` is refused. Several with commas, or the flag several times
    #[arg(long, env = "WAYBILL_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,

    /// An origin whose pages may call the HTTP API, such as http://localhost:3000. Several with
    /// commas, or the flag several times
    #[arg(long, env = "WAYBILL_CORS_ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<String>,
}
