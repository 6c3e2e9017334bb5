//! An operator's commands: their arguments, progress bars, output and exit codes. The crate
//! `operator` does the work.

use std::process::ExitCode;

use clap::Subcommand;
use operator::OperatorError;

mod announce;
mod arguments;
mod ask;
mod bars;
mod dead_letters;
mod erase;
mod history;
mod parked;
mod print;
mod rebuild;
mod retry;
mod status;
mod target;
mod verify;
mod whole;

/// An operator's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the tables, what is parked, the dead letters, the alarms and unfinished runs
    Status(status::StatusArgs),
    /// Compares rows with the events that they follow from, and names each that is wrong
    Verify(verify::VerifyArgs),
    /// Corrects rows that differ from what follows from the events; nobody is notified
    Rebuild(rebuild::RebuildArgs),
    /// Prints every event of an order or shipment, with its cause
    History(history::HistoryArgs),
    /// Lists the orders and shipments that are parked: since when, at which event, why
    Parked(parked::ParkedArgs),
    /// Lists the dead letters: events, orders and files that could not be handled, with reason and
    /// age
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Resumes parked orders and shipments, and retries the dead letters
    Retry(retry::RetryArgs),
    /// Sends notifications again, with the same ids
    Announce(announce::AnnounceArgs),
    /// Erases the personal data of a customer, or of an order without one, permanently
    Erase(erase::EraseArgs),
}

/// The outcome of a command that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything is correct, or was done.
    Well,
    /// Something is wrong or left over: the exit code is 3.
    Wrong,
}

impl Outcome {
    /// `Wrong` where `any` is true.
    fn wrong_if(any: bool) -> Self {
        match any {
            true => Self::Wrong,
            false => Self::Well,
        }
    }
}

/// Why a command was not carried out. The texts are for the person at the terminal.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// The operation has failed.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// There was nothing to compare, or the person has refused.
    #[error("{0}")]
    Nothing(String),
    /// The terminal cannot be read or written.
    #[error(transparent)]
    Terminal(#[from] std::io::Error),
    /// A result cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Runs a command and returns its exit code: 0 where everything is correct, 1 where the command has
/// failed, 2 where its arguments are wrong, 3 where something is wrong or left over.
pub(crate) async fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Status(args) => status::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Rebuild(args) => rebuild::run(args).await,
        Command::History(args) => history::run(args).await,
        Command::Parked(args) => parked::run(args).await,
        Command::DeadLetters(args) => dead_letters::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Announce(args) => announce::run(args).await,
        Command::Erase(args) => erase::run(args).await,
    };
    match result {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::from(3),
        Err(failed) => {
            eprintln!("waybill: {failed}");
            exit_code(&failed)
        }
    }
}

fn exit_code(failed: &Failed) -> ExitCode {
    match failed {
        Failed::Operator(OperatorError::Usage(_)) => ExitCode::from(2),
        Failed::Operator(_) | Failed::Nothing(_) | Failed::Terminal(_) | Failed::Json(_) => {
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_is_not_understood_ends_with_2() {
        let code = |error: OperatorError| format!("{:?}", exit_code(&error.into()));
        let text = || "x".to_owned();
        let usage = format!("{:?}", ExitCode::from(2));
        let failure = format!("{:?}", ExitCode::FAILURE);
        assert_eq!(code(OperatorError::Usage(text())), usage);
        for error in [
            OperatorError::NotFound(text()),
            OperatorError::Unavailable(text()),
            OperatorError::Environment(text()),
            OperatorError::Corrupt(text()),
            OperatorError::TooMany(text()),
            OperatorError::Folder(text()),
            OperatorError::Busy(text()),
            OperatorError::Stopped,
        ] {
            assert_eq!(code(error), failure);
        }
    }
}
