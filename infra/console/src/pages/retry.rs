//! Takes up again what is stuck: what will happen, how far it is, and what became of each.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::{get, post},
};
use operator::{
    Stage,
    retry::{self, Preview, Report, Retried, RetriedKind, Wanted},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::stuck::{Subject, letter_id};
use crate::{
    About, Console,
    backend::{Failure, Policy},
    change::{Deed, Form, Sent},
    jobs::{Job, Take},
    limits::{SHORT_WORK, WORK_LOOKED_AT_EVERY},
    links,
    view::{Head, Nav, Page, View, explained, told},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/stuck/retry", get(ask).post(begin))
        .route("/stuck/retry/stop", post(stop))
        .route("/stuck/retried", get(show))
        .route("/live/retried", get(tell))
}

/// What an address says is to be taken up; everything, where it names nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    consumer: Option<String>,
    aggregate: Option<String>,
    place: Option<String>,
    name: Option<String>,
}

impl Which {
    fn take(self) -> Result<Take, Failure> {
        match (self.consumer, self.aggregate, self.place, self.name) {
            (Some(consumer), Some(aggregate), ..) => Ok(Take::Parked {
                consumer,
                aggregate,
            }),
            (None, None, Some(place), Some(name)) => letter_id(&place, &name).map(Take::Letter),
            (None, None, None, None) => Ok(Take::All(Wanted::default())),
            // One that is named in part is not everything.
            _ => Err(Failure::Said {
                status: 400,
                message: "This address does not say what is to be taken up.".to_owned(),
            }),
        }
    }
}

/// The form that takes it up.
pub(super) fn form(take: &Take, view: &View) -> Form {
    let names = match take {
        Take::All(_) => return Form::new("/stuck/retry".to_owned(), "Retry all", view),
        Take::Parked {
            consumer,
            aggregate,
        } => [("consumer", consumer.as_str()), ("aggregate", aggregate)],
        Take::Letter(retry::LetterId::Stream(key)) => [("place", "stream"), ("name", key)],
        Take::Letter(retry::LetterId::Message(id)) => [("place", "message"), ("name", id)],
    };
    let names = names.map(|(name, value)| (name, Some(value)));
    Form::new(links::query("/stuck/retry", &names), "Retry", view)
}

/// What will happen, in a sentence.
fn effect(take: &Take) -> String {
    match take {
        Take::All(_) => {
            "everything that is parked is taken up, and every dead letter is given to its function \
             once more. Whatever succeeds is removed."
                .to_owned()
        }
        Take::Parked {
            consumer,
            aggregate,
        } if consumer == "notify" => {
            format!(
                "the messages of {aggregate} from where notify stopped are sent, with their ids."
            )
        }
        Take::Parked { aggregate, .. } => {
            format!("the rows of {aggregate} are made what follows from its events.")
        }
        Take::Letter(_) => {
            "the dead letter is given to its function once more, and removed where that succeeds."
                .to_owned()
        }
    }
}

#[derive(Template)]
#[template(path = "retry.html")]
struct RetryPage<'a> {
    there: &'a Preview,
    project: usize,
    notify: usize,
    form: Option<Form>,
    command: String,
}

/// Says what will happen, before anything does.
async fn ask(view: View) -> Response {
    let head = Head::new(
        Nav::Stuck,
        "Retry all",
        "what is parked, and the dead letters",
    );
    let (console, form) = (
        view.console.clone(),
        form(&Take::All(Wanted::default()), &view),
    );
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let there = retry::preview(&environment, &Wanted::default()).await?;
        let of = |consumer: &str| {
            there
                .parked
                .iter()
                .filter(|it| it.consumer == consumer)
                .count()
        };
        let about = console.about();
        Page::of(&RetryPage {
            project: of("project"),
            notify: of("notify"),
            form: (about.may_change() && there.is_wrong()).then_some(form),
            command: format!("waybill retry {}", about.flags),
            there: &there,
        })
    })
    .await
}

async fn begin(view: View, Query(which): Query<Which>, Posted(sent): Posted<Sent>) -> Response {
    let take = match which.take() {
        Ok(take) => take,
        Err(failure) => {
            let (status, _, message) = told(&failure, view.console.about());
            return view.refused(status, &message);
        }
    };
    let deed = Deed {
        nav: Nav::Stuck,
        title: match &take {
            Take::All(_) => "Retry all that is stuck".to_owned(),
            Take::Parked { aggregate, .. } => format!("Retry {aggregate}"),
            Take::Letter(_) => "Retry a dead letter".to_owned(),
        },
        effect: effect(&take),
        form: form(&take, &view).filled(&sent),
        back: "/stuck".to_owned(),
    };
    let console = view.console.clone();
    deed.carry_out(view, &sent, async move {
        let environment = console.operating().environment().await?;
        console.operating().jobs.take_up(environment, take);
        settled(&console).await;
        Ok("/stuck/retried".to_owned())
    })
    .await
}

/// Waits a moment for a short piece of work.
async fn settled(console: &Console) {
    let until = Instant::now() + SHORT_WORK;
    let goes_on = || {
        console
            .operating()
            .jobs
            .retry()
            .is_some_and(|job| job.goes_on())
    };
    while goes_on() && Instant::now() < until {
        sleep(WORK_LOOKED_AT_EVERY).await;
    }
}

