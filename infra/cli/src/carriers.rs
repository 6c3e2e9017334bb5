//! `waybill carriers`: the providers whose webhooks an environment accepts, and an example webhook
//! to try that with.

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

/// The address of the local system's HTTP API, unless it was started on another one.
const LOCAL: &str = "http://127.0.0.1:8080";

/// The environment whose webhooks are listed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
This sends a webhook without a signature to each provider's address. The environment counts it as refused
and stores nothing of it. `not set`: the address answers 404, since the environment does not have the
secret with which the provider signs; on AWS it is `waybill/<env>/carriers/<provider>` in Secrets Manager.

Examples:
  waybill carriers
  waybill carriers --env prod
  WAYBILL_CARRIER_SECRET_EASYPOST=... waybill carriers try easypost")]
pub(crate) struct CarriersArgs {
    #[cfg(feature = "local")]
    #[command(subcommand)]
    command: Option<CarriersCommand>,

    /// An environment on AWS, whose settings contain the address of its HTTP API; without it the
    /// local system
    #[arg(long, conflicts_with = "url")]
    env: Option<String>,

    /// The address of the HTTP API [default: http://127.0.0.1:8080]
    #[arg(long, global = true)]
    url: Option<String>,
}

#[cfg(feature = "local")]
#[derive(Debug, clap::Subcommand)]
enum CarriersCommand {
    /// Sends an example webhook as the provider would, signed with the secret in
    /// WAYBILL_CARRIER_SECRET_EASYPOST and so on: a shipment with one scan
    Try(local::carriers::TryArgs),
}

/// Prints for each provider whether its secret is set, or sends an example webhook.
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
    // A sender of webhooks has no credentials: it proves itself by its signature.
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
        // It is not an error where nobody reads the output any more.
        let _ = writeln!(std::io::stdout(), "{provider:<12}secret {secret}");
    }
    Ok(())
}
