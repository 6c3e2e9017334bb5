//! The errors by which the business rejects a command.

/// Why a command was refused, for the sender, who can correct it.
///
/// The messages are shown to the sender unchanged, so they name only what the sender sent. `code`
/// is stable for machines; the message is for people and may change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command is invalid, whatever the aggregate's state.
    #[error("{message}")]
    Invalid {
        /// The kind of fault, stable for machines, such as `invalid_field`.
        code: &'static str,
        /// The field at fault, such as `items[3].price`; empty where the whole command is at fault.
        field: String,
        /// What is wrong, and what would be right; for people.
        message: String,
    },
    /// No order or shipment with this id exists.
    #[error("{message}")]
    NotFound {
        /// Says what does not exist, for people.
        message: String,
    },
    /// The aggregate's state does not allow the command.
    #[error("{message}")]
    Conflict {
        /// The kind of conflict, stable for machines, such as `order_closed`.
        code: &'static str,
        /// Why the state does not allow it, for people.
        message: String,
    },
}

impl Refusal {
    /// The refusal's code, stable for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { code, .. } | Self::Conflict { code, .. } => code,
            Self::NotFound { .. } => "not_found",
        }
    }

    /// A refusal because of the field at the path `field`, with the code `invalid_field`.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            code: "invalid_field",
            field: field.into(),
            message: message.into(),
        }
    }

    /// A refusal because a limit is exceeded, with the code `too_large`; `field` is empty where it
    /// is the whole command's.
    pub fn too_large(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            code: "too_large",
            field: field.into(),
            message: message.into(),
        }
    }
}
