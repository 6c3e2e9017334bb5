//! The page of a run: the answer to what was sent, then its events, row and messages as they
//! arrive.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;

use crate::{
    Console,
    pages::try_it::playground,
    trying::{
        look,
        run::{Experiment, Run},
        verdict::{Verdict, verdicts},
    },
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/try/runs/{id}", get(show))
        .route("/try/runs/{id}/trail", get(trail))
}

#[derive(Template)]
#[template(path = "try_run.html")]
struct RunPage<'a> {
    run: &'a Run,
    title: String,
    /// The consumer that the experiment holds back.
    held: Option<&'a str>,
    token: &'a str,
    /// This and the next two fields are those of [`Trail`], which is part of the page.
    verdicts: Vec<Verdict>,
    again: Option<String>,
    missing: usize,
}

/// The part of the page that shows what arrived and when. The browser reloads it whenever there is
/// something new.
#[derive(Template)]
#[template(path = "try_trail.html")]
struct Trail<'a> {
    run: &'a Run,
    verdicts: Vec<Verdict>,
    /// The path that returns it again; `None` where nothing more is expected.
    again: Option<String>,
    missing: usize,
}

fn trail_of(run: &Run) -> Trail<'_> {
    let address = format!("{}/trail?seen={}", look::page(&run.id), run.seen.revision);
    Trail {
        verdicts: verdicts(run),
        again: (!look::is_settled(run)).then_some(address),
        missing: run.missing().len(),
        run,
    }
}

fn title(run: &Run) -> String {
    match &run.experiment {
        None => run.way.title().to_owned(),
        Some(Experiment::Held(consumer)) => format!("{consumer} is held back"),
        Some(Experiment::Lost) => "An answer is lost".to_owned(),
        Some(Experiment::Twice) => "Everything comes twice".to_owned(),
    }
}

const GONE: &str = "Nothing that was sent has this id. The console remembers the latest ones until it \
                    is started again.";

async fn show(view: View, Path(id): Path<String>) -> Response {
    let playground = match playground(&view) {
        Ok(playground) => playground,
        Err(none) => return *none,
    };
    // Looks once, because the run may no longer be followed in the background.
    look::look(&view.console, &playground, &id).await;
    let Some(run) = playground.runs.get(&id) else {
        return view.refused(StatusCode::NOT_FOUND, GONE);
    };
    let head = Head::new(Nav::TryIt, title(&run), "what became of it");
    let token = view.token.clone();
    view.show(head, async move {
        let held = match &run.experiment {
            Some(Experiment::Held(consumer)) if run.seen.held => Some(consumer.as_str()),
            _ => None,
        };
        let Trail {
            verdicts,
            again,
            missing,
            run,
        } = trail_of(&run);
        Page::of(&RunPage {
            title: title(run),
            held,
            run,
            token: &token,
            verdicts,
            again,
            missing,
        })
    })
    .await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    seen: Option<u64>,
}

/// Returns the trail for an open page; `204` where the page already shows the latest one.
async fn trail(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let found = view.console.playground().and_then(|it| it.runs.get(&id));
    let Some(run) = found else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let trail = trail_of(&run);
    if asked.seen == Some(run.seen.revision) && trail.again.is_some() {
        return StatusCode::NO_CONTENT.into_response();
    }
    match trail.render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
