//! The settings of the local system: arguments and environment variables.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use commands::carriers::secrets::{FixedSecrets, values};
use commands::carriers::{Provider, UnknownProvider};
use lambda::{ReadModels, Shards, StalledAfter};

/// Where the local system listens and keeps its data.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Port of the HTTP API; 0 takes any free one
    #[arg(long, env = "WAYBILL_PORT", default_value_t = 8080)]
    pub port: u16,

    /// Port of the AWS protocols (DynamoDB, EventBridge, KMS, S3, SNS, SQS, Lambda); 0 takes any
    /// free one
    #[arg(long, env = "WAYBILL_AWS_PORT", default_value_t = 4566)]
    pub aws_port: u16,

    /// Folder of the database, the state and the log
    #[arg(long, env = "WAYBILL_DATA", default_value = ".waybill")]
    pub data: PathBuf,

    /// Environment: part of the name of every table, function, bus and topic
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    pub env: String,

    /// Number of partitions over which indexes are spread, 1 to 64; it may only grow
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

    /// Address to listen on. The system does not authenticate callers: any other address than the
    /// default opens it to the network
    #[arg(long, env = "WAYBILL_BIND", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// A host name of this machine that is accepted in addition to localhost and the address it
    /// listens on: a request with another `Host` is refused. Several with commas, or the flag
    /// several times
    #[arg(long, env = "WAYBILL_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,

    /// An origin whose pages may call the HTTP API, such as http://localhost:3000. Several with
    /// commas, or the flag several times
    #[arg(long, env = "WAYBILL_CORS_ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<String>,

    /// A secret that a provider signs carriers' webhooks with, such as easypost=…; the flag several
    /// times for several. Also WAYBILL_CARRIER_SECRET_EASYPOST and so on, which no list of
    /// processes shows. Two secrets of one provider stand on two lines
    #[arg(long, value_name = "PROVIDER=SECRET", value_parser = carrier_secret)]
    pub carrier_secret: Vec<CarrierSecret>,

    /// A provider of carriers' webhooks whose own reference field names the shipment, instead of
    /// the tracking number. Several with commas, or the flag several times
    #[arg(
        long,
        env = "WAYBILL_CARRIER_REFERENCES",
        value_delimiter = ',',
        value_name = "PROVIDER"
    )]
    pub carrier_reference: Vec<String>,

    /// After how many hours without an update a shipment is stalled, by its status, such as
    /// IN_TRANSIT=72,CREATED=0: also parts of an hour; 0 is never; others keep their default
    #[arg(
        long,
        env = "WAYBILL_STALLED_AFTER_HOURS",
        value_name = "STATUS=HOURS,…",
        default_value = ""
    )]
    pub stalled_after_hours: StalledAfter,
}

/// A provider's secret. Its `Debug` does not print the secret.
#[derive(Clone)]
pub struct CarrierSecret {
    provider: Provider,
    secret: String,
}

impl fmt::Debug for CarrierSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret of {}", self.provider.as_str())
    }
}

fn carrier_secret(text: &str) -> Result<CarrierSecret, String> {
    let (name, secret) = text.split_once('=').ok_or("expected PROVIDER=SECRET")?;
    let provider: Provider = name
        .parse()
        .map_err(|error: UnknownProvider| error.to_string())?;
    // Too many values or invalid JSON are reported at the start, not when the first webhook
    // arrives.
    values(secret).map_err(|error| error.to_string())?;
    Ok(CarrierSecret {
        provider,
        secret: secret.to_owned(),
    })
}

/// Returns the secret of a provider from its environment variable.
pub(crate) fn carrier_secret_of_environment(provider: Provider) -> Option<String> {
    let name = provider.as_str().to_uppercase();
    std::env::var(format!("WAYBILL_CARRIER_SECRET_{name}")).ok()
}

/// The setting of a system that a demonstration starts: a parcel on its way back is stalled after
/// some seconds, all others after the usual time.
pub(crate) const DEMO_STALLED_AFTER: &str = "RETURNING=0.001";

impl Settings {
    /// Adds what a demonstration needs, each where it was not set: a random secret of EasyPost, and
    /// a status that stalls within seconds.
    pub(crate) fn prepare_for_demo(&mut self) {
        if !self.carrier_secrets().0.contains_key(&Provider::EasyPost) {
            self.carrier_secret.push(CarrierSecret {
                provider: Provider::EasyPost,
                secret: uuid::Uuid::new_v4().to_string(),
            });
        }
        if self.stalled_after_hours == StalledAfter::default()
            && let Ok(short) = DEMO_STALLED_AFTER.parse()
        {
            self.stalled_after_hours = short;
        }
    }

    /// Returns the secret of EasyPost, where it is set.
    pub fn easypost_secret(&self) -> Option<String> {
        self.carrier_secrets().0.remove(&Provider::EasyPost)
    }

    /// Returns the secrets of carriers' webhooks from the environment variables and the flags. A
    /// flag takes precedence.
    pub fn carrier_secrets(&self) -> FixedSecrets {
        let of_environment = |provider: Provider| {
            carrier_secret_of_environment(provider).map(|secret| (provider, secret))
        };
        let mut secrets = FixedSecrets(
            Provider::ALL
                .into_iter()
                .filter_map(of_environment)
                .collect(),
        );
        let flags = self.carrier_secret.iter().cloned();
        let flags = flags.map(|CarrierSecret { provider, secret }| (provider, secret));
        secrets.0.extend(flags);
        secrets
    }
}
