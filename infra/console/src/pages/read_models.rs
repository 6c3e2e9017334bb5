//! The page of the read models: their sizes, how far they are behind, the result of the last sweep,
//! and the runs that compare or repair them.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use domain::Timestamp;
use lambda::{ReadModel, metrics::Swept};
use operator::{
    Environment, Kind,
    read_models::{
        DeployedRebuilds, ReadModelTable, SWEPT_AGGREGATES, last_sweep, measured, read_models,
    },
    rows::{PastRun, price},
};

use super::runs::{self, ModelParams, all_mended_at, past_of, running_of, title};
use crate::{
    About, Console,
    at::At,
    backend::{Failure, NoAnswer},
    change::Form,
    limits::{BEHIND_SECONDS, PART_TIMEOUT},
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/read-models", get(show))
        .route("/read-models/verify", get(ask_verify))
        .route("/read-models/rebuild", get(ask_rebuild))
}

/// A consumer of the stream and how far it is behind.
struct Lag {
    consumer: String,
    behind: Behind,
}

/// How far a consumer of the stream is behind.
enum Behind {
    /// The number of unprocessed records, which the local system counts.
    Records(u64),
    /// The age of the oldest event that the consumer received in the last minutes, in seconds.
    Seconds(u64),
    /// The consumer received nothing in the last minutes.
    GivenNothing,
}

impl Behind {
    fn by_age(millis: Option<u64>) -> Self {
        match millis {
            Some(millis) => Self::Seconds(millis / 1_000),
            None => Self::GivenNothing,
        }
    }

    /// Whether the consumer is behind so far that it matters.
    fn is_behind(&self) -> bool {
        match self {
            Self::Records(records) => *records > 0,
            Self::Seconds(seconds) => *seconds >= BEHIND_SECONDS,
            Self::GivenNothing => false,
        }
    }
}

#[derive(Template)]
#[template(path = "read_models.html")]
struct ReadModelsPage<'a> {
    about: &'a About,
    tables: Vec<ReadModelTable>,
    known: Measured,
    /// The reason why the numbers from CloudWatch are missing.
    unknown: Option<String>,
    minutes: u32,
    segments: u32,
    running: Vec<RunningView>,
    past: Vec<PastView>,
}

/// The numbers that do not come from the tables: from the local system, or from CloudWatch.
#[derive(Default)]
struct Measured {
    lags: Vec<Lag>,
    sweep: Option<(At, Swept)>,
    /// The rebuilds of the deployed state machine; `None` for the local system, which has none.
    rebuilds: Option<DeployedRebuilds>,
}

/// Reads the numbers that do not come from the tables. Fails with the reason for a person.
async fn known(console: &Console, environment: &Environment) -> Result<Measured, String> {
    if let Some(local) = console.operating().local() {
        let (status, lines) = futures::join!(local.status(), local.metrics(SWEPT_AGGREGATES));
        if let (Some(status), Some(lines)) = (status, lines) {
            let lags = status.consumers.into_iter().map(|(consumer, it)| Lag {
                consumer,
                behind: Behind::Records(it.behind),
            });
            return Ok(Measured {
                lags: lags.collect(),
                sweep: last_sweep(&lines).map(shown_at),
                rebuilds: None,
            });
        }
    }
    let asked = async { Ok(measured(environment).await?) };
    let done = tokio::time::timeout(PART_TIMEOUT, asked).await;
    let done = done.unwrap_or(Err(Failure::NoAnswer(NoAnswer::TimedOut(PART_TIMEOUT))));
    let measured = done.map_err(|failure| described(&failure, console.about()).2)?;
    let lags = measured.behind.into_iter().map(|(consumer, millis)| Lag {
        consumer,
        behind: Behind::by_age(millis),
    });
    Ok(Measured {
        lags: lags.collect(),
        sweep: measured.sweep.map(shown_at),
        rebuilds: Some(measured.rebuilds),
    })
}

