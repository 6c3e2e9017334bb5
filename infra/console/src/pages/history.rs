//! The history of an order: every event as a step, what it changed, and the row after any of them.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::get,
};
use domain::json::Object;
use serde::Deserialize;

use super::{
    messages::{EventView, messages_by_event, messages_link},
    order::command_line,
};
use crate::{
    Console,
    backend::{Api, Failure},
    diff::{self, Difference, Member},
    limits::{STEPS_MAX, STEPS_WITH_ROWS_MAX},
    links,
    rows::{History, texts},
    story::{self, Step},
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/orders/{id}/history", get(show))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// The event after which the row is shown; the last one where it is missing.
    after: Option<u64>,
}

/// A step of the history and its effects.
struct StepView {
    step: Step,
    /// What the event changed in the row, where the rows were read.
    changed: Option<Vec<Difference>>,
    /// The members of the event's data.
    data: Vec<(String, String)>,
    chosen: bool,
    link: String,
    /// The messages that the event makes; `None` where they could not be read soon enough.
    made: Option<EventView>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage<'a> {
    id: &'a str,
    address: String,
    steps: Vec<StepView>,
    /// Whether there are events that this page does not show.
    more: bool,
    after: u64,
    last: u64,
    chosen: Option<&'a Step>,
    members: Vec<Member>,
    /// The path of the page of the order's messages.
    messages: String,
    /// The version of the row that is shown, where it is not the chosen event's: two events have
    /// the same millisecond.
    other_version: Option<String>,
    command: String,
}

async fn show(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let head = Head::new(
        Nav::Orders,
        format!("History of order {id}"),
        format!("the history of order {id}"),
    );
    let (api, about) = (view.console.api().clone(), view.console.about().clone());
    let console = view.console.clone();
    view.show(head, async move {
        let address = links::order(&id);
        let path = format!("{address}/history");
        let messages = async {
            let id = format!("order#{id}").parse().ok()?;
            messages_by_event(&console, &id).await
        };
        let (history, mut messages) = futures::join!(api.get::<History>(&path), messages);
        let history = history?;
        let more = history.cursor.is_some() || history.events.len() > STEPS_MAX;
        let steps: Vec<Step> = history
            .events
            .into_iter()
            .take(STEPS_MAX)
            .map(story::step)
            .collect();
        let last = steps.last().map_or(0, |step| step.sequence);
        let after = asked.after.unwrap_or(last).clamp(1, last.max(1));
        let rows = rows(&api, &address, &steps, after).await?;
        let chosen_index = steps.iter().position(|step| step.sequence == after);
        let row_at = |index: usize| rows.get(index).and_then(Option::as_ref);
        let empty = Object::new();
        let before_of = |index: usize| match index {
            0 => Some(&empty),
            _ => row_at(index - 1),
        };
        let chosen_row = chosen_index.and_then(row_at);
        let members = match (chosen_index.and_then(before_of), chosen_row) {
            (Some(before), Some(row)) => diff::members(before, row),
            _ => Vec::new(),
        };
        let version = chosen_row
            .and_then(|row| row.get("version"))
            .map(ToString::to_string);
        let numbers = steps.iter().map(|step| step.sequence);
        let mut made_of: BTreeMap<u64, EventView> = match &mut messages {
            Some(made) => numbers.map(|number| (number, made.take(number))).collect(),
            None => BTreeMap::new(),
        };
        let view_of = |(index, step): (usize, &Step)| StepView {
            changed: before_of(index)
                .zip(row_at(index))
                .filter(|_| index > 0)
                .map(|(before, row)| diff::between(before, row)),
            data: texts(&step.event.data).into_iter().collect(),
            chosen: step.sequence == after,
            link: format!("{address}/history?after={}", step.sequence),
            made: made_of.remove(&step.sequence),
            step: step.clone(),
        };
        Page::of(&HistoryPage {
            id: &id,
            steps: steps.iter().enumerate().map(view_of).collect(),
            more,
            after,
            last,
            chosen: chosen_index.map(|index| &steps[index]),
            members,
            other_version: version.filter(|version| *version != after.to_string()),
            command: command_line(&about, &id),
            messages: messages_link(&format!("order#{id}")),
            address,
        })
    })
    .await
}

/// Reads the row after each step: for all steps where they are few, else for the chosen one and the
/// one before it.
async fn rows(
    api: &Api,
    address: &str,
    steps: &[Step],
    after: u64,
) -> Result<Vec<Option<Object>>, Failure> {
    let few = steps.len() <= STEPS_WITH_ROWS_MAX;
    let wanted = |step: &Step| few || step.sequence == after || step.sequence + 1 == after;
    let row = |step: &Step| {
        let path = links::query(address, &[("at", Some(step.at.0.as_str()))]);
        let wanted = wanted(step);
        async move {
            match wanted {
                true => api
                    .find::<Object>(&path)
                    .await
                    .map(|row| row.map(without_actions)),
                false => Ok(None),
            }
        }
    };
    let rows = futures::future::join_all(steps.iter().map(row)).await;
    rows.into_iter().collect()
}

/// Removes the allowed actions, which are not part of the row.
fn without_actions(mut row: Object) -> Object {
    row.remove("allowedActions");
    row
}
