//! What an operator does, on the command line: arguments, progress bars, what is printed, and how a
//! command ends. What is done is in the crate `operator`.

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

/// What an operator does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
    /// Lists the dead letters: what was given up, why, how long ago, and what it is about
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Takes up again what is parked, and what lies among the dead letters
    Retry(retry::RetryArgs),
    /// Sends notifications once more, with the same ids
    Announce(announce::AnnounceArgs),
    /// Erases the personal data of a customer, or of an order without one, for ever
    Erase(erase::EraseArgs),
}

/// How a command ends that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All is well.
    Well,
    /// Something is wrong, or left over.
    Wrong,
}

impl Outcome {
    /// `Wrong` where there is anything.
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
    /// It cannot be done.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// There was nothing to look at, or somebody did not want it.
    #[error("{0}")]
    Nothing(String),
    /// The terminal cannot be read or written.
    #[error(transparent)]
    Terminal(#[from] std::io::Error),
    /// A result that cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Does it; 0 where all is well, 1 where it failed, 3 where something is wrong or left over, 2 for a
/// command that was not understood.
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
