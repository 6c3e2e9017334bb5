//! The command `waybill`: the local system, a demonstration of it, an operator's commands for both
//! the local system and environments on AWS, and the web console of either. Without the feature
//! `local` it has the operator's commands and the console only.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod carriers;
#[cfg(feature = "local")]
mod local_system;
mod logs;
mod operator;

/// An event-sourced backend for orders and shipments: the whole system on this machine, and an
/// operator's commands
#[derive(Debug, Parser)]
#[command(name = "waybill", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole system in this process
    #[cfg(feature = "local")]
    Local(local_system::LocalArgs),
    /// Sends orders and shipment updates to the local system and counts the results
    #[cfg(feature = "local")]
    Demo(local::demo::DemoSettings),
    /// Lists the providers whose webhooks an environment accepts; sends an example to the local
    /// system
    Carriers(carriers::CarriersArgs),
    /// Serves the web console: the present activity, the history of an order or shipment, and its
    /// causes
    Console(console::args::ConsoleArgs),
    #[command(flatten)]
    Operator(operator::Command),
    /// Prints the script with which a shell completes this command: `waybill completion bash`
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "local")]
        Command::Local(args) => ended(local_system::run(&args).await),
        #[cfg(feature = "local")]
        Command::Demo(settings) => ended(local::demo::run(&settings).await.map_err(Into::into)),
        Command::Carriers(args) => ended(carriers::run(&args).await),
        Command::Console(args) => {
            logs::start();
            let end = async {
                let _ = asked_to_stop().await;
            };
            let ran = console::args::run(&args, |line| println!("{line}"), end).await;
            ended(ran.map_err(Into::into))
        }
        Command::Operator(command) => operator::run(command).await,
        Command::Completion { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "waybill", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}

/// Returns when the process receives Ctrl-C, or on Unix SIGTERM.
async fn asked_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[cfg(all(test, feature = "local"))]
mod tests {
    /// The crate `operator` does not depend on `commands`' list of providers and has a list of its
    /// own: both must be the same.
    #[test]
    fn an_operator_knows_every_provider_of_webhooks() {
        let all = commands::carriers::Provider::ALL;
        assert_eq!(
            all.map(|it| it.as_str()),
            ::operator::carriers::PROVIDERS,
            "the console shows those of the operator"
        );
    }
}

/// Prints why a command has failed, and returns its exit code.
fn ended(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waybill: {error}");
            ExitCode::FAILURE
        }
    }
}
