//! Retries what is stuck: shows what will happen, the progress, and the result of each item.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::{get, post},
};
use operator::{
    Stage,
    retry::{self, Category, Group, Preview, Report, Selection},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    letter_view::letter_id,
    retried::{CommandResultView, Row},
};
use crate::{
    Console,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    jobs::{Job, RetryTask},
    limits::{SHORT_RETRY, WORK_LOOKED_AT_EVERY},
    links,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/stuck/retry", get(ask).post(begin))
        .route("/stuck/retry/stop", post(stop))
        .route("/live/retried", get(live_update))
}

/// The query parameters that say what to retry. Without any, everything is retried.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    consumer: Option<String>,
    aggregate: Option<String>,
    place: Option<String>,
    name: Option<String>,
    /// `parked`, `stream` or `queue`: retries a group of this category.
    only: Option<String>,
    /// The consumer or function of the group.
    role: Option<String>,
    /// The reason of the group.
    reason: Option<String>,
}

impl Params {
    fn task(self) -> Result<RetryTask, Failure> {
        let incomplete = || Failure::Message {
            status: 400,
            message: "This address does not say what to retry.".to_owned(),
        };
        let one = (self.consumer, self.aggregate, self.place, self.name);
        if let Some(only) = self.only {
            let only = match (only.as_str(), &one) {
                ("parked", (None, None, None, None)) => Category::Parked,
                ("stream", (None, None, None, None)) => Category::Stream,
                ("queue", (None, None, None, None)) => Category::Queue,
                _ => return Err(incomplete()),
            };
            let (role, reason) = (self.role, self.reason);
            return Ok(RetryTask::All(Selection {
                category: Some(only),
                group: Some(Group { role, reason }),
                ..Selection::default()
            }));
        }
        if self.role.is_some() || self.reason.is_some() {
            return Err(incomplete());
        }
        match one {
            (Some(consumer), Some(aggregate), ..) => Ok(RetryTask::Parked {
                consumer,
                aggregate,
            }),
            (None, None, Some(place), Some(name)) => {
                letter_id(&place, &name).map(RetryTask::Letter)
            }
            (None, None, None, None) => Ok(RetryTask::All(Selection::default())),
            // Incomplete parameters must never retry everything.
            _ => Err(incomplete()),
        }
    }
}

/// Returns the form that starts the retry.
pub(super) fn form(task: &RetryTask, view: &View) -> Form {
    let names = match task {
        RetryTask::All(wanted) => return Form::new(address(wanted), "Retry all", view),
        RetryTask::Parked {
            consumer,
            aggregate,
        } => [("consumer", consumer.as_str()), ("aggregate", aggregate)],
        RetryTask::Letter(retry::LetterId::Stream(key)) => [("place", "stream"), ("name", key)],
        RetryTask::Letter(retry::LetterId::Message(id)) => [("place", "message"), ("name", id)],
    };
    let names = names.map(|(name, value)| (name, Some(value)));
    Form::new(links::query("/stuck/retry", &names), "Retry", view)
}

/// Returns the path that retries the selection: everything, or one group.
fn address(wanted: &Selection) -> String {
    let Some((group, only)) = wanted.group.as_ref().zip(wanted.category) else {
        return "/stuck/retry".to_owned();
    };
    let only = match only {
        Category::Parked => "parked",
        Category::Queue => "queue",
        Category::Stream | Category::DeadLetters => "stream",
    };
    let names = [
        ("only", Some(only)),
        ("role", group.role.as_deref()),
        ("reason", group.reason.as_deref()),
    ];
    links::query("/stuck/retry", &names)
}

/// Returns the form that retries a group with one reason. The page shows `number` of its items;
/// with `more` there may be others.
pub(super) fn group_form(
    only: Category,
    why: Group,
    number: usize,
    more: bool,
    view: &View,
) -> Form {
    let wanted = Selection {
        category: Some(only),
        group: Some(why),
        ..Selection::default()
    };
    let button = match (number, more) {
        (1, false) => "Retry it".to_owned(),
        (_, false) => format!("Retry all {number}"),
        (_, true) => format!("Retry all {number} and those like them"),
    };
    Form::new(address(&wanted), button, view)
}

