//! A lock that lets only one run at a time use a folder. The operating system releases it when its
//! holder ends, in whatever way, so nobody has to remove it.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use domain::Timestamp;
use event_store::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::OperatorError,
    limits::{LOCK_ATTEMPTS, LOCK_WAIT},
};

/// The name of the file that is locked.
pub(crate) const LOCK: &str = "lock";

/// The process that holds the lock of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process id, on the machine of the folder.
    pub process: u32,
    /// The command, such as `waybill verify`, without its arguments, since one of them may be a
    /// secret.
    pub command: String,
    /// The time since which it holds the lock, by this machine's clock.
    pub since: Timestamp,
}

impl LockHolder {
    /// This process, as the holder from now on.
    pub fn this_process() -> Self {
        let mut words = std::env::args();
        let program = words.next().unwrap_or_default();
        let program = Path::new(&program).file_name();
        let program = program.map_or("waybill".into(), |name| name.to_string_lossy());
        let subcommand = words.next().filter(|word| !word.starts_with('-'));
        Self {
            process: std::process::id(),
            command: match subcommand {
                Some(subcommand) => format!("{program} {subcommand}"),
                None => program.into_owned(),
            },
            since: SystemClock.now(),
        }
    }

    /// Whether the holder is this process.
    pub fn is_this_process(&self) -> bool {
        self.process == std::process::id()
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            command,
            since,
        } = self;
        write!(f, "`{command}` (process {process}), since {since}")
    }
}

/// The content of the file while it is locked.
#[derive(Serialize, Deserialize)]
struct Held {
    /// A unique text, which distinguishes the file that was locked from one that has replaced it.
    token: String,
    #[serde(flatten)]
    owner: LockHolder,
}

/// The lock of a folder. It is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder, which is created where it does not exist. Fails with `Busy`
    /// where another process, or another run of this one, holds it.
    pub(crate) async fn take(folder: &Path) -> Result<Self, OperatorError> {
        for attempt in 1..=LOCK_ATTEMPTS {
            if let Some(lock) = Self::try_take(folder)? {
                return Ok(lock);
            }
            // [`holder`] also takes the lock for a moment.
            if attempt < LOCK_ATTEMPTS {
                tokio::time::sleep(LOCK_WAIT).await;
            }
        }
        let who = holder(folder)?;
        let who = who.map_or("another process".to_owned(), |owner| owner.to_string());
        Err(OperatorError::Busy(format!(
            "one run at a time: {who} has {}",
            folder.display()
        )))
    }

    fn try_take(folder: &Path) -> Result<Option<Self>, OperatorError> {
        let path = folder.join(LOCK);
        match Self::locked(folder, &path) {
            Ok(lock) => Ok(lock),
            // A run that ends removes the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OperatorError::of_file(&path, &error)),
        }
    }

    fn locked(folder: &Path, path: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let held = Held {
            token: Uuid::new_v4().to_string(),
            owner: LockHolder::this_process(),
        };
        let held = serde_json::to_vec(&held).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.write_all(&held)?;
        // The previous holder may have removed the file after this process opened it. Then the lock
        // is that of a file which nobody else will ever open.
        let is_there = std::fs::read(path)? == held;
        Ok(is_there.then_some(Self { _file: file }))
    }
}

/// The holder of a folder's lock; `None` where nobody holds it. Any process may ask at any time.
pub fn holder(folder: &Path) -> Result<Option<LockHolder>, OperatorError> {
    let path = folder.join(LOCK);
    held(&path).map_err(|error| OperatorError::of_file(&path, &error))
}

fn held(path: &PathBuf) -> io::Result<Option<LockHolder>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            let held: Option<Held> = serde_json::from_slice(&std::fs::read(path)?).ok();
            // For a moment the file is locked and not written yet.
            let unknown = || LockHolder {
                process: 0,
                command: "another process".to_owned(),
                since: SystemClock.now(),
            };
            Ok(Some(held.map_or_else(unknown, |held| held.owner)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("waybill-lock-{}", Uuid::new_v4()))
    }

    #[tokio::test]
    async fn one_has_it_until_it_lets_go_and_the_other_hears_who() {
        let path = folder();
        assert_eq!(holder(&path).unwrap(), None);
        let lock = Lock::take(&path).await.unwrap();
        let has = holder(&path).unwrap().unwrap();
        assert!(has.is_this_process());
        let refused = Lock::take(&path).await.unwrap_err();
        assert!(matches!(refused, OperatorError::Busy(_)), "{refused}");
        assert!(refused.to_string().contains(&has.to_string()), "{refused}");
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None);
        Lock::take(&path).await.unwrap();
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[tokio::test]
    async fn the_lock_of_a_file_that_was_removed_is_none() {
        let path = folder();
        let first = Lock::take(&path).await.unwrap();
        // As a run does it at its end.
        std::fs::remove_file(path.join(LOCK)).unwrap();
        let second = Lock::take(&path).await.unwrap();
        drop(first);
        assert!(matches!(
            Lock::take(&path).await,
            Err(OperatorError::Busy(_))
        ));
        drop(second);
        std::fs::remove_dir_all(&path).unwrap();
    }
}
