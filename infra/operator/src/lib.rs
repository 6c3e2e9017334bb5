//! What an operator does by hand, on the local system or in any environment on AWS: is it right,
//! why is it so, what is stuck, and how is it set going again.
//!
//! ```text
//! waybill status | verify | rebuild | history | parked | retry | announce
//! ```
//!
//! Everything is done by the projectors' own code, with the settings that the environment's own
//! functions have: [`target`] asks for them. A long piece of work says what it costs first
//! ([`cost`]), can be stopped and gone on with ([`drive`], [`folder`]), and ends with one of a few
//! exit codes ([`outcome`]).

use std::process::ExitCode;

use clap::Subcommand;

mod announce;
mod arguments;
mod clock;
mod cost;
mod dead_letters;
mod drive;
mod folder;
mod history;
mod limits;
mod messages;
mod outcome;
mod parked;
mod rebuild;
mod redrive;
mod retry;
mod status;
mod target;
mod verify;

use outcome::{OperatorError, Outcome};

/// What an operator does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what is there, what is parked, and what lies among the dead letters
    Status(status::StatusArgs),
    /// Compares rows with the events that they follow from, and names each that is wrong
    Verify(verify::VerifyArgs),
    /// Makes rows what follows from the events, where they differ; nobody is notified
    Rebuild(rebuild::RebuildArgs),
    /// Prints every event of an order or shipment
    History(history::HistoryArgs),
    /// Lists the orders and shipments that are parked: since when, at which event, why
    Parked(parked::ParkedArgs),
    /// Takes up again what is parked, and what lies among the dead letters
    Retry(retry::RetryArgs),
    /// Sends notifications once more, with the same ids
    Announce(announce::AnnounceArgs),
}

/// Does it; 0 where all is well, 1 where it failed, 3 where something is wrong or left over. (2 is
/// for a command that was not understood.)
pub async fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Status(args) => status::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Rebuild(args) => rebuild::run(args).await,
        Command::History(args) => history::run(args).await,
        Command::Parked(args) => parked::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Announce(args) => announce::run(args).await,
    };
    match result {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::from(3),
        Err(error @ OperatorError::Usage(_)) => {
            eprintln!("waybill: {error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("waybill: {error}");
            ExitCode::FAILURE
        }
    }
}
