//! The pages: a file and a template each. A new one is added here, and to the navigation in
//! [`crate::view`] where it belongs there.

use askama::Template;
use axum::{
    Router,
    http::{HeaderName, StatusCode},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};

use crate::{Console, assets, view::View};

mod before;
pub mod discard;
pub mod files;
pub mod find;
pub mod finding;
pub mod history;
pub mod letter;
pub mod letter_view;
pub mod messages;
pub mod now;
pub mod order;
pub mod orders;
pub mod parked;
pub mod parked_view;
pub mod past;
pub mod read_models;
pub mod refused;
pub mod retried;
pub mod retry;
pub mod row;
pub mod run;
pub mod runs;
pub mod shipment;
pub mod shipments;
pub mod stuck;
pub mod subject;
pub mod try_it;
pub mod try_run;
pub mod webhooks;

/// Returns the router of every page.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/assets/{file}", get(assets::serve))
        .merge(now::routes())
        .merge(files::routes())
        .merge(find::routes())
        .merge(orders::routes())
        .merge(order::routes())
        .merge(history::routes())
        .merge(shipments::routes())
        .merge(shipment::routes())
        .merge(read_models::routes())
        .merge(run::routes())
        .merge(row::routes())
        .merge(messages::routes())
        .merge(stuck::routes())
        .merge(parked::routes())
        .merge(retry::routes())
        .merge(webhooks::routes())
        .merge(refused::routes())
        .merge(past::routes())
        .merge(letter::routes())
        .merge(discard::routes())
        .merge(try_it::routes())
        .merge(try_run::routes())
        .fallback(nothing)
}

async fn nothing(view: View) -> Response {
    view.refused(
        StatusCode::NOT_FOUND,
        "There is no page at this address. The navigation leads to those that there are.",
    )
}

/// Answers with a part of a page that the browser updates.
fn fragment(part: &impl Template) -> Response {
    match part.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Tells the browser to load the page at this path, instead of updating a part of its page.
fn go_to(address: &str) -> Response {
    let header = (HeaderName::from_static("hx-redirect"), address.to_owned());
    ([header], Html("")).into_response()
}
