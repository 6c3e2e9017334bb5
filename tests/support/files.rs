//! A versioned bucket in memory, with faults as tests need them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use commands::import::files::{Chunks, FileError, Files, Object};

/// A bucket in memory that keeps all versions of its objects.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The versions of each object by key, the oldest first.
    objects: BTreeMap<String, Vec<Version>>,
    /// The keys that functions have put, in the order of the puts.
    put: Vec<String>,
    /// The offsets from which functions have read.
    opened: Vec<u64>,
    /// The size of a chunk in bytes; 0 is 64 KiB.
    chunk: usize,
    /// For each of the next streams, after how many bytes it breaks off.
    cuts: VecDeque<usize>,
    /// Which of the next puts fails, counted from 1; 0 is none.
    failing: usize,
}

#[derive(Debug, Clone)]
struct Version {
    id: String,
    content: Arc<Vec<u8>>,
}

/// The name of the bucket.
pub const BUCKET: &str = "waybill-test-orders-000000000000";

impl MemoryFiles {
    /// Returns a bucket whose objects are read in chunks of this many bytes.
    pub fn in_chunks_of(bytes: usize) -> Self {
        let files = Self::default();
        files.state().chunk = bytes;
        files
    }

    /// Puts an object as a user does, and returns its key, version id and ETag.
    pub fn upload(&self, key: &str, content: impl Into<Vec<u8>>) -> Object {
        self.state().put(key, content.into())
    }

    /// Removes an object with all its versions.
    pub fn remove(&self, key: &str) {
        self.state().objects.remove(key);
    }

    /// Lets the next streams break off, each after the given number of bytes.
    pub fn cut(&self, after: impl IntoIterator<Item = usize>) {
        self.state().cuts.extend(after);
    }

    /// Lets the `number`-th put from now on fail, counted from 1.
    pub fn fail_put(&self, number: usize) {
        self.state().failing = number;
    }

    /// Returns the latest content of an object, if it exists.
    pub fn content(&self, key: &str) -> Option<Vec<u8>> {
        let content = self.state().latest(key)?;
        Some(content.to_vec())
    }

    /// Returns all keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Returns the keys that functions have put, in the order of the puts.
    pub fn put_by_functions(&self) -> Vec<String> {
        self.state().put.clone()
    }

    /// Returns the offsets from which functions have read.
    pub fn opened(&self) -> Vec<u64> {
        self.state().opened.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn put(&mut self, key: &str, content: Vec<u8>) -> Object {
        let versions = self.objects.entry(key.to_owned()).or_default();
        let id = format!("v{}", versions.len() + 1);
        versions.push(Version {
            id: id.clone(),
            content: Arc::new(content),
        });
        Object {
            key: key.to_owned(),
            version_id: Some(id.clone()),
            etag: format!("etag-of-{id}"),
        }
    }

    fn latest(&self, key: &str) -> Option<Arc<Vec<u8>>> {
        let latest = self.objects.get(key)?.last()?;
        Some(latest.content.clone())
    }

    /// Returns the content of the version with this id. Without an id, returns the latest content,
    /// if it has this ETag.
    fn version(&self, object: &Object) -> Option<Arc<Vec<u8>>> {
        let versions = self.objects.get(&object.key)?;
        let found = match &object.version_id {
            Some(id) => versions.iter().find(|version| version.id == *id),
            None => versions
                .last()
                .filter(|version| format!("etag-of-{}", version.id) == object.etag),
        };
        found.map(|version| version.content.clone())
    }
}

#[async_trait]
impl Files for MemoryFiles {
    fn bucket(&self) -> &str {
        BUCKET
    }

    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        let mut state = self.state();
        let content = state.version(object).ok_or(FileError::Gone)?;
        state.opened.push(offset);
        Ok(Box::new(Reading {
            at: content.len().min(offset as usize),
            content,
            chunk: match state.chunk {
                0 => 64 * 1024,
                chunk => chunk,
            },
            cut: state.cuts.pop_front(),
        }))
    }

    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError> {
        let content = self.content(key);
        Ok(content.filter(|content| content.len() <= most))
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        let mut state = self.state();
        if state.failing > 0 {
            state.failing -= 1;
            if state.failing == 0 {
                return Err(FileError::Unavailable("on purpose".to_owned()));
            }
        }
        state.put(key, json);
        state.put.push(key.to_owned());
        Ok(())
    }
}

struct Reading {
    content: Arc<Vec<u8>>,
    at: usize,
    chunk: usize,
    cut: Option<usize>,
}

#[async_trait]
impl Chunks for Reading {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        if self.cut == Some(0) {
            return Err(FileError::Unavailable("the connection was cut".to_owned()));
        }
        let most = self.cut.unwrap_or(usize::MAX).min(self.chunk);
        let end = (self.at + most).min(self.content.len());
        let chunk = self.content[self.at..end].to_vec();
        if let Some(cut) = &mut self.cut {
            *cut -= chunk.len();
        }
        self.at = end;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}
