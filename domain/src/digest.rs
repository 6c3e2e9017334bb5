//! What tells one content from another.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Json;

/// The first 16 bytes of a SHA-256 over a value's one way of being written, as lower-case hex.
///
/// 128 bits are beyond chance among an aggregate's 20,000 commits, and beyond an attack that would
/// only make an attacker's own command a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of a JSON value: equal values, equal digests, whatever order or notation they came in.
    pub fn of(content: &Json) -> Self {
        let hash = Sha256::digest(content.to_string());
        Self(
            hash.iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
