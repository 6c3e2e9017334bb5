//! The page *Now*: numbers of the last hour, what is stuck, alarms, and the latest alerts and
//! files.
//!
//! Each part is read separately with a time limit. A part that is missing says so in its place, and
//! the others stay.

use std::sync::Arc;

use askama::Template;
use axum::{Router, response::Response, routing::get};
use operator::{
    Environment, OperatorError,
    activity::{self, Activity, MinuteSeries},
    alarms::{self, Alarms, State},
    parked::{self, ParkedPage},
    recent::{self, Files, RecentShipments},
    status::{self, DeadLetterCounts},
};

use super::files::upload;
use crate::{
    Console,
    at::At,
    backend::Failure,
    limits::{BEHIND_SECONDS, NOW_EVERY_ELSEWHERE, NOW_EVERY_LOCALLY, PART_TIMEOUT, RECENT_SHOWN},
    links, sparkline,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/", get(show))
}

/// A part of the page, or the reason why it is missing.
pub(super) type Part<T> = Result<T, String>;

/// All parts of the page.
struct Parts {
    activity: Part<Activity>,
    parked: Part<ParkedPage>,
    dead_letters: Part<DeadLetterCounts>,
    stalled: Part<RecentShipments>,
    alarms: Part<Alarms>,
    alerts: Part<RecentShipments>,
    files: Part<Files>,
    /// The command line that uploads an order file.
    upload: Part<String>,
    /// The time of the environment.
    at: Part<At>,
}

/// A number with a link to what it counts.
struct Tile {
    id: &'static str,
    label: &'static str,
    /// The number as text; `None` where it is not known.
    value: Option<String>,
    /// Whether the number needs attention.
    wrong: bool,
    note: String,
    link: &'static str,
    /// The numbers of the last hour as points of an SVG polyline.
    line: Option<String>,
}

#[derive(Template)]
#[template(path = "now.html")]
struct Now<'a> {
    every_seconds: u64,
    parts: &'a Parts,
    tiles: Vec<Tile>,
    /// The numbers that are missing, each with the reason.
    missing: Vec<(&'a str, &'a str)>,
}

async fn show(view: View) -> Response {
    let console = view.console.clone();
    let head = Head::new(Nav::Now, "Now", "what is going on");
    view.show(head, async move {
        let parts = Box::pin(parts(&console)).await;
        let every = match console.about().is_local {
            true => NOW_EVERY_LOCALLY,
            false => NOW_EVERY_ELSEWHERE,
        };
        Page::of(&Now {
            every_seconds: every.as_secs(),
            tiles: tiles(&parts),
            missing: missing(&parts),
            parts: &parts,
        })
    })
    .await
}

async fn parts(console: &Console) -> Parts {
    let (activity, parked, dead_letters, stalled, alarms, alerts, files, about) = futures::join!(
        part(console, |it| async move { activity::activity(&it).await }),
        part(console, |it| async move { parked::page(&it, None).await }),
        part(console, |it| async move { status::dead_letters(&it).await }),
        part(console, |it| async move {
            recent::stalled(&it, RECENT_SHOWN).await
        }),
        part(console, |it| async move { alarms::alarms(&it).await }),
        part(console, |it| async move {
            recent::alerts(&it, RECENT_SHOWN).await
        }),
        part(console, |it| async move {
            recent::files(&it, "", None, RECENT_SHOWN).await
        }),
        part(console, |it| async move { Ok((upload(&it), it.now())) }),
    );
    Parts {
        activity,
        parked,
        dead_letters,
        stalled,
        alarms,
        alerts,
        files,
        at: about.clone().map(|(_, now)| At(now.to_string())),
        upload: about.map(|(upload, _)| upload),
    }
}

/// Reads one part within [`PART_TIMEOUT`].
pub(super) async fn part<T, Work>(
    console: &Console,
    work: impl FnOnce(Arc<Environment>) -> Work,
) -> Part<T>
where
    Work: Future<Output = Result<T, OperatorError>>,
{
    let looked = async {
        let environment = console.operating().environment().await?;
        work(environment).await.map_err(Failure::from)
    };
    match tokio::time::timeout(PART_TIMEOUT, looked).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(failure)) => Err(described(&failure, console.about()).2),
        Err(_) => Err(format!("no answer within {} s", PART_TIMEOUT.as_secs())),
    }
}

