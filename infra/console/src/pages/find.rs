//! Finds an order or a shipment by its exact id. Where there is none, looks where that id was
//! refused.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use domain::{AggregateId, json::Object};
use operator::{
    parked,
    refused::{self, FileRejection, FileRejections, LetterMatches},
};
use serde::Deserialize;

use super::{letter_view::LetterView, parked_view::ParkedView};
use crate::{
    Console,
    at::{self, At},
    backend::Failure,
    limits::{REFUSED_TIMEOUT, SEARCH_CHARACTERS},
    links,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/find", get(show))
}

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "find.html")]
struct Find<'a> {
    id: &'a str,
    order: Option<String>,
    shipment: Option<String>,
    /// Where the id was refused; `None` where an order or shipment has it.
    refused: Option<RefusedView>,
}

/// Where an order or shipment was refused or parked.
struct RefusedView {
    parked: Vec<ParkedView>,
    files: Vec<FileView>,
    letters: Vec<LetterView>,
    /// The number of files that were searched; `None` where they could not be searched.
    looked: Option<u64>,
    /// Sentences about what was not searched: because there is too much, or because it failed.
    missing: Vec<String>,
}

impl RefusedView {
    fn any(&self) -> bool {
        !(self.parked.is_empty() && self.files.is_empty() && self.letters.is_empty())
    }
}

/// A rejected order of a file.
struct FileView {
    key: String,
    link: String,
    at: At,
    position: u64,
    field: Option<String>,
    reason: String,
    code: String,
}

impl FileView {
    fn of(found: FileRejection) -> Self {
        let FileRejection {
            file,
            at,
            page,
            rejection,
        } = found;
        let link = links::file(&file.key, &file.version);
        let page = (page > 1).then(|| page.to_string());
        Self {
            link: links::query(&link, &[("page", page.as_deref())]),
            key: file.key,
            at: at::of(&at),
            position: rejection.position,
            field: rejection.field,
            reason: rejection.reason,
            code: rejection.code,
        }
    }
}

/// Searches files, dead letters and parked aggregates for an id that has no order and no shipment.
/// What could not be searched is reported in `missing`.
async fn refused(console: &Console, id: &str) -> RefusedView {
    let looks = async {
        let environment = console.operating().environment().await?;
        let of = |kind: &str| {
            let id = format!("{kind}#{id}").parse::<AggregateId>().ok();
            let environment = &environment;
            async move {
                match id {
                    Some(id) => parked::of(environment, &id).await,
                    None => Ok(Vec::new()),
                }
            }
        };
        // Looking at the queue hides its messages for a moment, which would take them away from a
        // running retry.
        let busy = console.operating().jobs.retry();
        let busy = busy.is_some_and(|job| job.is_running());
        let letters = async {
            match busy {
                true => Ok(LetterMatches {
                    more: true,
                    ..LetterMatches::default()
                }),
                false => refused::in_letters(&environment, id).await,
            }
        };
        let in_files = refused::in_files(&environment, id);
        Ok(futures::join!(
            of("order"),
            of("shipment"),
            in_files,
            letters
        ))
    };
    let looked = tokio::time::timeout(REFUSED_TIMEOUT, looks).await;
    let looked = looked.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", REFUSED_TIMEOUT.as_secs());
        Err(Failure::Message {
            status: 504,
            message,
        })
    });
    let mut view = RefusedView {
        parked: Vec::new(),
        files: Vec::new(),
        letters: Vec::new(),
        looked: None,
        missing: Vec::new(),
    };
    let why = |failure: &Failure| described(failure, console.about()).2;
    let (orders, shipments, files, letters) = match looked {
        Ok(looked) => looked,
        Err(failure) => {
            let missing = format!(
                "Files and dead letters could not be looked at: {}",
                why(&failure)
            );
            view.missing.push(missing);
            return view;
        }
    };
    for parked in [orders, shipments].into_iter().flatten().flatten() {
        view.parked.push(ParkedView::of(&parked));
    }
    match files {
        Ok(FileRejections {
            found,
            looked,
            more,
        }) => {
            view.files = found.into_iter().map(FileView::of).collect();
            view.looked = Some(looked);
            if more {
                let text = "There are older files, or more rejections, than were looked through.";
                view.missing.push(text.to_owned());
            }
        }
        Err(error) => view
            .missing
            .push(format!("The files could not be looked at: {error}")),
    }
    match letters {
        Ok(LetterMatches { found, more }) => {
            view.letters = found.into_iter().map(LetterView::of).collect();
            if more {
                let text = "There are dead letters that were not looked at.";
                view.missing.push(text.to_owned());
            }
        }
        Err(error) => view
            .missing
            .push(format!("The dead letters could not be looked at: {error}")),
    }
    view
}

/// Redirects to the order or shipment with this id. Where both exist, shows links to both; where
/// none exists, says so.
async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let id: String = asked.q.trim().chars().take(SEARCH_CHARACTERS).collect();
    let (api, console) = (view.console.api().clone(), view.console.clone());
    let head = Head {
        search: id.clone(),
        ..Head::new(Nav::None, "Search", "an order or a shipment with this id")
    };
    view.show(head, async move {
        let (order, shipment) = (links::order(&id), links::shipment(&id));
        let askable = !id.is_empty() && !id.contains(['/', '\\']);
        let (has_order, has_shipment) = match askable {
            true => {
                let both =
                    futures::join!(api.find::<Object>(&order), api.find::<Object>(&shipment));
                (both.0?.is_some(), both.1?.is_some())
            }
            false => (false, false),
        };
        match (has_order, has_shipment) {
            (true, false) => Ok(Page::Redirect(order)),
            (false, true) => Ok(Page::Redirect(shipment)),
            (order_too, _) => Page::of(&Find {
                refused: match askable && !order_too {
                    true => Some(refused(&console, &id).await),
                    false => None,
                },
                id: &id,
                order: order_too.then_some(order),
                shipment: has_shipment.then_some(shipment),
            }),
        }
    })
    .await
}