fn shown_at((at, swept): (Timestamp, Swept)) -> (At, Swept) {
    (At(at.to_string()), swept)
}

/// A run that is going on or can be continued.
pub(super) struct RunningView {
    /// The path of its page.
    pub(super) link: String,
    /// The kind: verify or rebuild.
    pub(super) kind: Kind,
    pub(super) begun: At,
    /// The process that works on the run; `None` where it was stopped.
    pub(super) owner: Option<String>,
}

/// A run that has ended.
pub(super) struct PastView {
    link: String,
    kind: Kind,
    only: Option<ReadModel>,
    begun: At,
    ended: At,
    by: String,
    aggregates: u64,
    wrong: u64,
    written: u64,
    removed: u64,
    /// When the last of what was found was mended after the run, where all of it was.
    mended: Option<At>,
}

impl PastView {
    fn of((name, past): (String, PastRun)) -> Self {
        let counted = &past.summary.counted;
        Self {
            link: format!("/read-models/runs/{name}"),
            kind: past.kind,
            only: past.only,
            begun: At(past.begun.to_string()),
            ended: At(past.ended.to_string()),
            aggregates: counted.aggregates,
            wrong: counted.wrong(),
            mended: all_mended_at(&past),
            written: counted.written,
            removed: counted.removed,
            by: past.by,
        }
    }
}

async fn show(view: View) -> Response {
    let head = Head::new(
        Nav::ReadModels,
        "Read models",
        "the sizes of the read models",
    );
    let console = view.console.clone();
    view.show(head, async move {
        let operating = console.operating();
        let environment = operating.environment().await?;
        let mut runs = Vec::new();
        for kind in [Kind::Verify, Kind::Rebuild] {
            if let Some(run) = running_of(operating, kind).await? {
                runs.push(RunningView {
                    link: format!("/read-models/run?kind={}", kind.name()),
                    kind,
                    begun: At(run.begun.to_string()),
                    owner: run.owner.map(|owner| owner.to_string()),
                });
            }
        }
        let past = past_of(operating).await?;
        let settings = environment.settings().rebuild;
        let (tables, known) =
            futures::join!(read_models(&environment), known(&console, &environment));
        Page::of(&ReadModelsPage {
            about: console.about(),
            tables: tables?,
            unknown: known.as_ref().err().cloned(),
            known: known.unwrap_or_default(),
            minutes: settings.sweep_minutes,
            segments: settings.sweep_segments,
            running: runs,
            past: past.into_iter().map(PastView::of).collect(),
        })
    })
    .await
}

#[derive(Template)]
#[template(path = "price.html")]
struct PricePage<'a> {
    about: &'a About,
    kind: Kind,
    only: Option<ReadModel>,
    read_units: u64,
    dollars: String,
    form: Option<Form>,
    command: String,
}

async fn ask_verify(view: View, Query(which): Query<ModelParams>) -> Response {
    ask(view, which, Kind::Verify).await
}

async fn ask_rebuild(view: View, Query(which): Query<ModelParams>) -> Response {
    ask(view, which, Kind::Rebuild).await
}

/// Shows the cost before anything is read.
async fn ask(view: View, which: ModelParams, kind: Kind) -> Response {
    let title = title(kind);
    let head = Head::new(Nav::ReadModels, title, "the sizes of the tables");
    let (console, again) = (view.console.clone(), view.clone());
    view.show(head, async move {
        let only = which.read_model()?;
        let environment = console.operating().environment().await?;
        let cost = price(&environment, only).await?;
        let about = console.about();
        let only_flag = only.map_or(String::new(), |model| format!(" --only {model}"));
        Page::of(&PricePage {
            about,
            kind,
            only,
            read_units: cost.read_units,
            dollars: cost.dollars,
            form: about
                .may_change()
                .then(|| runs::form(kind, only, false, &again)),
            command: format!("waybill {}{only_flag} {}", kind.name(), about.flags),
        })
    })
    .await
}
