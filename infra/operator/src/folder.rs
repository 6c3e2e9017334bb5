//! The folder on this machine that keeps the state of a run. The run can be stopped at any moment
//! and resumed from it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use domain::Timestamp;
use projectors::rebuild::ledger::{Ledger, LedgerError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{environment::Environment, error::OperatorError, lock::LOCK};

/// The name of the file, in a run's folder, that describes the run.
pub(crate) const STATE: &str = "run.json";

/// The folder of all runs unless another one is given, relative to the folder in which the command
/// is started.
pub const STATE_FOLDER: &str = ".waybill";

/// The default folder, under `state`, for a run of one kind (`verify`, `rebuild` or `announce`) in
/// an environment.
pub fn run_folder(state: &Path, kind: &str, environment: &str) -> PathBuf {
    state.join(format!("{kind}-{environment}"))
}

/// A run that was started and has not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// The command that started it: `verify`, `rebuild` or `announce`.
    pub command: &'static str,
    /// The time at which it was started, in ISO 8601.
    pub begun: String,
}

/// How a run starts: from the beginning, or from the state that its folder keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(
    tag = "start",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Start {
    /// From the beginning.
    Anew,
    /// From where an earlier run was stopped.
    Resumed {
        /// The time at which the earlier run was started.
        begun: Timestamp,
        /// The seconds since then.
        seconds: u64,
    },
    /// From the beginning, since the earlier run was started longer ago than
    /// [`RESUMED_WITHIN`](crate::limits::RESUMED_WITHIN): its digests say little about today's
    /// rows.
    TooOld {
        /// The time at which the earlier run was started.
        begun: Timestamp,
        /// The seconds since then.
        seconds: u64,
    },
}

/// Decides how a run starts. `known` is the time at which a run that does the same was started, if
/// there is one. `within` is the time during which that run may be resumed; without it there is no
/// limit.
pub(crate) fn started(known: Option<Timestamp>, now: Timestamp, within: Option<Duration>) -> Start {
    let Some(begun) = known else {
        return Start::Anew;
    };
    let millis = now.millis().saturating_sub(begun.millis()).max(0);
    let age = Duration::from_millis(millis.unsigned_abs());
    let seconds = age.as_secs();
    match within.is_none_or(|within| age <= within) {
        true => Start::Resumed { begun, seconds },
        false => Start::TooOld { begun, seconds },
    }
}

