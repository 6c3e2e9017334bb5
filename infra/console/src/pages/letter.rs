//! The page of a dead letter: why it was given up, and its content on request.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use operator::dead_letters::{self, LetterId};
use serde::Deserialize;

use super::{
    discard::discard_link,
    letter_view::{LetterView, letter_id, letter_link},
    retry,
    subject::cut,
};
use crate::{
    Console,
    backend::Failure,
    change::Form,
    jobs::RetryTask,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/stuck/letter", get(show_letter))
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
        let form = retry::form(&RetryTask::Letter(id.clone()), &again);
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