/// Returns the form that retries everything.
pub(super) fn all_form(number: u64, more: bool, view: &View) -> Form {
    let more = if more { " and more" } else { "" };
    let button = format!("Retry everything: {number}{more}");
    Form::new("/stuck/retry".to_owned(), button, view)
}

/// Returns what the retry does, as a sentence.
fn effect(task: &RetryTask) -> String {
    match task {
        RetryTask::All(Selection { group: Some(_), .. }) => {
            "everything that is stuck for this reason is retried. Whatever succeeds is removed."
                .to_owned()
        }
        RetryTask::All(_) => {
            "everything that is parked is resumed, and every dead letter is given to its function \
             once more. Whatever succeeds is removed."
                .to_owned()
        }
        RetryTask::Parked {
            consumer,
            aggregate,
        } if consumer == "notify" => {
            format!(
                "the messages of {aggregate} from where notify stopped are sent, with their ids."
            )
        }
        RetryTask::Parked { aggregate, .. } => {
            format!("the rows of {aggregate} are rewritten to match its events.")
        }
        RetryTask::Letter(_) => {
            "the dead letter is given to its function once more, and removed where that succeeds."
                .to_owned()
        }
    }
}

#[derive(Template)]
#[template(path = "retry.html")]
struct RetryPage<'a> {
    preview: &'a Preview,
    project: usize,
    notify: usize,
    form: Option<Form>,
    command: String,
}

/// Shows what a retry of everything would do.
async fn ask(view: View) -> Response {
    let head = Head::new(
        Nav::Stuck,
        "Retry all",
        "what is parked, and the dead letters",
    );
    let (console, form) = (
        view.console.clone(),
        form(&RetryTask::All(Selection::default()), &view),
    );
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let preview = retry::preview(&environment, &Selection::default()).await?;
        let of = |consumer: &str| {
            preview
                .parked
                .iter()
                .filter(|it| it.consumer == consumer)
                .count()
        };
        let about = console.about();
        Page::of(&RetryPage {
            project: of("project"),
            notify: of("notify"),
            form: (about.may_change() && preview.is_wrong()).then_some(form),
            command: format!("waybill retry {}", about.flags),
            preview: &preview,
        })
    })
    .await
}

async fn begin(
    view: View,
    Query(which): Query<Params>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let task = match which.task() {
        Ok(task) => task,
        Err(failure) => {
            let (status, _, message) = described(&failure, view.console.about());
            return view.refused(status, &message);
        }
    };
    let action = OperatorAction {
        nav: Nav::Stuck,
        title: match &task {
            RetryTask::All(Selection { group: Some(_), .. }) => {
                "Retry all of one reason".to_owned()
            }
            RetryTask::All(_) => "Retry all that is stuck".to_owned(),
            RetryTask::Parked { aggregate, .. } => format!("Retry {aggregate}"),
            RetryTask::Letter(_) => "Retry a dead letter".to_owned(),
        },
        effect: effect(&task),
        form: form(&task, &view).filled(&sent),
        back: "/stuck".to_owned(),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let environment = console.operating().environment().await?;
            console.operating().jobs.begin_retry(environment, task);
            wait_briefly(&console).await;
            Ok(links::STUCK.to_owned())
        })
        .await
}

/// Waits at most [`SHORT_RETRY`] for the retry to end.
async fn wait_briefly(console: &Console) {
    let until = Instant::now() + SHORT_RETRY;
    let is_running = || {
        console
            .operating()
            .jobs
            .retry()
            .is_some_and(|job| job.is_running())
    };
    while is_running() && Instant::now() < until {
        sleep(WORK_LOOKED_AT_EVERY).await;
    }
}

async fn stop(view: View, Posted(sent): Posted<FormValues>) -> Response {
    let action = OperatorAction {
        nav: Nav::Stuck,
        title: "Stop the retry".to_owned(),
        effect: "the retry ends after what it is at. What is done stays done.".to_owned(),
        form: Form::new("/stuck/retry/stop".to_owned(), "Stop", &view).filled(&sent),
        back: links::STUCK.to_owned(),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            if let Some(job) = console.operating().jobs.retry() {
                job.stop();
            }
            wait_briefly(&console).await;
            Ok(links::STUCK.to_owned())
        })
        .await
}

