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
    retry::{
        self, Category, CommandResult, Group, Preview, Report, Retried, RetriedKind, Selection,
    },
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    letter::{LetterView, letter_id},
    stuck::Subject,
};
use crate::{
    About, Console,
    backend::{Failure, Policy},
    change::{Deed, Form, Sent},
    denials::explained,
    jobs::{Job, Take},
    limits::{SHORT_RETRY, WORK_LOOKED_AT_EVERY},
    links,
    view::{Head, Nav, Page, View, told},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/stuck/retry", get(ask).post(begin))
        .route("/stuck/retry/stop", post(stop))
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
    /// `parked`, `stream` or `queue`: what is stuck there for one reason,
    only: Option<String>,
    /// at this consumer or function,
    role: Option<String>,
    /// for this one.
    reason: Option<String>,
}

impl Which {
    fn take(self) -> Result<Take, Failure> {
        let unsaid = || Failure::Said {
            status: 400,
            message: "This address does not say what is to be taken up.".to_owned(),
        };
        let one = (self.consumer, self.aggregate, self.place, self.name);
        if let Some(only) = self.only {
            let only = match (only.as_str(), &one) {
                ("parked", (None, None, None, None)) => Category::Parked,
                ("stream", (None, None, None, None)) => Category::Stream,
                ("queue", (None, None, None, None)) => Category::Queue,
                _ => return Err(unsaid()),
            };
            let (role, reason) = (self.role, self.reason);
            return Ok(Take::All(Selection {
                category: Some(only),
                group: Some(Group { role, reason }),
                ..Selection::default()
            }));
        }
        if self.role.is_some() || self.reason.is_some() {
            return Err(unsaid());
        }
        match one {
            (Some(consumer), Some(aggregate), ..) => Ok(Take::Parked {
                consumer,
                aggregate,
            }),
            (None, None, Some(place), Some(name)) => letter_id(&place, &name).map(Take::Letter),
            (None, None, None, None) => Ok(Take::All(Selection::default())),
            // One that is named in part is not everything.
            _ => Err(unsaid()),
        }
    }
}

/// The form that takes it up.
pub(super) fn form(take: &Take, view: &View) -> Form {
    let names = match take {
        Take::All(wanted) => return Form::new(address(wanted), "Retry all", view),
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

/// The address that takes up what is wanted: all, or one group.
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

/// The form that takes up all that is stuck for one reason, of which a page shows `number`, and there
/// may be more.
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

/// The form that takes up everything.
pub(super) fn all_form(number: u64, more: bool, view: &View) -> Form {
    let more = if more { " and more" } else { "" };
    let button = format!("Retry everything: {number}{more}");
    Form::new("/stuck/retry".to_owned(), button, view)
}

/// What will happen, in a sentence.
fn effect(take: &Take) -> String {
    match take {
        Take::All(Selection { group: Some(_), .. }) => {
            "all that is stuck for this reason is taken up once more. Whatever succeeds is removed."
                .to_owned()
        }
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
        form(&Take::All(Selection::default()), &view),
    );
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let there = retry::preview(&environment, &Selection::default()).await?;
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
            Take::All(Selection { group: Some(_), .. }) => "Retry all of one reason".to_owned(),
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
        Ok(links::STUCK.to_owned())
    })
    .await
}

/// Waits a moment for a short piece of work.
async fn settled(console: &Console) {
    let until = Instant::now() + SHORT_RETRY;
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
        back: links::STUCK.to_owned(),
    };
    let console = view.console.clone();
    deed.carry_out(view, &sent, async move {
        if let Some(job) = console.operating().jobs.retry() {
            job.stop();
        }
        settled(&console).await;
        Ok(links::STUCK.to_owned())
    })
    .await
}

/// One thing that was taken up.
pub(super) struct Row {
    pub(super) done: bool,
    pub(super) kind: &'static str,
    pub(super) subject: Subject,
    pub(super) reason: Option<String>,
    pub(super) came: Option<CameView>,
}

/// What became of the command in a dead letter.
pub(super) enum CameView {
    /// It was accepted.
    Accepted {
        subject: Subject,
        kind: String,
        sequence: u64,
    },
    /// It was refused again, and lies there anew.
    Refused(Box<LetterView>),
    /// Its file's import has begun.
    File { key: String, link: String },
    /// It changed nothing.
    Nothing { subject: Subject, version: u64 },
}

impl CameView {
    fn of(came: &CommandResult) -> Self {
        match came.clone() {
            CommandResult::Accepted {
                aggregate,
                kind,
                sequence,
            } => Self::Accepted {
                subject: Subject::of(&aggregate),
                kind,
                sequence,
            },
            CommandResult::Refused(letter) => Self::Refused(Box::new(LetterView::of(*letter))),
            CommandResult::File(id) => Self::File {
                link: links::file(&id.key, &id.version),
                key: id.key,
            },
            CommandResult::Unchanged { aggregate, version } => Self::Nothing {
                subject: Subject::of(&aggregate),
                version,
            },
        }
    }
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
            came: retried.result.as_ref().map(CameView::of),
        }
    }
}

/// What moves of that page.
#[derive(Template)]
#[template(path = "retried_now.html")]
struct RetriedNow {
    now: Now,
}

/// How far a retry is.
pub(super) struct Now {
    pub(super) title: String,
    pub(super) what: &'static str,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) asked_to_stop: bool,
    pub(super) rows: Vec<Row>,
    pub(super) report: Option<Report>,
    pub(super) problem: Option<String>,
    pub(super) stop: Option<Form>,
}

pub(super) fn now(job: &Job<Take, Report>, view: &View) -> Now {
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
            Take::All(wanted) => match &wanted.group {
                None => "All that is stuck".to_owned(),
                Some(group) => {
                    let role = group.role.as_deref().unwrap_or("nobody can say by whom");
                    let reason = group.reason.as_deref().unwrap_or("nobody has said why");
                    format!("{role}: {reason}")
                }
            },
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

/// How far it is, for a page that moves; at the end the page is loaded anew.
async fn tell(view: View) -> Response {
    match view.console.operating().jobs.retry() {
        Some(job) if job.goes_on() => super::fragment(&RetriedNow {
            now: now(&job, &view),
        }),
        _ => super::go_to(links::STUCK),
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
            ..Which::default()
        };
        which.take()
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
        let which = |only: &str, consumer: Option<&str>| Which {
            only: Some(only.to_owned()),
            role: Some("bus".to_owned()),
            consumer: consumer.map(str::to_owned),
            ..Which::default()
        };
        assert_eq!(which("queue", None).take(), Ok(Take::All(wanted)));
        assert!(which("everything", None).take().is_err());
        assert!(which("queue", Some("project")).take().is_err());
        let without_place = Which {
            reason: Some("invalid".to_owned()),
            ..Which::default()
        };
        assert!(without_place.take().is_err());
    }

    #[test]
    fn what_is_named_in_part_is_not_everything() {
        let (a, b) = (Some("project"), Some("order#1"));
        assert_eq!(which([None; 4]), Ok(Take::All(Selection::default())));
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
