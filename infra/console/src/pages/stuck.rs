//! The page of what is stuck: parked orders and shipments, and dead letters, grouped by reason.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use operator::{
    Environment,
    dead_letters::{self, DeadLetter},
    parked::{self, Parked},
    retry::{self, Category, Group as Why, Preview, Selection},
};
use serde::Deserialize;

use super::{letter::LetterView, retried::CommandResultView, retry as retry_page};
use crate::{
    About, Console,
    at::At,
    backend::Failure,
    change::Form,
    jobs::RetryTask,
    limits::{CONTENT_CHARACTERS, LETTERS_SHOWN, LIST_PAGE, RETRY_TOLD_FOR},
    links,
    operating::additional,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/stuck", get(show))
        .route("/stuck/parked", get(show_parked))
}

/// A parked aggregate as a page shows it.
pub struct ParkedView {
    /// `project` or `notify`.
    pub consumer: String,
    /// The order or shipment.
    pub about: Subject,
    /// The time since which it is parked.
    pub since: At,
    /// The sequence of the event at which the consumer stopped.
    pub sequence: u64,
    /// The code of the reason.
    pub code: String,
    /// What the code means.
    pub meaning: &'static str,
    /// The path of its page.
    pub link: String,
}

/// An order, a shipment or another thing, with a link where it has a page.
pub struct Subject {
    /// Its name, such as `order#1`.
    pub name: String,
    /// The path of its page, where it has one.
    pub link: Option<String>,
}

impl Subject {
    /// Reads a name such as `order#1`.
    pub fn of(name: &str) -> Self {
        let link = match name.split_once('#') {
            Some(("order", id)) => Some(links::order(id)),
            Some(("shipment", id)) => Some(links::shipment(id)),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            link,
        }
    }
}

impl ParkedView {
    /// Converts a parked aggregate for a page.
    pub fn of(parked: &Parked) -> Self {
        Self {
            consumer: parked.consumer.clone(),
            about: Subject::of(&parked.aggregate),
            since: At(parked.since.clone()),
            sequence: parked.sequence,
            code: parked.code.clone(),
            meaning: parked::meaning(&parked.code).unwrap_or("this build does not know this code"),
            link: parked_link(&parked.consumer, &parked.aggregate),
        }
    }
}

/// Returns what is parked of an order or shipment; empty where it cannot be read soon enough.
pub(super) async fn parked_of(console: &Console, aggregate: &str) -> Vec<ParkedView> {
    let Ok(id) = aggregate.parse() else {
        return Vec::new();
    };
    let look = |environment: Arc<Environment>| async move { parked::of(&environment, &id).await };
    let found = additional(console, look).await;
    found
        .unwrap_or_default()
        .iter()
        .map(ParkedView::of)
        .collect()
}

/// Returns the path of the page of what a consumer has parked of an order or shipment.
pub fn parked_link(consumer: &str, aggregate: &str) -> String {
    let names = [("consumer", Some(consumer)), ("aggregate", Some(aggregate))];
    links::query("/stuck/parked", &names)
}

/// Returns a duration in its largest unit, rounded down, such as `3 hours`.
pub(super) fn lasted(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{many}")
}

/// The items with one reason.
struct Group<T> {
    title: String,
    why: String,
    all: Vec<T>,
    /// The form that retries all items with this reason, including those that this page does not
    /// show.
    retry: Option<Form>,
}

fn grouped<T>(all: Vec<T>, by: impl Fn(&T) -> (String, String)) -> Vec<Group<T>> {
    let mut groups: BTreeMap<(String, String), Vec<T>> = BTreeMap::new();
    for one in all {
        groups.entry(by(&one)).or_default().push(one);
    }
    let group = |((title, why), all)| Group {
        title,
        why,
        all,
        retry: None,
    };
    groups.into_iter().map(group).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// The number of parked items on the pages before this one.
    skip: usize,
    /// The dead letter of the stream after which this page begins.
    after: Option<String>,
    /// What the dead letter was about that was just discarded.
    discarded: Option<String>,
}

#[derive(Template)]
#[template(path = "stuck.html")]
struct StuckPage {
    /// What the dead letter was about that was just discarded.
    discarded: Option<Subject>,
    parked: Vec<Group<ParkedView>>,
    parked_number: usize,
    more_parked: Option<String>,
    stream: Vec<Group<LetterView>>,
    objects: u64,
    more_objects: bool,
    more_stream: Option<String>,
    queue: Vec<Group<LetterView>>,
    queue_shown: usize,
    messages: u64,
    /// Whether there are messages that were not read.
    more_messages: bool,
    hidden: u64,
    /// Why dead letters are counted but cannot be opened.
    closed: Option<String>,
    /// The retry that is running or has just ended.
    last_retry: Option<retry_page::RetryProgress>,
    /// Whether that retry is running.
    is_running: bool,
    /// The form that retries everything.
    all: Option<Form>,
    read_only: bool,
    all_well: bool,
    command: String,
}

