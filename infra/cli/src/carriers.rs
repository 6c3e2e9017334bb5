//! `waybill carriers`: whose webhooks an environment takes, and an example to try that with.

use std::io::Write as _;

use console::{
    address,
    backend::{Backend as _, Call},
    http_api::{Caller, HttpApi},
};
use http::Method;
use operator::{
    Target,
    carriers::{Secret, secrets},
};

/// Where the local system's HTTP API is, unless it was told otherwise.
const LOCAL: &str = "http://127.0.0.1:8080";

/// Which environment's
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each provider's address is sent a webhook without a signature: it is counted as refused, and nothing of
it is stored. `not set`: the address is none, for want of the secret that the provider signs with, on
AWS `waybill/<env>/carriers/<provider>` in Secrets Manager.

Examples:
  waybill carriers
  waybill carriers --env prod
  WAYBILL_CARRIER_SECRET_EASYPOST=... waybill carriers try easypost")]
pub(crate) struct CarriersArgs {
    #[cfg(feature = "local")]
    #[command(subcommand)]
    command: Option<CarriersCommand>,

    /// An environment on AWS, which is asked where its HTTP API is; without it the local system
    #[arg(long, conflicts_with = "url")]
    env: Option<String>,

    /// Where the HTTP API is [default: http://127.0.0.1:8080]
    #[arg(long, global = true)]
    url: Option<String>,
}

#[cfg(feature = "local")]
#[derive(Debug, clap::Subcommand)]
enum CarriersCommand {
    /// Sends an example as the provider would, signed with WAYBILL_CARRIER_SECRET_EASYPOST and so
    /// on: a shipment with one scan
    Try(local::carriers::TryArgs),
}

/// Says of each provider whether its secret is set; or tries one.
pub(crate) async fn run(args: &CarriersArgs) -> Result<(), Box<dyn std::error::Error>> {
    let url = match (&args.env, &args.url) {
        (Some(environment), _) => {
            let target = Target {
                environment: environment.clone(),
                endpoint: std::env::var("AWS_ENDPOINT_URL").ok(),
            };
            address::of(&target).await?
        }
        (None, Some(url)) => url.clone(),
        (None, None) => LOCAL.to_owned(),
    };
    #[cfg(feature = "local")]
    if let Some(CarriersCommand::Try(example)) = &args.command {
        return Ok(local::carriers::try_one(example, &url).await?);
    }
    // Whoever sends a webhook has no credentials: its signature is what is asked for.
    let api = HttpApi::new(&url, Caller::Anybody);
    let post = |path: String| async {
        let call = Call {
            method: Method::POST,
            path,
            key: None,
            version: None,
            body: Some("{}".to_owned()),
        };
        api.call(call).await.map(|answer| answer.status)
    };
    let secrets = secrets(post).await;
    let secrets =
        secrets.map_err(|error| format!("the HTTP API {url} does not answer: {error}"))?;
    for (provider, secret) in secrets {
        let secret = match secret {
            Secret::Set => "is set".to_owned(),
            Secret::NotSet => "is not set".to_owned(),
            Secret::Unknown(status) => format!("cannot be told: answered {status}"),
        };
        // That nobody reads on is no failure.
        let _ = writeln!(std::io::stdout(), "{provider:<12}secret {secret}");
    }
    Ok(())
}
