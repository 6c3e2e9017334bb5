//! An operator in memory, who remembers every message.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use commands::operator::{DeadLetterReason, Operator, Unreachable};

/// The port to operators, in memory.
#[derive(Debug, Default)]
pub struct MemoryOperator {
    messages: Mutex<OperatorMessages>,
}

/// The messages that an operator has got, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorMessages {
    /// Each event that can never succeed, with the code of the reason.
    pub dead_letters: Vec<(String, String)>,
    /// The subject, the text and the id of each alert.
    pub alerts: Vec<(String, String, String)>,
}

impl MemoryOperator {
    /// Returns the messages so far.
    pub fn messages(&self) -> OperatorMessages {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, OperatorMessages> {
        self.messages.lock().unwrap()
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