async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let head = Head::new(Nav::Stuck, "Stuck", "what is parked, and the dead letters");
    let (console, again) = (view.console.clone(), view.clone());
    view.show(head, async move {
        let job = console.operating().jobs.retry();
        let is_running = job.as_ref().is_some_and(|job| job.is_running());
        let last_retry = job.filter(|job| job.ended_within(RETRY_TOLD_FOR));
        let environment = console.operating().environment().await?;
        let all = retry::preview(&environment, &Selection::default()).await?;
        let well = !all.is_wrong();
        let Preview {
            parked,
            objects,
            more_objects,
            messages,
            hidden,
        } = all;
        let parked_number = parked.len();
        let shown = parked.iter().skip(asked.skip).take(LIST_PAGE);
        let shown: Vec<ParkedView> = shown.map(ParkedView::of).collect();
        let next = asked.skip + shown.len();
        let more_parked = (next < parked_number).then(|| format!("/stuck?skip={next}"));
        let mut closed = None;
        let stream = stream(&environment, objects, asked.after.as_deref()).await;
        let (stream, more_stream) = opened(stream, &mut closed, console.about())?;
        // Looking at the queue hides its messages for a moment, which would take them away from a
        // running retry.
        let look = messages > 0 && !is_running;
        let queue = match look {
            true => {
                let looked = dead_letters::queue(&environment, LIST_PAGE as u32).await;
                let looked = looked.map(Some).map_err(Failure::from);
                opened(looked, &mut closed, console.about())?
            }
            false => None,
        };
        let more_messages = queue.as_ref().map_or(messages > 0, |queue| queue.more);
        let queue = queue.map_or(Vec::new(), |queue| queue.letters);
        let may = console.about().may_change() && !is_running;
        let button = |only, why: Why, number, more| {
            may.then(|| retry_page::group_form(only, why, number, more, &again))
        };
        let all_parked = more_parked.is_some() || asked.skip > 0;
        let mut groups = grouped(shown, |one| {
            let title = format!("{} stopped: {}", one.consumer, one.code);
            (title, one.meaning.to_owned())
        });
        for group in &mut groups {
            group.retry = group.all.first().and_then(|first| {
                let why = Why {
                    role: Some(first.consumer.clone()),
                    reason: Some(first.code.clone()),
                };
                button(Category::Parked, why, group.all.len(), all_parked)
            });
        }
        let of_letters = |only, letters, more| {
            let mut groups = by_reason(letters);
            for group in &mut groups {
                let first = group.all.first();
                group.retry =
                    first.and_then(|it| button(only, it.why.clone(), group.all.len(), more));
            }
            groups
        };
        let not_all = more_stream.is_some() || asked.after.is_some();
        let number = parked_number as u64 + objects + messages;
        Page::of(&StuckPage {
            discarded: asked.discarded.as_deref().map(Subject::of),
            command: format!("waybill status {}", console.about().flags),
            parked: groups,
            parked_number,
            more_parked,
            stream: of_letters(Category::Stream, stream, not_all),
            objects,
            more_objects,
            more_stream: more_stream
                .map(|key| links::query("/stuck", &[("after", Some(key.as_str()))])),
            queue_shown: queue.len(),
            queue: of_letters(Category::Queue, queue, more_messages),
            messages,
            more_messages,
            hidden,
            closed,
            last_retry: last_retry.map(|job| retry_page::now(&job, &again)),
            is_running,
            all: may.then(|| retry_page::all_form(number, more_objects, &again)),
            read_only: !console.about().may_change(),
            all_well: well,
        })
    })
    .await
}

/// Returns what was read. Where these credentials may only count dead letters, returns nothing and
/// stores the reason in `closed`.
fn opened<T: Default>(
    looked: Result<T, Failure>,
    closed: &mut Option<String>,
    about: &About,
) -> Result<T, Failure> {
    match looked.map_err(Failure::with_operator_policy) {
        Err(failure @ Failure::Denied(_)) => {
            *closed = Some(described(&failure, about).2);
            Ok(T::default())
        }
        looked => looked,
    }
}

async fn stream(
    environment: &Environment,
    objects: u64,
    after: Option<&str>,
) -> Result<(Vec<DeadLetter>, Option<String>), Failure> {
    if objects == 0 {
        return Ok((Vec::new(), None));
    }
    let page = dead_letters::stream_page(environment, after, LETTERS_SHOWN).await?;
    Ok((page.letters, page.next))
}

fn by_reason(letters: Vec<DeadLetter>) -> Vec<Group<LetterView>> {
    let letters = letters.into_iter().map(LetterView::of).collect();
    grouped(letters, |one: &LetterView| {
        let meaning = one.meaning.map(|it| format!(": {it}"));
        let why = format!("{}{}", one.reason, meaning.unwrap_or_default());
        (one.by.clone(), why)
    })
}

// The page of one parked aggregate.

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
    let form = super::retry::form(&task, &view);
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

/// Returns as much of a content as a page shows.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(CONTENT_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_letter_is_about_leads_there() {
        let link = |name| Subject::of(name).link;
        assert_eq!(link("order#A 1"), Some("/orders/A%201".to_owned()));
        assert_eq!(link("shipment#a#b"), Some("/shipments/a%23b".to_owned()));
        for other in ["orders/a.json", "parcel#1", "logistics: Update", ""] {
            assert_eq!(link(other), None, "{other}");
        }
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let told = [59, 60, 3_599, 3_600, 86_399, 86_400, 200_000].map(lasted);
        assert_eq!(
            told,
            [
                "59 s",
                "1 minute",
                "59 minutes",
                "1 hour",
                "23 hours",
                "1 day",
                "2 days"
            ]
        );
    }

    #[test]
    fn those_with_one_reason_stand_together() {
        let groups = grouped(vec![("a", 1), ("b", 2), ("a", 3)], |one| {
            (one.0.to_owned(), String::new())
        });
        let sizes: Vec<_> = groups
            .iter()
            .map(|it| (it.title.as_str(), it.all.len()))
            .collect();
        assert_eq!(sizes, [("a", 2), ("b", 1)]);
    }
}