/// The part of the page that is updated while a retry runs.
#[derive(Template)]
#[template(path = "retried_now.html")]
struct RetriedNow {
    now: RetryProgress,
}

/// The progress of a retry.
pub(super) struct RetryProgress {
    pub(super) title: String,
    pub(super) what: &'static str,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) asked_to_stop: bool,
    pub(super) rows: Vec<Row>,
    /// The number of items that were retried before those in `rows`, and are no longer known.
    pub(super) earlier: u64,
    pub(super) report: Option<Report>,
    pub(super) problem: Option<String>,
    pub(super) stop: Option<Form>,
}

pub(super) fn now(job: &Job<RetryTask, Report>, view: &View) -> RetryProgress {
    let state = job.state();
    let (report, problem) = match state.ended {
        None => (None, None),
        Some(Ok(report)) => (Some(report), None),
        Some(Err(failure)) => {
            let (_, _, message) = described(&failure, view.console.about());
            (None, Some(message.trim_end_matches('.').to_owned()))
        }
    };
    let is_running = report.is_none() && problem.is_none();
    let row = |retried| Row::of(retried, view.console.about());
    RetryProgress {
        title: match &job.task {
            RetryTask::All(wanted) => match &wanted.group {
                None => "All that is stuck".to_owned(),
                Some(group) => {
                    let role = group.role.as_deref().unwrap_or("nobody can say by whom");
                    let reason = group.reason.as_deref().unwrap_or("nobody has said why");
                    format!("{role}: {reason}")
                }
            },
            RetryTask::Parked { aggregate, .. } => aggregate.clone(),
            RetryTask::Letter(_) => "A dead letter".to_owned(),
        },
        what: match state.stage {
            Some(Stage::Retrying) => "dead letters of the queue",
            _ => "parked orders and shipments",
        },
        done: state.done,
        total: state.total.max(state.done),
        asked_to_stop: job.is_asked_to_stop(),
        earlier: state.retried_number - state.retried.len() as u64,
        rows: state.retried.iter().rev().map(row).collect(),
        report,
        problem,
        stop: (is_running && !job.is_asked_to_stop() && view.console.about().may_change())
            .then(|| Form::new("/stuck/retry/stop".to_owned(), "Stop", view)),
    }
}

/// Answers the polling page with the progress. When the retry has ended, the page is loaded again.
async fn live_update(view: View) -> Response {
    match view.console.operating().jobs.retry() {
        Some(job) if job.is_running() => super::fragment(&RetriedNow {
            now: now(&job, &view),
        }),
        _ => super::go_to(links::STUCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(names: [Option<&str>; 4]) -> Result<RetryTask, Failure> {
        let [consumer, aggregate, place, name] = names.map(|name| name.map(str::to_owned));
        let which = Params {
            consumer,
            aggregate,
            place,
            name,
            ..Params::default()
        };
        which.task()
    }

    #[test]
    fn a_group_is_named_by_its_address() {
        let wanted = Selection {
            category: Some(Category::Queue),
            group: Some(Group {
                role: Some("bus".to_owned()),
                reason: None,
            }),
            ..Selection::default()
        };
        assert_eq!(address(&wanted), "/stuck/retry?only=queue&role=bus");
        let which = |only: &str, consumer: Option<&str>| Params {
            only: Some(only.to_owned()),
            role: Some("bus".to_owned()),
            consumer: consumer.map(str::to_owned),
            ..Params::default()
        };
        assert_eq!(which("queue", None).task(), Ok(RetryTask::All(wanted)));
        assert!(which("everything", None).task().is_err());
        assert!(which("queue", Some("project")).task().is_err());
        let without_place = Params {
            reason: Some("invalid".to_owned()),
            ..Params::default()
        };
        assert!(without_place.task().is_err());
    }

    #[test]
    fn what_is_named_in_part_is_not_everything() {
        let (a, b) = (Some("project"), Some("order#1"));
        assert_eq!(which([None; 4]), Ok(RetryTask::All(Selection::default())));
        assert!(matches!(
            which([a, b, None, None]),
            Ok(RetryTask::Parked { .. })
        ));
        let letter = which([None, None, Some("stream"), Some("key")]);
        assert!(matches!(letter, Ok(RetryTask::Letter(_))));
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
