//! The ledger of a rebuild, in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use projectors::rebuild::{
    Rebuilds,
    ledger::{Ledger, LedgerError},
    pace::CapacityLimiter,
};

/// A ledger in memory: its parts by path.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    parts: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryLedger {
    /// Returns all parts, ordered by path.
    pub fn all(&self) -> Vec<Vec<u8>> {
        self.parts.lock().unwrap().values().cloned().collect()
    }

    /// Returns the size of all parts together, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts.lock().unwrap().values().map(Vec::len).sum()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        self.parts.lock().unwrap().insert(path.to_owned(), bytes);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let parts = self.parts.lock().unwrap();
        let found = parts.keys().filter(|path| path.starts_with(prefix));
        Ok(found.cloned().collect())
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        let part = self.parts.lock().unwrap().get(path).cloned();
        part.ok_or_else(|| LedgerError(format!("no part {path}")))
    }
}

/// Returns what rebuilds work with: a ledger in memory, no limit of their pace, and a sweep of the
/// store in one segment.
pub fn rebuilds() -> Rebuilds {
    Rebuilds {
        ledger: Arc::new(MemoryLedger::default()),
        pace: Arc::new(CapacityLimiter::default()),
        sweep_segments: 1,
        sweep_minutes: 60,
    }
}
