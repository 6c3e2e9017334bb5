//! The digest by which contents of commands are compared.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Json;

/// The first 16 bytes of a SHA-256 over a value's canonical JSON text, as lower-case hex.
///
/// With 128 bits, two contents of one aggregate (20,000 commits at most) do not collide by chance.
/// A collision made on purpose would only make the attacker's own command a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of a JSON value. Equal values have equal digests, whatever the order of their
    /// members or the notation of their numbers.
    pub fn of(content: &Json) -> Self {
        let hash = Sha256::digest(content.to_string());
        Self(
            hash.iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// The 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
