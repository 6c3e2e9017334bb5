//! What became of each item of a retry, as pages show it.

use operator::retry::{CommandResult, Retried, RetriedKind};

use super::{letter_view::LetterView, subject::Subject};
use crate::{About, backend::Policy, denials::explained, links};

/// One item that was retried.
pub(super) struct Row {
    pub(super) done: bool,
    pub(super) kind: &'static str,
    /// The orders, shipments or files that it is about; empty where nobody can say.
    pub(super) about: Vec<Subject>,
    /// The id of a message, or the key of an object; `None` of what is parked.
    pub(super) name: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) result: Option<CommandResultView>,
}

/// The result of the command in a dead letter.
pub(super) enum CommandResultView {
    /// The command was accepted.
    Accepted {
        subject: Subject,
        kind: String,
        sequence: u64,
    },
    /// The command was refused again, and there is a new dead letter.
    Refused(Box<LetterView>),
    /// The import of the file has started.
    File { key: String, link: String },
    /// The command changed nothing.
    Nothing { subject: Subject, version: u64 },
}

impl CommandResultView {
    fn of(came: &CommandResult) -> Self {
        match came.clone() {
            CommandResult::Accepted {
                aggregate,
                kind,
                sequence,
            } => Self::Accepted {
                subject: Subject::of(&aggregate),
                kind,
                sequence,
            },
            CommandResult::Refused(letter) => Self::Refused(Box::new(LetterView::of(*letter))),
            CommandResult::File(id) => Self::File {
                link: links::file(&id.key, &id.version),
                key: id.key,
            },
            CommandResult::Unchanged { aggregate, version } => Self::Nothing {
                subject: Subject::of(&aggregate),
                version,
            },
        }
    }
}

impl Row {
    pub(super) fn of(retried: &Retried, about: &About) -> Self {
        let is_parked = retried.kind == RetriedKind::Parked;
        let kind = match retried.kind {
            RetriedKind::Parked if retried.name.starts_with("notify ") => "messages of",
            RetriedKind::Parked => "rows of",
            RetriedKind::Stream => "dead letter of the stream",
            RetriedKind::Message => "dead letter",
        };
        Self {
            done: retried.done,
            kind,
            about: retried.about.iter().map(|it| Subject::of(it)).collect(),
            name: (!is_parked).then(|| retried.name.clone()),
            reason: retried
                .reason
                .as_deref()
                .map(|reason| explained(reason, Policy::Operator, about)),
            result: retried.result.as_ref().map(CommandResultView::of),
        }
    }
}
