//! Discards a dead letter that cannot succeed as it is: asks first and says what is lost, then
//! removes it.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::get,
};
use operator::{
    OperatorError,
    dead_letters::{self, LetterId},
};
use serde::Deserialize;

use super::letter_view::{LetterView, letter_link};
use crate::{
    About, Console,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/stuck/letter/discard", get(ask).post(discard))
}

/// Returns the path of the page that asks before the message of this id is discarded.
pub(super) fn discard_link(id: &str) -> String {
    links::query("/stuck/letter/discard", &[("name", Some(id))])
}

#[derive(Deserialize)]
struct Params {
    /// The id of the message.
    name: String,
}

#[derive(Template)]
#[template(path = "discard.html")]
struct DiscardPage<'a> {
    about: &'a About,
    letter: &'a LetterView,
    show_content: String,
    /// The form that discards it; `None` where this console changes nothing.
    form: Option<Form>,
    /// The command line that prints the whole content.
    payload: String,
    /// The command line that does the same.
    command: String,
}

/// Returns the form. Its page has said what is lost, so it is confirmed.
fn form(id: &str, view: &View) -> Form {
    Form {
        danger: true,
        confirmed: true,
        ..Form::new(discard_link(id), "discard it", view)
    }
}

async fn ask(view: View, Query(which): Query<Params>) -> Response {
    let head = Head::new(Nav::Stuck, "Discard a dead letter", "the dead letter");
    let (console, form) = (view.console.clone(), form(&which.name, &view));
    view.show(head, async move {
        let id = LetterId::Message(which.name.clone());
        let environment = console.operating().environment().await?;
        let letter = dead_letters::letter(&environment, &id).await;
        let letter = letter.map_err(|error| Failure::from(error).with_operator_policy())?;
        let may_succeed = letter.may_succeed;
        let (about, name) = (console.about(), links::quoted(&which.name));
        Page::of(&DiscardPage {
            about,
            letter: &LetterView::of(letter),
            show_content: format!("{}&content=true", letter_link(&id)),
            form: (about.may_change() && !may_succeed).then_some(form),
            payload: format!("waybill dead-letters --payload {name} {}", about.flags),
            command: format!("waybill dead-letters --discard {name} {}", about.flags),
        })
    })
    .await
}

async fn discard(
    view: View,
    Query(which): Query<Params>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let id = which.name;
    let action = OperatorAction {
        nav: Nav::Stuck,
        title: "Discard a dead letter".to_owned(),
        effect: format!("the dead letter {id} is removed for ever, with its content."),
        form: form(&id, &view).filled(&sent),
        back: links::STUCK.to_owned(),
    };
    let console = view.console.clone();
    let is_confirmed = sent.get("confirmed").is_some_and(|it| it == "yes");
    action
        .carry_out(view, &sent, async move {
            if !is_confirmed {
                return Ok(discard_link(&id));
            }
            let environment = console.operating().environment().await?;
            // The future is large. Boxed, it does not make the caller's future large, too.
            let discarded = Box::pin(operator::discard(&environment, &id)).await;
            discarded.map_err(OperatorError::into).map(|letter| {
                let about = letter.about.first().map(String::as_str);
                links::query("/stuck", &[("discarded", Some(about.unwrap_or(&id)))])
            })
        })
        .await
}