/// The folder of a run.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder at `path`, and creates it where it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self, OperatorError> {
        let made = std::fs::create_dir_all(path);
        made.map_err(|error| OperatorError::of_file(path, &error))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder at `path`, whether or not it exists.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The unfinished runs in the default folders under `state`.
    pub(crate) fn unfinished(
        state: &Path,
        environment: &Environment,
    ) -> Result<Vec<Unfinished>, OperatorError> {
        let mut unfinished = Vec::new();
        for command in ["rebuild", "verify", "announce"] {
            let folder = Self::at(run_folder(state, command, environment.name()));
            if let Some(begun) = folder.begun(&environment.identity())? {
                unfinished.push(Unfinished { command, begun });
            }
        }
        Ok(unfinished)
    }

    /// The time at which the run in this folder was started; `None` where there is none, or it
    /// belongs to another environment. `of` is that environment's
    /// [`identity`](Environment::identity).
    fn begun(&self, of: &str) -> Result<Option<String>, OperatorError> {
        #[derive(Deserialize)]
        struct Run {
            of: String,
            begun: String,
        }
        let run: Option<Run> = self.load(STATE)?;
        Ok(run.filter(|run| run.of == of).map(|run| run.begun))
    }

    /// Reads what was saved under `name`; `None` where nothing was. Fails with `Folder` where the
    /// file cannot be read.
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OperatorError> {
        let path = self.0.join(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OperatorError::of_file(&path, &error)),
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| {
            OperatorError::Folder(format!(
                "{} cannot be read ({error}): begin anew (--anew), or name another folder (--state)",
                path.display()
            ))
        })
    }

    /// The time at which `name` was last saved, by this machine's clock; `None` where it never was.
    pub(crate) fn saved_at(&self, name: &str) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.0.join(name)).ok()?.modified().ok()
    }

    /// Saves `value` under `name` in place of the earlier one. The file is replaced as a whole or
    /// not at all. `name` may begin with a folder, which is created.
    pub(crate) fn save(&self, name: &str, value: &impl Serialize) -> Result<(), OperatorError> {
        let path = self.0.join(name);
        let json = serde_json::to_vec(value);
        let written = json.map_err(io::Error::other).and_then(|bytes| {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            write_whole(&path, &bytes)
        });
        written.map_err(|error| OperatorError::of_file(&path, &error))
    }

    /// Removes the files of every run. Other files stay: the folder may be one that a person uses
    /// for something else too.
    pub(crate) fn clear(&self) -> Result<(), OperatorError> {
        let cleared = self.clear_files();
        cleared.map_err(|error| OperatorError::of_file(&self.0, &error))
    }

    fn clear_files(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // The ledger and the steps of a run are in a folder whose name is the run's UUID.
            if entry.file_type()?.is_dir() && uuid::Uuid::try_parse(&name).is_ok() {
                std::fs::remove_dir_all(path)?;
            } else if name == STATE || name == "run.new" {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes the files of every run, and the folder itself where nothing else is in it. Only the
    /// holder of its lock may call this.
    pub(crate) fn remove(self) -> Result<(), OperatorError> {
        self.clear()?;
        let lock = self.0.join(LOCK);
        match std::fs::remove_file(&lock) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OperatorError::of_file(&lock, &error));
            }
            _ => {}
        }
        match std::fs::remove_dir(&self.0) {
            // Another process may have started the next run meanwhile.
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(OperatorError::of_file(&self.0, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Writes a new file and renames it to `path`. Where the process is killed here, the file has its
/// old or its new content.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(beside, path)
}

fn unavailable(error: io::Error) -> LedgerError {
    LedgerError(error.to_string())
}

#[async_trait]
impl Ledger for Folder {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unavailable)?;
        }
        write_whole(&path, &bytes).map_err(unavailable)
    }

    /// Only a folder's name with its `/` is supported as a prefix: nothing else is asked for.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let entries = match std::fs::read_dir(self.0.join(prefix)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unavailable(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let name = entry.map_err(unavailable)?.file_name();
            let name = name.to_string_lossy();
            if !name.ends_with(".new") {
                paths.push(format!("{prefix}{name}"));
            }
        }
        Ok(paths)
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        std::fs::read(self.0.join(path)).map_err(unavailable)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_runs_stays() -> Result<(), OperatorError> {
        let name = format!("waybill-folder-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let folder = Folder::open(&path)?;
        let run = path.join(uuid::Uuid::new_v4().to_string());
        for directory in [&run, &path.join("photos")] {
            std::fs::create_dir_all(directory).unwrap();
            std::fs::write(directory.join("1"), "1").unwrap();
        }
        folder.save(STATE, &1)?;
        folder.clone().remove()?;
        assert!(!run.exists() && !path.join(STATE).exists());
        assert!(path.join("photos").join("1").exists());
        std::fs::remove_dir_all(&path).unwrap();
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_says_where_it_lies_and_what_helps() -> Result<(), OperatorError> {
        let name = format!("waybill-folder-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let folder = Folder::open(&path)?;
        std::fs::write(path.join(STATE), "{").unwrap();
        let error = folder.load::<Vec<u32>>(STATE).unwrap_err().to_string();
        assert!(
            error.contains(STATE) && error.contains("begin anew"),
            "{error}"
        );
        std::fs::remove_dir_all(&path).unwrap();
        Ok(())
    }
}
