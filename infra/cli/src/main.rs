//! The command `waybill`: the local system, a demonstration of it, and what an operator does, there or
//! on AWS; and the web console of either. Without the feature `local` it is an operator's tool alone.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod carriers;
#[cfg(feature = "local")]
mod local_system;
mod operator;

/// An event-sourced backend for orders and shipments: on this machine, and what an operator does
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
    /// Sends orders and shipment updates and counts what came of them
    #[cfg(feature = "local")]
    Demo(local::demo::DemoSettings),
    /// Lists whose webhooks an environment takes; of the local system it tries one
    Carriers(carriers::CarriersArgs),
    /// Serves the web console: what goes on, what became of an order or shipment, and why
    Console(console::args::ConsoleArgs),
    #[command(flatten)]
    Operator(operator::Command),
    /// Prints what a shell needs to complete this command: `waybill completion bash`
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

/// Returns at Ctrl-C, and where there is such a thing at SIGTERM.
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
    /// The crate of the operator's knows no commands, and names their providers again.
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

/// Says why a command has failed, where it has.
fn ended(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waybill: {error}");
            ExitCode::FAILURE
        }
    }
}
