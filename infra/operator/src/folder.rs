//! Where a rebuild keeps what it must not forget: a folder, so that it can be stopped at any moment
//! and gone on with.

use std::{
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use projectors::rebuild::ledger::{Ledger, LedgerError};
use serde::{Serialize, de::DeserializeOwned};

use crate::outcome::OperatorError;

/// The file in a folder that says where a run stands.
pub(crate) const STATE: &str = "run.json";

/// Where a command keeps where it stands, unless somebody says otherwise.
pub(crate) fn usual(command: &str, environment: &str) -> PathBuf {
    PathBuf::from(format!(".waybill/{command}-{environment}"))
}

/// A folder of a rebuild.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made where it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, OperatorError> {
        let said = |error: io::Error| OperatorError::Said(format!("{}: {error}", path.display()));
        std::fs::create_dir_all(path).map_err(said)?;
        Ok(Self(path.to_owned()))
    }

    /// The folder at `path`, there or not.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// When the run in it was begun; `None` where there is none, or one of another environment.
    pub(crate) fn begun(&self, of: &str) -> Result<Option<String>, OperatorError> {
        #[derive(serde::Deserialize)]
        struct Run {
            of: String,
            begun: String,
        }
        let run: Option<Run> = self.load(STATE)?;
        Ok(run.filter(|run| run.of == of).map(|run| run.begun))
    }

    /// What was saved under `name`; `None` where nothing was.
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OperatorError> {
        match std::fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Saves it under `name`, in place of what was there, whole or not at all.
    pub(crate) fn save(&self, name: &str, value: &impl Serialize) -> Result<(), OperatorError> {
        write_whole(&self.0.join(name), &serde_json::to_vec(value)?)?;
        Ok(())
    }

    /// Forgets every run. What is not a run's stays: somebody may have named a folder of theirs.
    pub(crate) fn clear(&self) -> Result<(), OperatorError> {
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // A ledger lies in a folder that is called like its run.
            if entry.file_type()?.is_dir() && uuid::Uuid::try_parse(&name).is_ok() {
                std::fs::remove_dir_all(path)?;
            } else if name == STATE || name == "run.new" {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Forgets every run, and the folder, where nothing else is in it.
    pub(crate) fn remove(self) -> Result<(), OperatorError> {
        self.clear()?;
        match std::fs::remove_dir(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error.into()),
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
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_runs_stays() -> Result<(), OperatorError> {
        let name = format!("waybill-folder-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let folder = Folder::open(&path)?;
        let run = path.join(uuid::Uuid::new_v4().to_string());
        for directory in [&run, &path.join("photos")] {
            std::fs::create_dir_all(directory)?;
            std::fs::write(directory.join("1"), "1")?;
        }
        folder.save(STATE, &1)?;
        folder.clone().remove()?;
        assert!(!run.exists() && !path.join(STATE).exists());
        assert!(path.join("photos").join("1").exists());
        std::fs::remove_dir_all(&path)?;
        Ok(())
    }
}
