//! `waybill`: the local system, a demonstration of it, and what an operator does, there or on AWS.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use local::{Settings, System, banner, carriers, demo, logs};
use tracing_subscriber::filter::LevelFilter;

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
    Local(Settings),
    /// Sends orders and shipment updates and counts what came of them
    Demo(demo::DemoSettings),
    /// Lists whose webhooks the local system takes, and tries one
    Carriers(carriers::CarriersArgs),
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
    let result = match Cli::parse().command {
        Command::Local(settings) => run(&settings).await,
        Command::Carriers(args) => carriers::run(&args).await.map_err(Into::into),
        Command::Demo(settings) => demo::run(&settings).await.map_err(Into::into),
        Command::Operator(command) => return operator::run(command).await,
        Command::Completion { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "waybill", &mut std::io::stdout());
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waybill: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a text. That nobody reads it any more (`waybill local | head -3`) must not end a system
/// which others use, as `println!` would.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs until somebody asks for the end.
async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    logs::start(&settings.data, LevelFilter::WARN)?;
    let system = System::start(settings).await?;
    say(&banner::text(&system, settings));
    asked_to_stop().await?;
    say("stopping");
    // Whoever asks twice does not want to wait.
    tokio::select! {
        () = system.stop() => {}
        again = asked_to_stop() => again?,
    }
    Ok(())
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
