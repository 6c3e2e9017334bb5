//! The errors of starting a system.

use std::io;

use lambda::names::InvalidEnvironment;

use crate::data_folder::DataFolderError;
use crate::listeners::PortError;

/// The reasons why the system does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name of the environment is invalid.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// A port cannot be used.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The address of a listener cannot be read.
    #[error("a listener: {0}")]
    Listener(#[from] io::Error),
    /// The description of the tables cannot be read.
    #[error("the tables' description: {0}")]
    Tables(#[from] serde_json::Error),
    /// The emulator does not start.
    #[error(transparent)]
    Emulator(#[from] emulator::StartError),
}
