//! Where a run is kept that can be stopped at any moment and gone on with: a folder on this machine.

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

/// The file in a folder that says what a run is.
pub(crate) const STATE: &str = "run.json";

/// Where runs are kept unless somebody says otherwise, under the folder that a command runs in.
pub const STATE_FOLDER: &str = ".waybill";

/// The folder of a kind of run (`verify`, `rebuild` or `announce`) in an environment, under `state`.
pub fn run_folder(state: &Path, kind: &str, environment: &str) -> PathBuf {
    state.join(format!("{kind}-{environment}"))
}

/// A run that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// `verify`, `rebuild` or `announce`.
    pub command: &'static str,
    /// When it was begun.
    pub begun: String,
}

/// How a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(
    tag = "start",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Start {
    /// From the beginning.
    Anew,
    /// Where it was stopped.
    Resumed {
        /// When it was begun.
        begun: Timestamp,
        /// How long ago that is, in seconds.
        seconds: u64,
    },
    /// From the beginning, since what was begun is older than
    /// [`RESUMED_WITHIN`](crate::limits::RESUMED_WITHIN): its digests say little of today's rows.
    TooOld {
        /// When it was begun.
        begun: Timestamp,
        /// How long ago that is, in seconds.
        seconds: u64,
    },
}

/// How a run starts where one is `known` that does the same, begun then; `within` which time it may
/// go on, where there is a limit.
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

/// A folder of a run.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made where it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, OperatorError> {
        let made = std::fs::create_dir_all(path);
        made.map_err(|error| OperatorError::of_file(path, &error))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder at `path`, there or not.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Runs that were begun in the usual folders under `state`, and not finished.
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

    /// When the run in it was begun; `None` where there is none, or one of another environment.
    fn begun(&self, of: &str) -> Result<Option<String>, OperatorError> {
        #[derive(Deserialize)]
        struct Run {
            of: String,
            begun: String,
        }
        let run: Option<Run> = self.load(STATE)?;
        Ok(run.filter(|run| run.of == of).map(|run| run.begun))
    }

    /// What was saved under `name`; `None` where nothing was.
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
                "{} cannot be read ({error}): begin anew, or name another folder",
                path.display()
            ))
        })
    }

    /// When something was last saved under `name`, by this machine's clock.
    pub(crate) fn saved_at(&self, name: &str) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.0.join(name)).ok()?.modified().ok()
    }

    /// Saves it under `name`, in place of what was there, whole or not at all. A name may have a
    /// folder in front, which is made.
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

    /// Forgets every run. What is not a run's stays: somebody may have named a folder of theirs.
    pub(crate) fn clear(&self) -> Result<(), OperatorError> {
        let cleared = self.clear_files();
        cleared.map_err(|error| OperatorError::of_file(&self.0, &error))
    }

    fn clear_files(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // A run's ledger and steps lie in a folder that is called like it.
            if entry.file_type()?.is_dir() && uuid::Uuid::try_parse(&name).is_ok() {
                std::fs::remove_dir_all(path)?;
            } else if name == STATE || name == "run.new" {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Forgets every run, and the folder, where nothing else is in it. Only who has its lock may.
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
            // Somebody may have begun the next one meanwhile.
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(OperatorError::of_file(&self.0, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Writes beside, and puts it in its place: whoever is killed here leaves the old or the new.
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

    /// A prefix is a folder's name, with its `/`: others are not asked for.
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
