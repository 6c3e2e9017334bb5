//! The ledger in which a rebuild keeps digests of rows.

use async_trait::async_trait;
use projectors::rebuild::ledger::{Ledger, LedgerError};
use support::ledger::MemoryLedger;

use super::{after, before};
use crate::{
    core::Core,
    defects::{self, Defect},
};

/// The ledger of all rebuilds under this world's faults.
pub struct SimLedger {
    /// The world's choices, time and faults.
    pub core: Core,
    /// The stored parts.
    pub ledger: MemoryLedger,
}

fn no_ledger() -> LedgerError {
    LedgerError("fault".to_owned())
}

#[async_trait]
impl Ledger for SimLedger {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        if !before(&self.core, || format!("ledger {path}")).await {
            return Err(no_ledger());
        }
        let path = match self.core.defect {
            Some(Defect::LostPart) => defects::first_part(path),
            _ => path.to_owned(),
        };
        self.ledger.put(&path, bytes).await?;
        match after(&self.core).await {
            true => Ok(()),
            false => Err(no_ledger()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        match before(&self.core, || format!("ledger list {prefix}")).await {
            true => self.ledger.list(prefix).await,
            false => Err(no_ledger()),
        }
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        match before(&self.core, || format!("ledger get {path}")).await {
            true => self.ledger.get(path).await,
            false => Err(no_ledger()),
        }
    }
}
