//! The page of what is stuck: parked orders and shipments, and dead letters, grouped by reason.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use operator::{
    Environment,
    dead_letters::{self, DeadLetter},
    retry::{self, Category, Group as Why, Preview, Selection},
};
use serde::Deserialize;

use super::{
    letter_view::LetterView, parked_view::ParkedView, retried::CommandResultView,
    retry as retry_page, subject::Subject,
};
use crate::{
    About, Console,
    backend::Failure,
    change::Form,
    limits::{LETTERS_SHOWN, LIST_PAGE, RETRY_TOLD_FOR},
    links,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/stuck", get(show))
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

#[cfg(test)]
mod tests {
    use super::*;

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
