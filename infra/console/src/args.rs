//! The command `waybill console`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use clap::Args;
use lambda::Names;
use operator::{Target, folder::STATE_FOLDER};
use tokio::net::TcpListener;

use crate::{
    About, Console,
    address::{self, AddressError},
    bound_name,
    http_api::{Caller, HttpApi},
    links::quoted,
    operating::Operating,
    serve,
    trying::Playground,
};

/// The default address of the local system's HTTP API.
const LOCAL: &str = "http://127.0.0.1:8080";

/// The default port of the console, both by itself and beside the local system.
pub const PORT: u16 = 4580;

/// Which environment, and where the console listens
#[derive(Debug, Args)]
#[command(after_help = "\
The console changes nothing of production, an environment whose name is prod or begins with prod-,
unless it is started with --allow-changes; then every change is confirmed.

Examples:
  waybill console --local
  waybill console --env dev
  waybill console --env dev --api-url https://a1b2c3.execute-api.eu-central-1.amazonaws.com/dev

Ends at Ctrl-C with 0; with 1 where it does not start.")]
pub struct ConsoleArgs {
    /// Name of the environment, which every page shows
    #[arg(long, env = "WAYBILL_ENV", default_value = "dev")]
    env: String,

    /// The local system, at http://127.0.0.1:8080 unless --api-url says otherwise; no credentials
    /// are needed there
    #[arg(long)]
    local: bool,

    /// Address of the HTTP API, with its stage: the stack's output ApiUrl. Without it, the address
    /// is read from the environment's settings. Without --local, requests are signed with the
    /// credentials and for the region that the `aws` command would use
    #[arg(long, env = "WAYBILL_API_URL")]
    api_url: Option<String>,

    /// Address of the AWS services that the operator's functions use: with --local
    /// http://127.0.0.1:4566, else AWS or the value of AWS_ENDPOINT_URL
    // This argument deliberately does not read AWS_ENDPOINT_URL: with `--local` alone, requests
    // must not go to AWS because of that variable.
    #[arg(long)]
    endpoint_url: Option<String>,

    /// A token of the environment's issuer, where its API takes tokens instead of signatures
    #[arg(
        long,
        env = "WAYBILL_API_TOKEN",
        hide_env_values = true,
        conflicts_with = "local"
    )]
    api_token: Option<String>,

    /// Port of the console; 0 takes any free one
    #[arg(long, env = "WAYBILL_CONSOLE_PORT", default_value_t = PORT)]
    port: u16,

    /// Address to listen on. The console does not authenticate its users, and acts with your
    /// credentials: any other address than the default gives them to the network
    #[arg(long, env = "WAYBILL_BIND", default_value = "127.0.0.1")]
    bind: IpAddr,

    /// A host name of this machine that is accepted in addition to localhost and the address it
    /// listens on. Several with commas, or the flag several times
    #[arg(long, env = "WAYBILL_ALLOW_HOST", value_delimiter = ',')]
    allow_host: Vec<String>,

    /// Allow changes of production from this console
    #[arg(long)]
    allow_changes: bool,
}

/// The reasons why the console does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The arguments are invalid, or AWS credentials or a region are missing.
    #[error("{0}")]
    Setup(String),
    /// No usable address of an HTTP API is known.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The console cannot listen on the port.
    #[error("{address}: {cause}; another port: --port or WAYBILL_CONSOLE_PORT")]
    Port {
        /// The address that the console was to listen on.
        address: SocketAddr,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The server ended with an error.
    #[error("the console: {0}")]
    Server(#[from] std::io::Error),
}

impl ConsoleArgs {
    /// Returns the environment and the address of its AWS services, as an operator's command would
    /// use them.
    fn target(&self) -> Target {
        let by_variable = || std::env::var("AWS_ENDPOINT_URL").ok();
        let local = self.local.then(|| Target::local(&self.env).endpoint);
        let named = self.endpoint_url.clone().filter(|url| !url.is_empty());
        Target {
            environment: self.env.clone(),
            endpoint: named
                .or_else(|| local.unwrap_or_else(by_variable))
                .filter(|url| !url.is_empty()),
        }
    }

    /// Returns the address of the HTTP API without a slash at its end: from the argument, else the
    /// local default, else from the environment's settings.
    async fn url(&self) -> Result<String, ConsoleError> {
        let said = self.api_url.clone().filter(|url| !url.is_empty());
        let url = match (said, self.local) {
            (Some(url), _) => url,
            (None, true) => LOCAL.to_owned(),
            (None, false) => address::of(&self.target()).await?,
        };
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Returns the address of the local system's AWS services for the page Try it. It is known
    /// where it was given, or where no `--api-url` says that the system is at another address than
    /// the default. `None` on AWS.
    fn aws_url(&self) -> Option<String> {
        let named = |url: &Option<String>| url.as_ref().is_some_and(|url| !url.is_empty());
        let known = named(&self.endpoint_url) || !named(&self.api_url);
        self.target().endpoint.filter(|_| self.local && known)
    }

    async fn backend(&self, url: &str) -> Result<HttpApi, ConsoleError> {
        let caller = match (self.local, &self.api_token) {
            (true, _) => Caller::Anybody,
            (false, Some(token)) => Caller::Bearer(token.clone()),
            (false, None) => {
                let config = lambda::sdk::from_environment().await;
                Caller::of(&config).map_err(ConsoleError::Setup)?
            }
        };
        address::check(url, self.local)?;
        Ok(HttpApi::new(url, caller))
    }
}

/// Runs the console until `end` completes. `say` is called with the line to print once the console
/// listens.
pub async fn run(
    args: &ConsoleArgs,
    say: impl FnOnce(&str),
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ConsoleError> {
    let names = Names::new(&args.env);
    let names = names.map_err(|error| ConsoleError::Setup(error.to_string()))?;
    let url = args.url().await?;
    let backend = args.backend(&url).await?;
    let address = SocketAddr::new(args.bind, args.port);
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|cause| ConsoleError::Port { address, cause })?;
    let reached = listener.local_addr()?;
    let about = About {
        flags: match (&args.endpoint_url, args.local) {
            (Some(url), _) => format!("--env {} --endpoint-url {}", args.env, quoted(url)),
            (None, true) => "--local".to_owned(),
            (None, false) => format!("--env {}", args.env),
        },
        environment: args.env.clone(),
        api_url: url.clone(),
        is_local: args.local,
        allow_changes: args.allow_changes,
    };
    let changes = match about.may_change() {
        true => "",
        false => ", without changes (--allow-changes)",
    };
    say(&format!(
        "The console of environment {} at {url} is http://{reached}{changes}. Ctrl-C stops it.",
        args.env
    ));
    let hosts = args.allow_host.iter().cloned().chain(bound_name(args.bind));
    let operating = Operating::new(args.target(), STATE_FOLDER.into());
    let mut console = Console::new(about, Arc::new(backend), operating, hosts, reached.port());
    if let Some(aws_url) = args.aws_url() {
        // No function that signs webhooks: only the process of the local system knows the secrets.
        console = console.with_playground(Playground::new(names, &aws_url, None).await);
    }
    Ok(serve(listener, console, end).await?)
}
