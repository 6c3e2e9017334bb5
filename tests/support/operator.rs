//! An operator that remembers what it is told.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use commands::operator::{DeadLetterReason, Operator, Unreachable};

/// Dead letters and alerts in memory.
#[derive(Debug, Default)]
pub struct MemoryOperator {
    told: Mutex<Told>,
}

/// What an operator was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Each event that can never succeed, and why.
    pub dead_letters: Vec<(String, String)>,
    /// Subject, text and id of each alert.
    pub alerts: Vec<(String, String, String)>,
}

impl MemoryOperator {
    /// What it was told so far.
    pub fn told(&self) -> Told {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

#[async_trait]
impl Operator for MemoryOperator {
    async fn keep_dead_letter(
        &self,
        event: &str,
        reason: &DeadLetterReason,
    ) -> Result<(), Unreachable> {
        let letter = (event.to_owned(), reason.code.clone());
        self.state().dead_letters.push(letter);
        Ok(())
    }

    async fn alert(&self, subject: &str, text: &str, id: &str) -> Result<(), Unreachable> {
        let alert = (subject.to_owned(), text.to_owned(), id.to_owned());
        self.state().alerts.push(alert);
        Ok(())
    }
}
