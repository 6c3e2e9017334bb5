//! The page *Try it*: an example of each way in, and faults that are switched on deliberately.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Console,
    backend::Failure,
    change::FormValues,
    limits::{RUNS_LISTED, TEXT_CHARACTERS, TWICE_SECONDS},
    trying::{
        Playground,
        faults::Faults,
        look,
        run::{Experiment, Run},
        send::{self, Submission},
        ways::{Way, command},
    },
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/try", get(show))
        .route("/try/send", post(send_text))
        .route("/try/experiment", post(experiment))
        .route("/try/faults", post(switch))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// The way in, such as `order`.
    way: Option<String>,
    /// The id of the order that a command is about.
    order: Option<String>,
    /// The id of a run whose text is to be changed.
    run: Option<String>,
}

#[derive(Template)]
#[template(path = "try.html")]
struct TryPage<'a> {
    ways: &'a [Way],
    way: Way,
    /// Whether an example can be sent. A webhook needs a secret.
    can_be_sent: bool,
    text: String,
    order: String,
    key: String,
    command: String,
    max_characters: usize,
    consumers: Vec<String>,
    on: &'a Faults,
    twice_seconds: u64,
    runs: Vec<Run>,
    token: &'a str,
}

/// Returns the playground, or a page that says that there is none.
pub(super) fn playground(view: &View) -> Result<Arc<Playground>, Box<Response>> {
    let message = "Things are tried on the local system alone, where `make run` has started it.";
    let found = view.console.playground().cloned();
    found.ok_or_else(|| Box::new(view.refused(StatusCode::NOT_FOUND, message)))
}

async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let playground = match playground(&view) {
        Ok(playground) => playground,
        Err(none) => return *none,
    };
    let head = Head::new(Nav::TryIt, "Try it", "what can be tried");
    let (token, console) = (view.token.clone(), view.console.clone());
    let on = view.faults.clone().unwrap_or_default();
    view.show(head, async move {
        let before = asked.run.and_then(|id| playground.runs.get(&id));
        let way = asked.way.as_deref().and_then(Way::parse);
        let way = way.or(before.as_ref().map(|run| run.way));
        let way = way.unwrap_or(Way::Order);
        let consumers = playground.consumers().await?;
        let (text, order) = match before {
            Some(run) => (run.text, run.order),
            None => (playground.example(way), asked.order.unwrap_or_default()),
        };
        let key = new_key();
        let named = match way {
            Way::File => "try",
            _ if order.is_empty() => "ORDER",
            _ => &order,
        };
        let command = command(
            way,
            &text,
            named,
            &key,
            &playground.addresses(console.about()),
        );
        Page::of(&TryPage {
            ways: &Way::ALL,
            way,
            can_be_sent: way != Way::Webhook || playground.can_sign(),
            text,
            order,
            key,
            command,
            max_characters: TEXT_CHARACTERS,
            consumers,
            on: &on,
            twice_seconds: TWICE_SECONDS,
            runs: playground.runs.latest(RUNS_LISTED),
            token: &token,
        })
    })
    .await
}

fn new_key() -> String {
    format!("console-{}", Uuid::new_v4())
}

/// Sends the text of the form.
async fn send_text(view: View, Posted(sent): Posted<FormValues>) -> Response {
    let text = |name: &str| sent.get(name).cloned().unwrap_or_default();
    let Some(way) = Way::parse(&text("way")) else {
        return view.refused(StatusCode::BAD_REQUEST, "There is no such way in.");
    };
    // A browser sends line breaks of a text area as CR LF.
    let body = text("text").replace("\r\n", "\n");
    if body.chars().count() > TEXT_CHARACTERS {
        return view.refused(StatusCode::PAYLOAD_TOO_LARGE, "The text is too long.");
    }
    let order = text("order").trim().to_owned();
    if way.needs_order() && order.is_empty() {
        return view.refused(StatusCode::BAD_REQUEST, "Which order? Its id is missing.");
    }
    let key = Some(text("key")).filter(|key| key.starts_with("console-"));
    let submission = Submission {
        way,
        text: body,
        order,
        key: key.unwrap_or_else(new_key),
        experiment: None,
    };
    match playground(&view) {
        Ok(playground) => send_and_show(view, playground, submission).await,
        Err(none) => *none,
    }
}

/// Switches a fault on and sends an order.
async fn experiment(view: View, Posted(sent): Posted<FormValues>) -> Response {
    let text = |name: &str| sent.get(name).cloned().unwrap_or_default();
    let experiment = match text("what").as_str() {
        "hold" => Experiment::Held(text("consumer")),
        "lose" => Experiment::Lost,
        "twice" => Experiment::Twice,
        _ => return view.refused(StatusCode::BAD_REQUEST, "There is no such experiment."),
    };
    let playground = match playground(&view) {
        Ok(playground) => playground,
        Err(none) => return *none,
    };
    let on = view.faults.clone().unwrap_or_default();
    let (on, way) = match &experiment {
        Experiment::Held(consumer) => (on.holding(consumer), Way::Order),
        Experiment::Lost => {
            let lost_answers = 1;
            (Faults { lost_answers, ..on }, Way::Order)
        }
        // The order goes over the bus, so that its command is delivered twice, too.
        Experiment::Twice => {
            let twice_for_seconds = TWICE_SECONDS;
            let on = Faults {
                twice_for_seconds,
                ..on
            };
            (on, Way::BusOrder)
        }
    };
    if let Err(failure) = playground.switch(&on).await {
        return failed(view, failure).await;
    }
    let submission = Submission {
        way,
        text: playground.example(way),
        order: String::new(),
        key: new_key(),
        experiment: Some(experiment),
    };
    send_and_show(view, playground, submission).await
}

/// Sends a submission and redirects to the page of its run.
async fn send_and_show(
    view: View,
    playground: Arc<Playground>,
    submission: Submission,
) -> Response {
    let head = Head::new(Nav::TryIt, "Try it", "what is answered");
    let console = view.console.clone();
    view.show(head, async move {
        let mut run = send::send(&console, &playground, submission).await;
        // The consumer is held back from the beginning, before the first look.
        run.seen.held = matches!(run.experiment, Some(Experiment::Held(_)));
        let id = run.id.clone();
        playground.runs.keep(run);
        look::follow(console, playground, id.clone());
        Ok(Page::Redirect(look::page(&id)))
    })
    .await
}

async fn failed(view: View, failure: Failure) -> Response {
    let head = Head::new(Nav::TryIt, "Try it", "the faults");
    view.show(head, async { Err(failure) }).await
}

/// Switches faults on or off without sending anything.
async fn switch(view: View, Posted(sent): Posted<FormValues>) -> Response {
    let text = |name: &str| sent.get(name).map(String::as_str).unwrap_or_default();
    let playground = match playground(&view) {
        Ok(playground) => playground,
        Err(none) => return *none,
    };
    let (on, consumer) = (view.faults.clone().unwrap_or_default(), text("consumer"));
    let on = match text("what") {
        "off" => Faults::default(),
        "let-go" => on.releasing(consumer),
        "hold" => on.holding(consumer),
        _ => return view.refused(StatusCode::BAD_REQUEST, "There is no such switch."),
    };
    if text("what") != "hold" {
        playground.note_release(&on);
    }
    if let Err(failure) = playground.switch(&on).await {
        return failed(view, failure).await;
    }
    let run = text("run");
    let back = match playground.runs.get(run) {
        Some(run) => look::page(&run.id),
        None => "/try".to_owned(),
    };
    Redirect::to(&back).into_response()
}
