//! Finds an order or a shipment by its exact id.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use domain::json::Object;
use serde::Deserialize;

use crate::{
    Console,
    limits::SEARCH_CHARACTERS,
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/find", get(show))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "find.html")]
struct Find<'a> {
    id: &'a str,
    order: Option<String>,
    shipment: Option<String>,
}

/// Leads to what has this id; where both an order and a shipment have it, to either; and says so
/// where nothing has it.
async fn show(view: View, Query(asked): Query<Asked>) -> Response {
    let id: String = asked.q.trim().chars().take(SEARCH_CHARACTERS).collect();
    let api = view.console.api().clone();
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
            (true, false) => Ok(Page::Elsewhere(order)),
            (false, true) => Ok(Page::Elsewhere(shipment)),
            (order_too, _) => Page::of(&Find {
                id: &id,
                order: order_too.then_some(order),
                shipment: has_shipment.then_some(shipment),
            }),
        }
    })
    .await
}
