//! The list of shipments: those that need attention, or those in one status.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    Console,
    limits::LIST_PAGE,
    links,
    rows::{List, Shipment},
    view::{Head, Nav, Page, View},
};

/// The statuses that Waybill knows, in the order of a shipment's life.
pub(super) const STATUSES: [&str; 14] = [
    "CREATED",
    "PICKED_UP",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "READY_FOR_PICKUP",
    "DELIVERY_ATTEMPTED",
    "DELIVERED",
    "DELAYED",
    "EXCEPTION",
    "DAMAGED",
    "LOST",
    "RETURNING",
    "RETURNED",
    "CANCELLED",
];

/// The groups that need attention: title and query of the API.
const TO_LOOK_AT: [(&str, &str); 5] = [
    ("stalled", "stalled=true"),
    ("DELAYED", "status=DELAYED"),
    ("EXCEPTION", "status=EXCEPTION"),
    ("DAMAGED", "status=DAMAGED"),
    ("LOST", "status=LOST"),
];

/// The number of rows of each group on the first page.
const FIRST_ROWS: &str = "10";

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/shipments", get(show))
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Params {
    status: Option<String>,
    order_id: Option<String>,
    stalled: Option<String>,
    sort: Option<String>,
    cursor: Option<String>,
}

impl Params {
    /// Whether one list is requested, not the first page.
    fn is_list(&self) -> bool {
        self.status.is_some() || self.order_id.is_some() || self.stalled.is_some()
    }

    fn is(&self, status: &str) -> bool {
        self.status.as_deref() == Some(status)
    }

    fn is_newest_first(&self) -> bool {
        self.sort.as_deref() == Some("newest")
    }

    /// Returns the path of the list with these filters and `more` parameters.
    fn list(&self, more: &[(&str, Option<&str>)]) -> String {
        let filters = [
            ("status", self.status.as_deref()),
            ("orderId", self.order_id.as_deref()),
            ("stalled", self.stalled.as_deref()),
            ("sort", self.sort.as_deref()),
        ];
        links::query(&links::query("/shipments", &filters), more)
    }
}

/// Shipments under one heading.
struct Group {
    title: String,
    all: Option<String>,
    shipments: Vec<Shipment>,
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "shipments.html")]
struct Shipments<'a> {
    asked: &'a Params,
    statuses: &'a [&'a str],
    /// Whether all groups are empty.
    empty: bool,
    groups: Vec<Group>,
    flipped: String,
}

async fn show(view: View, Query(mut asked): Query<Params>) -> Response {
    // A form also sends its empty fields.
    for value in [
        &mut asked.status,
        &mut asked.order_id,
        &mut asked.stalled,
        &mut asked.sort,
        &mut asked.cursor,
    ] {
        *value = value.take().filter(|it| !it.trim().is_empty());
    }
    if asked.order_id.is_some() {
        (asked.status, asked.sort) = (None, None); // the API takes one of them
    }
    if asked.order_id.is_some() || asked.status.is_some() {
        asked.stalled = None;
    }
    let api = view.console.api().clone();
    let head = Head::new(Nav::Shipments, "Shipments", "a page of shipments");
    view.show(head, async move {
        let groups = match asked.is_list() {
            false => {
                let found = TO_LOOK_AT.map(|(_, query)| {
                    let path = format!("/shipments?{query}&limit={FIRST_ROWS}");
                    let api = &api;
                    async move { api.get::<List<Shipment>>(&path).await }
                });
                let found = futures::future::try_join_all(found).await?;
                let group = |((title, query), list): ((&str, &str), List<Shipment>)| Group {
                    title: title.to_owned(),
                    all: list.cursor.map(|_| format!("/shipments?{query}")),
                    shipments: list.items,
                    more: None,
                };
                TO_LOOK_AT.into_iter().zip(found).map(group).collect()
            }
            true => {
                let limit = LIST_PAGE.to_string();
                let page = [
                    ("limit", Some(limit.as_str())),
                    ("cursor", asked.cursor.as_deref()),
                ];
                let found: List<Shipment> = api.get(&asked.list(&page)).await?;
                let more = found.cursor.as_deref();
                vec![Group {
                    title: String::new(),
                    all: None,
                    more: more.map(|cursor| asked.list(&[("cursor", Some(cursor))])),
                    shipments: found.items,
                }]
            }
        };
        let other = if asked.is_newest_first() {
            "oldest"
        } else {
            "newest"
        };
        let flipped = Params {
            sort: Some(other.to_owned()),
            ..asked.clone()
        };
        Page::of(&Shipments {
            asked: &asked,
            statuses: &STATUSES,
            empty: groups.iter().all(|group| group.shipments.is_empty()),
            groups,
            flipped: flipped.list(&[]),
        })
    })
    .await
}
