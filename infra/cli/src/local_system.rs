//! `waybill local`: the whole system with its console, in this process, until it is asked to stop.

use std::{io::Write, net::SocketAddr, sync::Arc};

use console::{
    About, Console,
    http_api::{Caller, HttpApi},
    operating::Operating,
    trying::{Playground, Sign},
};
use lambda::Names;
use local::{Settings, System, banner, carriers, logs};
use operator::{Target, folder::STATE_FOLDER};
use tokio::{net::TcpListener, sync::oneshot};
use tracing_subscriber::filter::LevelFilter;

use crate::asked_to_stop;

/// The local system, and the port of its console
#[derive(Debug, Clone, clap::Args)]
pub struct LocalArgs {
    #[command(flatten)]
    settings: Settings,

    /// Port of the console; 0 takes any free one
    #[arg(long, env = "WAYBILL_CONSOLE_PORT", default_value_t = console::args::PORT)]
    console_port: u16,
}

/// Prints a text. Where nobody reads it any more (`waybill local | head -3`), `println!` would end
/// the process, and with it a system that others use: this does not.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs the local system until the process is asked to stop.
pub async fn run(args: &LocalArgs) -> Result<(), Box<dyn std::error::Error>> {
    let settings = &args.settings;
    logs::start(&settings.data, LevelFilter::WARN)?;
    let system = System::start(settings).await?;
    let address = SocketAddr::new(settings.bind, args.console_port);
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(cause) => {
            system.stop().await;
            let instead = "another port: --console-port or WAYBILL_CONSOLE_PORT";
            return Err(format!("{address}: {cause}; {instead}").into());
        }
    };
    let reached = listener.local_addr()?;
    let (end, ended) = oneshot::channel::<()>();
    let served = console::serve(
        listener,
        console_of(&system, settings, reached).await?,
        async move {
            let _ = ended.await;
        },
    );
    tokio::spawn(served);
    say(&format!("\n  Console        http://{reached}"));
    say(&banner::text(&system, settings));
    asked_to_stop().await?;
    say("stopping");
    drop(end);
    // A second request to stop ends the process at once.
    tokio::select! {
        () = system.stop() => {}
        again = asked_to_stop() => again?,
    }
    Ok(())
}

/// The console of the system that runs in this process. `reached` is the console's own address.
async fn console_of(
    system: &System,
    settings: &Settings,
    reached: SocketAddr,
) -> Result<Console, Box<dyn std::error::Error>> {
    let api_url = format!("http://{}", system.api());
    // The flags with which the command line reaches this system, which may be on other ports than
    // the default ones.
    let flags = match system.aws().port() {
        4566 => "--local".to_owned(),
        _ => format!("--endpoint-url http://{}", system.aws()),
    };
    let about = About {
        environment: settings.env.clone(),
        api_url: api_url.clone(),
        flags,
        is_local: true,
        allow_changes: false,
    };
    let backend = Arc::new(HttpApi::new(&api_url, Caller::Anybody));
    let bound = console::bound_name(settings.bind);
    let hosts = settings.allow_host.iter().cloned().chain(bound);
    let aws_url = format!("http://{}", system.aws());
    let target = Target {
        environment: settings.env.clone(),
        endpoint: Some(aws_url.clone()),
    };
    let operating = Operating::new(target, STATE_FOLDER.into());
    let playground = Playground::new(Names::new(&settings.env)?, &aws_url, sign(settings)).await;
    let console = Console::new(about, backend, operating, hosts, reached.port());
    Ok(console.with_playground(playground))
}

/// A function that signs webhooks as EasyPost does; `None` where the system does not have that
/// secret.
fn sign(settings: &Settings) -> Option<Sign> {
    let secret = settings.easypost_secret()?;
    Some(Arc::new(move |body: &str| {
        carriers::easypost_signature(&secret, body)
    }))
}
