//! The folder in which a system keeps its data, for itself alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use emulator::Files;

/// The data folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has it.
    #[error("{data} is in use by another waybill{by}; another folder: --data or WAYBILL_DATA")]
    InUse {
        /// The data folder.
        data: String,
        /// Which process it is, where known.
        by: String,
    },
    /// It cannot be used.
    #[error("{data}: {cause}; another folder: --data or WAYBILL_DATA")]
    Unusable {
        /// The data folder.
        data: String,
        /// What the operating system says.
        cause: io::Error,
    },
}

/// A folder that no other process has, for as long as this is there.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes the folder, which is made where it is missing, or says who or what is in the way.
    pub fn take(path: &Path) -> Result<Self, DataFolderError> {
        Ok(Self {
            _lock: lock(path)?,
            path: path.to_owned(),
        })
    }

    /// Where the data of an environment lie. Two environments in one folder do not meet.
    pub fn files(&self, environment: &str) -> Files {
        let file = |what: &str| self.file(environment, what);
        Files {
            database: file("dynamodb.sqlite"),
            state: file("state.sqlite"),
            objects: file("objects"),
        }
    }

    /// Where the environment's key lies that encrypts the keys of personal data.
    ///
    /// Whoever loses this file has lost all personal data of the environment: nothing else can decrypt
    /// them. It lies beside the data that it protects, so whoever copies the folder copies it, too:
    /// what an erasure destroys lives on in a copy. On AWS the key never leaves KMS.
    pub fn personal_data_key(&self, environment: &str) -> PathBuf {
        self.file(environment, "personal-data.keys")
    }

    fn file(&self, environment: &str, what: &str) -> PathBuf {
        self.path.join(format!("{environment}.{what}"))
    }
}

/// Takes the data folder. The operating system gives it back however the process ends.
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