async fn stop(view: View, Posted(sent): Posted<Sent>) -> Response {
    let deed = Deed {
        nav: Nav::Stuck,
        title: "Stop the retry".to_owned(),
        effect: "the retry ends after what it is at. What is done stays done.".to_owned(),
        form: Form::new("/stuck/retry/stop".to_owned(), "Stop", &view).filled(&sent),
        back: "/stuck/retried".to_owned(),
    };
    let console = view.console.clone();
    deed.carry_out(view, &sent, async move {
        if let Some(job) = console.operating().jobs.retry() {
            job.stop();
        }
        settled(&console).await;
        Ok("/stuck/retried".to_owned())
    })
    .await
}

/// One thing that was taken up.
struct Row {
    done: bool,
    kind: &'static str,
    subject: Subject,
    reason: Option<String>,
}

impl Row {
    fn of(retried: &Retried, about: &About) -> Self {
        let (kind, name) = match (retried.kind, retried.name.split_once(' ')) {
            (RetriedKind::Parked, Some(("notify", aggregate))) => ("messages of", aggregate),
            (RetriedKind::Parked, Some((_, aggregate))) => ("rows of", aggregate),
            (RetriedKind::Parked, None) => ("parked", retried.name.as_str()),
            (RetriedKind::Stream, _) => ("dead letter of the stream", retried.name.as_str()),
            (RetriedKind::Message, _) => ("dead letter", retried.name.as_str()),
        };
        Self {
            done: retried.done,
            kind,
            subject: Subject::of(name),
            reason: retried
                .reason
                .as_deref()
                .map(|reason| explained(reason, Policy::Operator, about)),
        }
    }
}

#[derive(Template)]
#[template(path = "retried.html")]
struct RetriedPage {
    goes_on: bool,
    now: Now,
}

/// What moves of that page.
#[derive(Template)]
#[template(path = "retried_now.html")]
struct RetriedNow {
    now: Now,
}

/// How far a retry is.
struct Now {
    title: String,
    what: &'static str,
    done: u64,
    total: u64,
    asked_to_stop: bool,
    rows: Vec<Row>,
    report: Option<Report>,
    problem: Option<String>,
    stop: Option<Form>,
}

fn now(job: &Job<Take, Report>, view: &View) -> Now {
    let state = job.state();
    let (report, problem) = match state.ended {
        None => (None, None),
        Some(Ok(report)) => (Some(report), None),
        Some(Err(failure)) => {
            let (_, _, message) = told(&failure, view.console.about());
            (None, Some(message.trim_end_matches('.').to_owned()))
        }
    };
    let goes_on = report.is_none() && problem.is_none();
    let row = |retried| Row::of(retried, view.console.about());
    Now {
        title: match &job.what {
            Take::All(_) => "All that is stuck".to_owned(),
            Take::Parked { aggregate, .. } => aggregate.clone(),
            Take::Letter(_) => "A dead letter".to_owned(),
        },
        what: match state.stage {
            Some(Stage::Retrying) => "dead letters of the queue",
            _ => "parked orders and shipments",
        },
        done: state.done,
        total: state.total.max(state.done),
        asked_to_stop: job.is_asked_to_stop(),
        rows: state.retried.iter().rev().map(row).collect(),
        report,
        problem,
        stop: (goes_on && !job.is_asked_to_stop() && view.console.about().may_change())
            .then(|| Form::new("/stuck/retry/stop".to_owned(), "Stop", view)),
    }
}

async fn show(view: View) -> Response {
    let head = Head::new(Nav::Stuck, "Retry", "the retry");
    let job = view.console.operating().jobs.retry();
    let again = view.clone();
    view.show(head, async move {
        let Some(job) = job else {
            return Ok(Page::Elsewhere("/stuck".to_owned()));
        };
        Page::of(&RetriedPage {
            goes_on: job.goes_on(),
            now: now(&job, &again),
        })
    })
    .await
}

/// How far it is, for a page that moves; at the end the page is loaded anew.
async fn tell(view: View) -> Response {
    match view.console.operating().jobs.retry() {
        Some(job) if job.goes_on() => super::fragment(&RetriedNow {
            now: now(&job, &view),
        }),
        _ => super::go_to("/stuck/retried"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(names: [Option<&str>; 4]) -> Result<Take, Failure> {
        let [consumer, aggregate, place, name] = names.map(|name| name.map(str::to_owned));
        let which = Which {
            consumer,
            aggregate,
            place,
            name,
        };
        which.take()
    }

    #[test]
    fn what_is_named_in_part_is_not_everything() {
        let (a, b) = (Some("project"), Some("order#1"));
        assert_eq!(which([None; 4]), Ok(Take::All(Wanted::default())));
        assert!(matches!(which([a, b, None, None]), Ok(Take::Parked { .. })));
        let letter = which([None, None, Some("stream"), Some("key")]);
        assert!(matches!(letter, Ok(Take::Letter(_))));
        for wrong in [
            [a, None, None, None],
            [None, b, None, None],
            [None, None, Some("stream"), None],
            [None, None, None, Some("key")],
            [None, None, Some("elsewhere"), Some("key")],
        ] {
            assert!(which(wrong).is_err(), "{wrong:?}");
        }
    }
}
