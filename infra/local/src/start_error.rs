//! Why a system does not start.

use std::io;

use lambda::names::InvalidEnvironment;

use crate::data_folder::DataFolderError;
use crate::listeners::PortError;

/// The system does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment's name.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
    /// The data folder.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// A port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A listener does not know where it listens.
    #[error("a listener: {0}")]
    Listener(#[from] io::Error),
    /// The description of the tables.
    #[error("the tables' description: {0}")]
    Tables(#[from] serde_json::Error),
    /// AWS's services.
    #[error(transparent)]
    Emulator(#[from] emulator::StartError),
}
