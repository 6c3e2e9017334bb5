//! A dead letter as pages show it, and the path of its page.

use operator::{
    dead_letters::{self, DeadLetter, LetterId},
    retry::Group as Why,
    words::duration_text,
};

use super::subject::Subject;
use crate::{at::At, backend::Failure, links};

/// A dead letter as a page shows it.
pub(super) struct LetterView {
    pub(super) name: String,
    pub(super) at: Option<At>,
    pub(super) age: String,
    pub(super) about: Vec<Subject>,
    pub(super) about_more: bool,
    pub(super) bytes: u64,
    /// The function that gave up, as a heading.
    pub(super) by: String,
    /// The reason; for a refused command, the code of the refusal.
    pub(super) reason: String,
    /// What the code means.
    pub(super) meaning: Option<&'static str>,
    /// The invalid field of the command.
    pub(super) field: Option<String>,
    /// What is wrong with the field.
    pub(super) message: Option<String>,
    /// Whether a retry may succeed.
    pub(super) may_succeed: bool,
    /// The same in words.
    pub(super) prospect: &'static str,
    /// The file or source that the command came from.
    pub(super) from: Option<String>,
    pub(super) link: String,
    /// The group of a retry of all dead letters with this reason.
    pub(super) why: Why,
}

impl LetterView {
    pub(super) fn of(letter: DeadLetter) -> Self {
        let unsaid = || "nobody has said why".to_owned();
        let about = letter
            .about
            .iter()
            .filter(|it| Some(*it) != letter.from.as_ref());
        Self {
            why: Why {
                role: letter.role.clone(),
                reason: letter.reason.clone(),
            },
            may_succeed: letter.may_succeed,
            prospect: letter.prospect(),
            meaning: letter.reason.as_deref().and_then(dead_letters::meaning),
            field: letter.field,
            message: letter.message,
            at: letter.at.map(|at| At(at.to_string())),
            age: duration_text(letter.age_seconds),
            about: about.map(|name| Subject::of(name)).collect(),
            from: letter.from.clone(),
            about_more: letter.about_more,
            bytes: letter.bytes,
            by: match letter.role {
                Some(role) => format!("Given up by {role}"),
                None => "Given up, nobody can say by whom".to_owned(),
            },
            reason: letter.reason.unwrap_or_else(unsaid),
            link: letter_link(&letter.id),
            name: name_of(&letter.id).to_owned(),
        }
    }
}

fn name_of(id: &LetterId) -> &str {
    match id {
        LetterId::Stream(name) | LetterId::Message(name) => name,
    }
}

fn place_of(id: &LetterId) -> &'static str {
    match id {
        LetterId::Stream(_) => "stream",
        LetterId::Message(_) => "message",
    }
}

pub(super) fn letter_link(id: &LetterId) -> String {
    let names = [("place", Some(place_of(id))), ("name", Some(name_of(id)))];
    links::query("/stuck/letter", &names)
}

/// Returns the id of the dead letter that a query names. Fails with `404` where `place` is neither
/// `stream` nor `message`.
pub(super) fn letter_id(place: &str, name: &str) -> Result<LetterId, Failure> {
    match place {
        "stream" => Ok(LetterId::Stream(name.to_owned())),
        "message" => Ok(LetterId::Message(name.to_owned())),
        _ => Err(Failure::Message {
            status: 404,
            message: format!(
                "Dead letters lie in the stream or are messages, and not in {place:?}."
            ),
        }),
    }
}
