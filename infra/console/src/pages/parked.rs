//! The page of one parked order or shipment: the event at which its consumer stopped, and why.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use operator::parked;
use serde::Deserialize;

use super::{parked_view::ParkedView, retry::form, subject::cut};
use crate::{
    Console,
    change::Form,
    jobs::RetryTask,
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/stuck/parked", get(show_parked))
}

#[derive(Deserialize)]
struct ParkedParams {
    consumer: String,
    aggregate: String,
    /// Whether the content of the event is to be shown.
    #[serde(default)]
    content: bool,
}

#[derive(Template)]
#[template(path = "parked.html")]
struct ParkedPage<'a> {
    parked: &'a ParkedView,
    /// The kind of the event at which the consumer stopped, where it can be read.
    kind: Option<String>,
    unreadable: Option<String>,
    content: Option<String>,
    show_content: String,
    command: String,
    retry: Option<Form>,
}

async fn show_parked(view: View, Query(which): Query<ParkedParams>) -> Response {
    let ParkedParams {
        consumer,
        aggregate,
        content,
    } = which;
    let title = format!("Parked: {aggregate}");
    let head = Head::new(Nav::Stuck, title, format!("what is parked of {aggregate}"));
    let task = RetryTask::Parked {
        consumer: consumer.clone(),
        aggregate: aggregate.clone(),
    };
    let form = form(&task, &view);
    let console = view.console.clone();
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let parked = parked::one(&environment, &consumer, &aggregate).await?;
        let shown = ParkedView::of(&parked);
        // The event is read with its history. The text in the key may not be a valid id.
        let history = match aggregate.parse() {
            Ok(id) => operator::history::history(&environment, &id, None)
                .await
                .ok(),
            Err(_) => None,
        };
        let events = history.map_or(Vec::new(), |history| history.events);
        let at = events
            .iter()
            .find(|event| event.sequence == parked.sequence || event.unreadable.is_some());
        let data = at.and_then(|event| event.data.as_ref());
        let about = console.about();
        let named = links::quoted(&aggregate.replacen('#', "/", 1));
        Page::of(&ParkedPage {
            kind: at.and_then(|event| event.kind.clone()),
            unreadable: at.and_then(|event| event.unreadable.clone()),
            content: content.then(|| {
                data.map_or("It cannot be read.".to_owned(), |data| {
                    cut(&data.to_string())
                })
            }),
            show_content: format!("{}&content=true", shown.link),
            parked: &shown,
            command: format!(
                "waybill retry {named} --consumer {consumer} {}",
                about.flags
            ),
            retry: about.may_change().then_some(form),
        })
    })
    .await
}
