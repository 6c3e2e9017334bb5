//! Logs of the local system: everything as JSON lines in a file, and short warnings and errors on
//! standard error, so that the terminal stays readable.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::StartError;
use crate::data_folder::DataFolderError;
use crate::limits::{LOG_BYTES, TERMINAL_CHARACTERS};

/// The log levels unless `RUST_LOG` sets others. The embedded DynamoDB warns of each condition that
/// fails, which is normal for the event store; the library for S3 logs an error when an object does
/// not exist.
const LEVELS: &str = "info,dynoxide=error,s3s=off";

/// The name of the log in the data folder.
pub const FILE: &str = "waybill.log";

/// Starts logging to `<data>/waybill.log`, and to standard error from the level `shown` on.
pub fn start(data: &Path, shown: LevelFilter) -> Result<(), StartError> {
    let name = data.display().to_string();
    start_in(data, shown).map_err(|cause| DataFolderError::Unusable { data: name, cause }.into())
}

fn start_in(data: &Path, shown: LevelFilter) -> io::Result<()> {
    std::fs::create_dir_all(data)?;
    let file = RotatingFile::open(data.join(FILE), LOG_BYTES)?;
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let to_file = fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(Mutex::new(file))
        .with_filter(levels);
    let to_terminal = fmt::layer()
        .compact()
        .without_time()
        .with_target(false)
        .with_writer(|| ShortLines(io::stderr()))
        .with_filter(EnvFilter::new(format!("{shown},dynoxide=error,s3s=off")));
    tracing_subscriber::registry()
        .with(to_file)
        .with(to_terminal)
        .try_init()
        .map_err(io::Error::other)
}

/// Cuts long lines. The file has them in full.
struct ShortLines(io::Stderr);

impl Write for ShortLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        match text.char_indices().nth(TERMINAL_CHARACTERS) {
            Some((end, _)) => writeln!(self.0, "{}…", &text[..end])?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file that is renamed to `<name>.1` once it is full, and then starts empty.
struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
}

impl RotatingFile {
    fn open(path: PathBuf, max_bytes: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            bytes,
            max_bytes,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut earlier = self.path.clone().into_os_string();
        earlier.push(".1");
        std::fs::rename(&self.path, earlier)?;
        self.file = append(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes >= self.max_bytes {
            self.rotate()?;
        }
        let written = self.file.write(line)?;
        self.bytes += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_gives_way_to_a_new_one() {
        let folder = std::env::temp_dir().join(format!("waybill-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("a.log");
        let mut file = RotatingFile::open(path.clone(), 6).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(
            std::fs::read_to_string(folder.join("a.log.1")).unwrap(),
            "one\ntwo\n"
        );

        // A file that an earlier process has filled is replaced, too.
        let mut file = RotatingFile::open(path.clone(), 6).unwrap();
        file.write_all(b"four\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
