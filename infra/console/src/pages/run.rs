//! The page of a run over the whole store: its progress, whichever process has started it.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use lambda::ReadModel;
use operator::{
    Kind, Stage,
    folder::run_folder,
    rows::{Counted, Options, RunStatus},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    finding::{FindingView, shown},
    runs::{ModelParams, form, running_of, title},
};
use crate::{
    About, Console,
    at::At,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    limits::{FINDINGS_SHOWN, SHORT_WORK, SIDES_KEPT, WORK_LOOKED_AT_EVERY},
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/read-models/run", get(show))
        .route("/live/run", get(live_update))
        .route("/read-models/run/verify", post(begin_verify))
        .route("/read-models/run/rebuild", post(begin_rebuild))
        .route("/read-models/run/stop", post(stop))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BeginParams {
    anew: bool,
}

async fn begin_verify(
    view: View,
    Query(which): Query<ModelParams>,
    Query(begin): Query<BeginParams>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    self::begin(view, which, begin, sent, Kind::Verify).await
}

async fn begin_rebuild(
    view: View,
    Query(which): Query<ModelParams>,
    Query(begin): Query<BeginParams>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    self::begin(view, which, begin, sent, Kind::Rebuild).await
}

async fn begin(
    view: View,
    which: ModelParams,
    begin: BeginParams,
    sent: FormValues,
    kind: Kind,
) -> Response {
    let only = which.read_model();
    let of = match only.as_ref().ok().copied().flatten() {
        Some(model) => model.to_string(),
        None => "every read model that is read".to_owned(),
    };
    let effect = match kind {
        Kind::Verify => format!("all events and the rows of {of} are read. Nothing is changed."),
        Kind::Rebuild => format!(
            "all events and the rows of {of} are read, and each row that differs is \
             rewritten to match its events. Nobody is notified."
        ),
    };
    let form = form(kind, only.clone().unwrap_or_default(), begin.anew, &view).filled(&sent);
    let action = OperatorAction {
        nav: Nav::ReadModels,
        title: title(kind).to_owned(),
        effect,
        form,
        back: "/read-models".to_owned(),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let (operating, only) = (console.operating(), only?);
            let environment = operating.environment().await?;
            let folder = run_folder(&operating.state, kind.name(), operating.name());
            let options = Options {
                only,
                anew: begin.anew,
                max_differences: SIDES_KEPT,
                ..Options::new(kind, folder)
            };
            let jobs = &operating.jobs;
            jobs.begin_run(environment, options, &operating.state)
                .await?;
            wait_briefly(&console).await;
            Ok(address(kind))
        })
        .await
}

fn address(kind: Kind) -> String {
    format!("/read-models/run?kind={}", kind.name())
}

/// Waits at most [`SHORT_WORK`] for the run to end.
async fn wait_briefly(console: &Console) {
    let until = Instant::now() + SHORT_WORK;
    let is_running = || {
        console
            .operating()
            .jobs
            .whole_run()
            .is_some_and(|job| job.is_running())
    };
    while is_running() && Instant::now() < until {
        sleep(WORK_LOOKED_AT_EVERY).await;
    }
}

async fn stop(
    view: View,
    Query(of): Query<KindParams>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let kind = of.kind();
    let action = OperatorAction {
        nav: Nav::ReadModels,
        title: "Stop the run".to_owned(),
        effect: "the run stops within a second or so, and can be gone on with.".to_owned(),
        form: stop_form(kind, &view).filled(&sent),
        back: address(kind),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let job = console.operating().jobs.whole_run();
            if let Some(job) = job.filter(|job| job.task == kind) {
                job.stop();
            }
            wait_briefly(&console).await;
            Ok(address(kind))
        })
        .await
}