fn tiles(parts: &Parts) -> Vec<Tile> {
    let mut tiles = measured(parts.activity.as_ref().ok());
    let parked = parts.parked.as_ref().ok();
    tiles.push(Tile {
        value: parked.map(|page| count(page.parked.len(), page.next.is_some())),
        wrong: parked.is_some_and(|page| !page.parked.is_empty()),
        ..tile(
            "parked",
            "Parked",
            links::STUCK,
            "orders and shipments that wait",
        )
    });
    let letters = parts.dead_letters.as_ref().ok();
    tiles.push(Tile {
        value: letters.map(|it| count(it.all() as usize, it.more_objects)),
        wrong: letters.is_some_and(|it| it.all() > 0),
        ..tile(
            "dead-letters",
            "Dead letters",
            links::STUCK,
            "given up, and kept",
        )
    });
    let stalled = parts.stalled.as_ref().ok();
    tiles.push(Tile {
        value: stalled.map(|it| count(it.shipments.len(), it.more)),
        wrong: stalled.is_some_and(|it| !it.shipments.is_empty()),
        ..tile(
            "stalled",
            "Stalled",
            "#stalled-shipments",
            "shipments without news",
        )
    });
    let alarms = parts.alarms.as_ref().ok();
    tiles.push(Tile {
        value: alarms.map(|it| it.ringing().to_string()),
        wrong: alarms.is_some_and(|it| it.ringing() > 0),
        note: alarms.map_or(String::new(), |it| format!("of {} ring", it.alarms.len())),
        ..tile("alarms", "Alarms", "#ringing", "")
    });
    tiles
}

/// Returns the tiles of what CloudWatch counts; without numbers where they could not be read.
fn measured(activity: Option<&Activity>) -> Vec<Tile> {
    let counted = |id, label, link, wrong, line: Option<MinuteSeries>| {
        let hour = line
            .as_ref()
            .map(|line| format!("{} in the last hour", line.total()));
        Tile {
            value: line.as_ref().map(|line| line.last_minute().to_string()),
            wrong: wrong && line.as_ref().is_some_and(|line| line.total() > 0),
            note: hour.unwrap_or_default(),
            line: line.as_ref().map(sparkline::points),
            ..tile(id, label, link, "")
        }
    };
    let line = |of: fn(&Activity) -> MinuteSeries| activity.map(of);
    let refused = |it: &Activity| sparkline::sum(&it.refused_orders, &it.refused_updates);
    let behind = |id, label, link, consumer: &str, note: &str| {
        let line = activity.map(|it| it.behind.get(consumer).cloned().unwrap_or_default());
        let seconds = line.as_ref().map(|line| line.recent_maximum() / 1_000);
        Tile {
            value: seconds.map(|seconds| format!("{seconds} s")),
            wrong: seconds.is_some_and(|seconds| seconds >= BEHIND_SECONDS),
            line: line.as_ref().map(sparkline::points),
            ..tile(id, label, link, note)
        }
    };
    vec![
        counted(
            "orders",
            "Orders a minute",
            "/orders",
            false,
            line(|it| it.orders.clone()),
        ),
        counted(
            "updates",
            "Updates a minute",
            "/shipments",
            false,
            line(|it| it.updates.clone()),
        ),
        counted(
            "refused",
            "Refused a minute",
            links::REFUSED,
            false,
            line(refused),
        ),
        counted(
            "failures",
            "Failures a minute",
            links::STUCK,
            true,
            line(|it| it.failures.clone()),
        ),
        behind(
            "rows",
            "Rows behind by",
            links::READ_MODELS,
            "project",
            "after the events",
        ),
        behind(
            "messages",
            "Messages behind by",
            links::STUCK,
            "notify",
            "after the events",
        ),
    ]
}

fn tile(id: &'static str, label: &'static str, link: &'static str, note: &str) -> Tile {
    Tile {
        id,
        label,
        value: None,
        wrong: false,
        note: note.to_owned(),
        link,
        line: None,
    }
}

fn count(number: usize, more: bool) -> String {
    format!("{number}{}", if more { "+" } else { "" })
}

fn missing(parts: &Parts) -> Vec<(&str, &str)> {
    let reasons = [
        (
            "What was counted in the last hour",
            parts.activity.as_ref().err(),
        ),
        ("What is parked", parts.parked.as_ref().err()),
        (
            "The number of dead letters",
            parts.dead_letters.as_ref().err(),
        ),
    ];
    let reasons = reasons.into_iter();
    reasons
        .filter_map(|(what, why)| Some((what, why?.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_say_is_no_number() {
        let tiles = measured(None);
        assert_eq!(tiles.len(), 6);
        assert!(tiles.iter().all(|tile| tile.value.is_none() && !tile.wrong));
        assert!(tiles.iter().all(|tile| tile.line.is_none()));
    }

    #[test]
    fn a_list_that_is_not_all_says_so() {
        assert_eq!(
            (count(3, false), count(8, true)),
            ("3".to_owned(), "8+".to_owned())
        );
    }
}
