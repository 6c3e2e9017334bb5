//! The list of orders, newest first: all, or those of a status, of a customer, or of the day they
//! were processed.

use askama::Template;
use axum::{Router, extract::Query, http::StatusCode, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    Console, at,
    limits::LIST_PAGE,
    links,
    live::{self, ChangeNotice},
    rows::{List, ListedOrder},
    view::{Head, Nav, Page, View},
};

/// The statuses of an order, in the order of its life.
const STATUSES: [&str; 4] = ["NEW", "PROCESSING", "PROCESSED", "CANCELLED"];

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/orders", get(show))
        .route("/live/orders", get(live_update))
}

/// The filters and the page of the list. The API accepts one of the first three.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Params {
    status: Option<String>,
    customer_id: Option<String>,
    day: Option<String>,
    cursor: Option<String>,
    /// The newest order that the open page shows.
    seen: Option<String>,
}

impl Params {
    /// Returns the path of the list with these filters, which is the same for the API and for this
    /// page, and `more` parameters.
    fn list(&self, more: &[(&str, Option<&str>)]) -> String {
        let filters = [
            ("status", self.status.as_deref()),
            ("customerId", self.customer_id.as_deref()),
            ("day", self.day.as_deref()),
        ];
        links::query(&links::query("/orders", &filters), more)
    }

    fn is(&self, status: &str) -> bool {
        self.status.as_deref() == Some(status)
    }

    fn is_all(&self) -> bool {
        let filters = [&self.status, &self.customer_id, &self.day];
        filters
            .iter()
            .all(|it| it.as_deref().unwrap_or_default().is_empty())
    }
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders<'a> {
    asked: &'a Params,
    statuses: &'a [&'a str],
    orders: &'a [ListedOrder],
    more: Option<String>,
    live: Option<String>,
    /// Why the day that was asked for is none.
    no_day: Option<String>,
}

async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let api = view.console.api().clone();
    let head = Head::new(Nav::Orders, "Orders", "a page of orders");
    view.show(head, async move {
        if let Err(wrong) = at::day(asked.day.as_deref()) {
            let page = Orders {
                asked: &asked,
                statuses: &STATUSES,
                orders: &[],
                more: None,
                live: None,
                no_day: Some(wrong.says()),
            };
            return Page::with(StatusCode::BAD_REQUEST, &page);
        }
        let limit = LIST_PAGE.to_string();
        let page = [
            ("sort", Some("newest")),
            ("limit", Some(limit.as_str())),
            ("cursor", asked.cursor.as_deref()),
        ];
        let found: List<ListedOrder> = api.get(&asked.list(&page)).await?;
        let more = found.cursor.as_deref();
        let newest = found.items.first().map_or("", |order| &order.order_id);
        // New orders appear on the first page of the unfiltered list only.
        let live = (asked.is_all() && asked.cursor.is_none())
            .then(|| links::query("/live/orders", &[("seen", Some(newest))]));
        Page::of(&Orders {
            asked: &asked,
            statuses: &STATUSES,
            orders: &found.items,
            more: more.map(|cursor| asked.list(&[("cursor", Some(cursor))])),
            live,
            no_day: None,
        })
    })
    .await
}

async fn live_update(view: View, Query(asked): Query<Params>) -> Response {
    let seen = asked.seen.unwrap_or_default();
    let newest = "/orders?sort=newest&limit=1".to_owned();
    live::watch(&view.console, newest, move |found: List<ListedOrder>| {
        let newer = found.items.first().filter(|order| order.order_id != seen);
        newer.map(|_| ChangeNotice {
            message: "There are newer orders.".to_owned(),
            address: "/orders".to_owned(),
        })
    })
}
