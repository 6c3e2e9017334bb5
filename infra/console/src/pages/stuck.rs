//! What is stuck: parked orders and shipments, and dead letters, by why they are.

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

use super::{
    letter::LetterView,
    retry::{self as retry_page, CameView},
};
use crate::{
    About, Console,
    at::At,
    backend::Failure,
    change::Form,
    jobs::Take,
    limits::{CONTENT_CHARACTERS, LETTERS_SHOWN, LIST_PAGE, RETRY_TOLD_FOR},
    links,
    operating::beside,
    view::{Head, Nav, Page, View, told},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/stuck", get(show))
        .route("/stuck/parked", get(show_parked))
}

/// What is parked, for a page.
pub struct ParkedView {
    /// `project` or `notify`.
    pub consumer: String,
    /// Whose.
    pub about: Subject,
    /// Since when.
    pub since: At,
    /// The event that it stopped at.
    pub sequence: u64,
    /// Why: a word,
    pub code: String,
    /// and what that means.
    pub meaning: &'static str,
    /// Its own page.
    pub link: String,
}

/// What something is about, with a link where there is a page of that.
pub struct Subject {
    /// As it is called.
    pub name: String,
    /// Its page.
    pub link: Option<String>,
}

impl Subject {
    /// By a name such as `order#1`.
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
    /// What is parked, as a page shows it.
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

/// What is parked of an order or shipment, as far as that is known soon.
pub(super) async fn parked_of(console: &Console, aggregate: &str) -> Vec<ParkedView> {
    let Ok(id) = aggregate.parse() else {
        return Vec::new();
    };
    let look = |environment: Arc<Environment>| async move { parked::of(&environment, &id).await };
    let found = beside(console, look).await;
    found
        .unwrap_or_default()
        .iter()
        .map(ParkedView::of)
        .collect()
}

/// The page of what a consumer has parked of an order or shipment.
pub fn parked_link(consumer: &str, aggregate: &str) -> String {
    let names = [("consumer", Some(consumer)), ("aggregate", Some(aggregate))];
    links::query("/stuck/parked", &names)
}

/// How long something is, in its largest unit; never more than it is.
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

/// Those with one reason.
struct Group<T> {
    title: String,
    why: String,
    all: Vec<T>,
    /// Takes all like these up again, those that this page does not show as well.
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
struct Asked {
    /// How many of what is parked stand on pages before.
    skip: usize,
    /// The dead letter of the stream that the page goes on behind.
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "stuck.html")]
struct StuckPage {
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
    /// Are there messages that were not looked at?
    more_messages: bool,
    hidden: u64,
    /// Why what lies there is counted alone.
    closed: Option<String>,
    /// A retry that is under way, or has just ended.
    told: Option<retry_page::Now>,
    /// Is it under way?
    goes_on: bool,
    /// Takes up everything again.
    all: Option<Form>,
    read_only: bool,
    all_well: bool,
    command: String,
}

async fn show(view: View, Query(asked): Query<Asked>) -> Response {
    let head = Head::new(Nav::Stuck, "Stuck", "what is parked, and the dead letters");
    let (console, again) = (view.console.clone(), view.clone());
    view.show(head, async move {
        let job = console.operating().jobs.retry();
        let goes_on = job.as_ref().is_some_and(|job| job.goes_on());
        let told = job.filter(|job| job.is_news(RETRY_TOLD_FOR));
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
        // A look takes messages for a moment: none is taken away from a retry that goes on.
        let look = messages > 0 && !goes_on;
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
        let may = console.about().may_change() && !goes_on;
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
            told: told.map(|job| retry_page::now(&job, &again)),
            goes_on,
            all: may.then(|| retry_page::all_form(number, more_objects, &again)),
            read_only: !console.about().may_change(),
            all_well: well,
        })
    })
    .await
}

/// What was opened; nothing where these credentials may count dead letters and not open them, and
/// why.
fn opened<T: Default>(
    looked: Result<T, Failure>,
    closed: &mut Option<String>,
    about: &About,
) -> Result<T, Failure> {
    match looked.map_err(Failure::of_operators) {
        Err(failure @ Failure::Denied(_)) => {
            *closed = Some(told(&failure, about).2);
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

// One that is parked.

#[derive(Deserialize)]
struct WhichParked {
    consumer: String,
    aggregate: String,
    /// Is its content asked for?
    #[serde(default)]
    content: bool,
}

#[derive(Template)]
#[template(path = "parked.html")]
struct ParkedPage<'a> {
    parked: &'a ParkedView,
    /// The event that it stopped at, as far as it can be read.
    kind: Option<String>,
    unreadable: Option<String>,
    content: Option<String>,
    show_content: String,
    command: String,
    retry: Option<Form>,
}

async fn show_parked(view: View, Query(which): Query<WhichParked>) -> Response {
    let WhichParked {
        consumer,
        aggregate,
        content,
    } = which;
    let title = format!("Parked: {aggregate}");
    let head = Head::new(Nav::Stuck, title, format!("what is parked of {aggregate}"));
    let take = Take::Parked {
        consumer: consumer.clone(),
        aggregate: aggregate.clone(),
    };
    let form = super::retry::form(&take, &view);
    let console = view.console.clone();
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let parked = parked::one(&environment, &consumer, &aggregate).await?;
        let shown = ParkedView::of(&parked);
        // The event is among the rest of its history; what stands in the key may be no id at all.
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

/// As much of a content as a page shows.
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
