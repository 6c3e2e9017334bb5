//! The page of an order: its state, its history, and what can be done.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    before,
    finding::row_link,
    messages::messages_link,
    parked_view::{self, ParkedView},
};
use crate::{
    About, Console, at,
    backend::Failure,
    change::{Change, Field, Form, FormValues},
    limits::{ITEMS_SHOWN, SHIPMENTS_OF_ORDER},
    links,
    live::{self, ChangeNotice},
    rows::{History, Item, List, Order, Shipment, texts},
    story::{self, Step},
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/orders/{id}", get(show))
        .route("/orders/{id}/complete", post(complete))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/live/order/{id}", get(live_update))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// The time at which the order is shown.
    at: Option<String>,
    /// The day at whose end it is shown, such as `2026-03-01`; used instead of `at`.
    day: Option<String>,
    /// The version after a change that was made on this page.
    stored: Option<u64>,
    /// The version that the open page shows.
    seen: Option<u64>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    order: &'a Order,
    at: Option<&'a str>,
    stored: bool,
    steps: &'a [Step],
    shipments: &'a [Shipment],
    attributes: Vec<(String, String)>,
    items: &'a [Item],
    /// The number of items that are not shown.
    more_items: usize,
    address: String,
    live: String,
    command: String,
    complete: Option<Form>,
    cancel: Option<Form>,
    parked: Vec<ParkedView>,
    messages: String,
    rows: String,
}

async fn show(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let head = Head::new(
        Nav::Orders,
        format!("Order {id}"),
        format!("the order {id}"),
    );
    let (api, about) = (view.console.api().clone(), view.console.about().clone());
    let forms = (complete_form(&id, &view), cancel_form(&id, &view));
    let console = view.console.clone();
    view.show(head, async move {
        let day = asked.day.as_deref().filter(|day| !day.is_empty());
        let at = match at::asked(asked.at.as_deref(), day) {
            Ok(at) => at,
            Err(wrong) => return before::no_time("order", &id, &wrong),
        };
        let at = at.as_deref();
        let address = links::order(&id);
        let row = links::query(&address, &[("at", at)]);
        let events = links::query(&format!("{address}/history"), &[("at", at)]);
        let limit = SHIPMENTS_OF_ORDER.to_string();
        let own = [
            ("orderId", Some(id.as_str())),
            ("limit", Some(limit.as_str())),
        ];
        let shipments = links::query("/shipments", &own);
        let aggregate = format!("order#{id}");
        let (order, history, shipments, parked) = futures::join!(
            api.get::<Order>(&row),
            api.get::<History>(&events),
            api.get::<List<Shipment>>(&shipments),
            parked_view::parked_of(&console, &aggregate),
        );
        let without_row = parked.iter().find(|one| one.consumer == "project");
        let order = match (order, without_row) {
            // There is no row because the first event is parked. Its page says why.
            (Err(Failure::NotFound(_)), Some(parked)) if at.is_none() => {
                return Ok(Page::Redirect(parked.link.clone()));
            }
            (Err(Failure::NotFound(problem)), _) if at.is_some() => {
                // The order may have been placed after that time.
                let now = api.find::<History>(&format!("{address}/history")).await?;
                let first = now.and_then(|history| history.events.into_iter().next());
                let (Some(at), Some(first)) = (at, first) else {
                    return Err(Failure::NotFound(problem));
                };
                let at = at::in_words(day, at);
                return before::page("order", &id, &at, &first.at, Vec::new());
            }
            (order, _) => order?,
        };
        let steps: Vec<Step> = history?.events.into_iter().map(story::step).collect();
        let shipments = shipments?.items;
        let may = |action: &str| {
            let allowed = order.allowed_actions.iter().any(|it| it == action);
            at.is_none() && about.may_change() && allowed
        };
        let of_this_version = |form: Form| Form {
            version: Some(order.version),
            ..form
        };
        let version = order.version.to_string();
        Page::of(&OrderPage {
            at,
            stored: asked.stored == Some(order.version),
            steps: &steps,
            shipments: &shipments,
            attributes: texts(&order.attributes).into_iter().collect(),
            items: &order.items[..order.items.len().min(ITEMS_SHOWN)],
            more_items: order.items.len().saturating_sub(ITEMS_SHOWN),
            live: links::query(
                &format!("/live/order/{}", links::encoded(&id)),
                &[("seen", Some(version.as_str()))],
            ),
            command: command_line(&about, &id),
            complete: may("complete").then(|| of_this_version(forms.0)),
            cancel: may("cancel").then(|| of_this_version(forms.1)),
            order: &order,
            address,
            parked,
            messages: messages_link(&aggregate),
            rows: row_link(&aggregate),
        })
    })
    .await
}

/// Returns the command line that prints the same.
pub(super) fn command_line(about: &About, id: &str) -> String {
    let aggregate = links::quoted(&format!("order/{id}"));
    format!("waybill history {aggregate} {}", about.flags)
}

async fn live_update(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let address = links::order(&id);
    let seen = asked.seen.unwrap_or(0);
    live::watch(&view.console, address.clone(), move |order: Order| {
        (order.version != seen).then(|| ChangeNotice {
            message: format!(
                "Somebody has changed this order: it is {} now (version {}).",
                order.status, order.version
            ),
            address: address.clone(),
        })
    })
}

fn complete_form(id: &str, view: &View) -> Form {
    Form::new(format!("{}/complete", links::order(id)), "Complete", view)
}

fn cancel_form(id: &str, view: &View) -> Form {
    let action = format!("{}/cancel", links::order(id));
    Form {
        danger: true,
        fields: vec![Field {
            name: "reason",
            label: "Reason",
            hint: "What the customer or a colleague should read later",
            required: true,
            ..Field::default()
        }],
        ..Form::new(action, "Cancel the order", view)
    }
}

async fn complete(
    view: View,
    Path(id): Path<String>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let form = complete_form(&id, &view).filled(&sent);
    let effect = format!("order {id} becomes PROCESSED, and stays it.");
    let change = change(&id, "complete", "Complete order", effect, form);
    change.make(view, &sent).await
}

async fn cancel(view: View, Path(id): Path<String>, Posted(sent): Posted<FormValues>) -> Response {
    let form = cancel_form(&id, &view).filled(&sent);
    let effect = format!(
        "order {id} becomes CANCELLED, and stays it. The event Order Cancelled is announced."
    );
    let change = change(&id, "cancel", "Cancel order", effect, form);
    change.make(view, &sent).await
}

fn change(id: &str, action: &'static str, what: &str, effect: String, form: Form) -> Change {
    let back = links::order(id);
    Change {
        nav: Nav::Orders,
        title: format!("{what} {id}"),
        effect,
        form,
        action,
        command: format!("{back}/{action}"),
        history: Some(format!("{back}/history")),
        back,
    }
}