fn stop_form(kind: Kind, view: &View) -> Form {
    let action = format!("/read-models/run/stop?kind={}", kind.name());
    Form::new(action, "Stop", view)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KindParams {
    kind: Option<String>,
}

impl KindParams {
    fn kind(&self) -> Kind {
        match self.kind.as_deref() {
            Some("rebuild") => Kind::Rebuild,
            _ => Kind::Verify,
        }
    }
}

/// The progress of a run.
struct RunProgress {
    kind: Kind,
    only: Option<ReadModel>,
    begun: At,
    saved: Option<At>,
    /// The process that works on the run, where it is not this console.
    other: Option<String>,
    /// Whether no process works on the run, because it was stopped or killed.
    is_stopped: bool,
    /// Why the run of this console failed.
    problem: Option<String>,
    what: &'static str,
    done: u64,
    total: u64,
    asked_to_stop: bool,
    counted: Counted,
    findings: Vec<FindingView>,
    more: u64,
    stop: Option<Form>,
    go_on: Option<Form>,
    anew: Option<Form>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage<'a> {
    title: &'static str,
    live: Option<String>,
    about: &'a About,
    now: RunProgress,
}

/// The part of the page that is updated while a run goes on.
#[derive(Template)]
#[template(path = "run_now.html")]
struct RunNow {
    now: RunProgress,
}

fn now(run: &RunStatus, view: &View) -> RunProgress {
    let job = view.console.operating().jobs.whole_run();
    let job = job.filter(|job| job.task == run.kind);
    let own = job.as_ref().filter(|job| job.is_running());
    let ended = job.as_ref().and_then(|job| job.state().ended);
    let other = run.owner.as_ref().filter(|_| own.is_none());
    let is_stopped = run.owner.is_none() && own.is_none();
    let may = view.console.about().may_change();
    let found = &run.summary;
    let asked_to_stop = own.is_some_and(|job| job.is_asked_to_stop());
    RunProgress {
        kind: run.kind,
        only: run.only,
        begun: At(run.begun.to_string()),
        saved: run.saved.map(|at| At(at.to_string())),
        other: other.map(ToString::to_string),
        is_stopped,
        problem: ended
            .and_then(Result::err)
            .filter(|_| is_stopped)
            .map(|failure| described(&failure, view.console.about()).2),
        what: match run.stage {
            Stage::Gathering => "Reading events and rows",
            _ => "Comparing",
        },
        done: run.done,
        total: run.total.max(run.done).max(1),
        asked_to_stop,
        counted: found.counted,
        findings: shown(found, 0),
        more: found.counted.wrong().saturating_sub(FINDINGS_SHOWN as u64),
        stop: (own.is_some() && may && !asked_to_stop).then(|| stop_form(run.kind, view)),
        go_on: (is_stopped && may).then(|| Form {
            button: "Go on with it".into(),
            ..form(run.kind, run.only, false, view)
        }),
        anew: (is_stopped && may).then(|| Form {
            button: "Begin anew".into(),
            ..form(run.kind, run.only, true, view)
        }),
    }
}

/// Returns the path of the page of a run that has just ended in this process.
fn ended_run_page(console: &Console, kind: Kind) -> Option<String> {
    let job = console.operating().jobs.whole_run();
    let ended = job.filter(|job| job.task == kind)?.state().ended?;
    let name = ended.ok()?.name?;
    Some(format!("/read-models/runs/{name}"))
}

async fn show(view: View, Query(of): Query<KindParams>) -> Response {
    let kind = of.kind();
    let head = Head::new(Nav::ReadModels, title(kind), "how far the run is");
    let again = view.clone();
    view.show(head, async move {
        let (console, operating) = (&again.console, again.console.operating());
        let Some(run) = running_of(operating, kind).await? else {
            return match ended_run_page(console, kind) {
                Some(address) => Ok(Page::Redirect(address)),
                None => without_run(console, kind),
            };
        };
        let now = now(&run, &again);
        Page::of(&RunPage {
            title: title(kind),
            live: (!now.is_stopped).then(|| format!("/live/run?kind={}", kind.name())),
            about: console.about(),
            now,
        })
    })
    .await
}

/// Answers where no run is in the folder: with the failure of the last run of this process, else
/// with the page of the read models.
fn without_run(console: &Console, kind: Kind) -> Result<Page, Failure> {
    let job = console.operating().jobs.whole_run();
    let ended = job
        .filter(|job| job.task == kind)
        .and_then(|job| job.state().ended);
    match ended {
        Some(Err(failure)) => Err(failure),
        _ => Ok(Page::Redirect("/read-models".to_owned())),
    }
}

/// Answers the polling page with the progress. Once the run has ended or stopped, the page is
/// loaded again.
async fn live_update(view: View, Query(of): Query<KindParams>) -> Response {
    let kind = of.kind();
    match running_of(view.console.operating(), kind).await {
        Ok(Some(run)) => {
            let now = now(&run, &view);
            match now.is_stopped {
                false => super::fragment(&RunNow { now }),
                true => super::go_to(&address(kind)),
            }
        }
        // The run may just be writing the file. The next poll finds it.
        Err(_) => StatusCode::NO_CONTENT.into_response(),
        Ok(None) => super::go_to(&address(kind)),
    }
}
