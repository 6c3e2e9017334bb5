//! The folder in which a system keeps its data. Only one process at a time may use it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use emulator::Files;

/// The reasons why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process uses the folder.
    #[error("{data} is in use by another waybill{by}; another folder: --data or WAYBILL_DATA")]
    InUse {
        /// The data folder.
        data: String,
        /// Text about that process, where it is known.
        by: String,
    },
    /// The folder cannot be created, opened or written.
    #[error("{data}: {cause}; another folder: --data or WAYBILL_DATA")]
    Unusable {
        /// The data folder.
        data: String,
        /// The error of the operating system.
        cause: io::Error,
    },
}

/// A data folder that no other process uses as long as this value exists.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Locks the folder, and creates it where it is missing. Fails where another process uses it or
    /// it cannot be used.
    pub fn take(path: &Path) -> Result<Self, DataFolderError> {
        Ok(Self {
            _lock: lock(path)?,
            path: path.to_owned(),
        })
    }

    /// Returns the paths of an environment's data. Two environments in one folder have different
    /// files.
    pub fn files(&self, environment: &str) -> Files {
        let file = |what: &str| self.file(environment, what);
        Files {
            database: file("dynamodb.sqlite"),
            state: file("state.sqlite"),
            objects: file("objects"),
        }
    }

    /// Returns the path of the key that encrypts the keys of the environment's personal data.
    ///
    /// Without this file all personal data of the environment are lost, because nothing else can
    /// decrypt them. It lies in the same folder as the data that it protects, so a copy of the
    /// folder contains it, too: what an erasure destroys lives on in a copy. On AWS the key never
    /// leaves KMS.
    pub fn personal_data_key(&self, environment: &str) -> PathBuf {
        self.file(environment, "personal-data.keys")
    }

    fn file(&self, environment: &str, what: &str) -> PathBuf {
        self.path.join(format!("{environment}.{what}"))
    }
}

/// Locks the data folder. The operating system releases the lock however the process ends.
fn lock(data: &Path) -> Result<File, DataFolderError> {
    let name = data.display().to_string();
    let failed = |cause| DataFolderError::Unusable {
        data: name.clone(),
        cause,
    };
    std::fs::create_dir_all(data).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(data.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
            let by = if known {
                format!(" (process {holder})")
            } else {
                String::new()
            };
            return Err(DataFolderError::InUse { data: name, by });
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    file.set_len(0).map_err(failed)?;
    write!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}
