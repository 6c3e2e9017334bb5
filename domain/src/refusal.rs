//! The business says no.

/// Why a command was refused: what whoever sent it can do something about.
///
/// The texts go outside as they are, so they name only what the sender sent. `code` is stable for
/// machines; the message is for people and may change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command itself is at fault, whatever the state.
    #[error("{message}")]
    Invalid {
        /// What kind of fault.
        code: &'static str,
        /// Where it is, such as `items[3].price`; empty where it is nowhere in particular.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// There is no such order or shipment.
    #[error("{message}")]
    NotFound {
        /// What is missing.
        message: String,
    },
    /// The state does not allow it.
    #[error("{message}")]
    Conflict {
        /// What kind of conflict.
        code: &'static str,
        /// What stands against it.
        message: String,
    },
}

impl Refusal {
    /// What kind of refusal, stable for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { code, .. } | Self::Conflict { code, .. } => code,
            Self::NotFound { .. } => "not_found",
        }
    }

    /// A field that is at fault.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            code: "invalid_field",
            field: field.into(),
            message: message.into(),
        }
    }

    /// A limit that is exceeded.
    pub fn too_large(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            code: "too_large",
            field: field.into(),
            message: message.into(),
        }
    }
}
