//! The page of a dead letter: why it was given up, and its content on request.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use operator::{
    dead_letters::{self, DeadLetter, LetterId},
    retry::Group as Why,
};
use serde::Deserialize;

use super::{
    discard::discard_link,
    stuck::{Subject, cut, lasted},
};
use crate::{
    Console,
    at::At,
    backend::Failure,
    change::Form,
    jobs::RetryTask,
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/stuck/letter", get(show_letter))
}

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
            age: lasted(letter.age_seconds),
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

#[derive(Deserialize)]
struct LetterParams {
    place: String,
    name: String,
    #[serde(default)]
    content: bool,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage<'a> {
    letter: &'a LetterView,
    of_stream: bool,
    content: Option<String>,
    show_content: String,
    retry: Option<Form>,
    /// The path of the page that asks before the letter is discarded; `None` where it cannot be.
    discard: Option<String>,
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

async fn show_letter(view: View, Query(which): Query<LetterParams>) -> Response {
    let head = Head::new(Nav::Stuck, "A dead letter", "the dead letter");
    let (console, again) = (view.console.clone(), view.clone());
    view.show(head, async move {
        let id = letter_id(&which.place, &which.name)?;
        let environment = console.operating().environment().await?;
        let letter = dead_letters::letter(&environment, &id).await;
        let letter = letter.map_err(|error| Failure::from(error).with_operator_policy())?;
        let content = match which.content {
            true => Some(cut(&dead_letters::payload(&environment, &id).await?)),
            false => None,
        };
        let form = super::retry::form(&RetryTask::Letter(id.clone()), &again);
        let of_stream = matches!(id, LetterId::Stream(_));
        let may_change = console.about().may_change();
        let discardable = may_change && !of_stream && !letter.may_succeed;
        Page::of(&LetterPage {
            of_stream,
            discard: discardable.then(|| discard_link(&which.name)),
            letter: &LetterView::of(letter),
            content,
            show_content: format!("{}&content=true", letter_link(&id)),
            retry: may_change.then_some(form),
        })
    })
    .await
}
