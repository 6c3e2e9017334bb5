//! The bucket of order files and of the reports about them.

use async_trait::async_trait;
use commands::import::files::{Chunks, FileError, Files, Object};
use support::files::MemoryFiles;

use super::{after, before};
use crate::{core::Core, defects::Defect};

/// The bucket under this world's faults.
pub struct SimFiles {
    /// The world's choices, time and faults.
    pub core: Core,
    /// The stored files.
    pub files: MemoryFiles,
}

/// The chunks of an object that is being read. Each may fail to arrive.
struct SimChunks {
    core: Core,
    chunks: Box<dyn Chunks>,
}

fn no_bucket() -> FileError {
    FileError::Unavailable("fault".to_owned())
}

#[async_trait]
impl Files for SimFiles {
    fn bucket(&self) -> &str {
        self.files.bucket()
    }

    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        if !before(&self.core, || format!("open {} at {offset}", object.key)).await {
            return Err(no_bucket());
        }
        let chunks = self.files.open(object, offset).await?;
        Ok(Box::new(SimChunks {
            core: self.core.clone(),
            chunks,
        }))
    }

    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError> {
        if !before(&self.core, || format!("get {key}")).await {
            return Err(no_bucket());
        }
        self.files.get(key, most).await
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        if !before(&self.core, || format!("put {key}")).await {
            return Err(no_bucket());
        }
        if self.core.defect != Some(Defect::LostReport) || !key.ends_with("/report.json") {
            self.files.put(key, json).await?;
        }
        if after(&self.core).await {
            Ok(())
        } else {
            Err(no_bucket())
        }
    }
}

#[async_trait]
impl Chunks for SimChunks {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        if after(&self.core).await {
            self.chunks.next().await
        } else {
            Err(no_bucket())
        }
    }
}
