//! The pages: a file and a template each. A new one is added here, and to the navigation in
//! [`crate::view`] where it belongs there.

use axum::{
    Router,
    http::StatusCode,
    response::{Redirect, Response},
    routing::get,
};

use crate::{Console, assets, view::View};

pub mod find;
pub mod history;
pub mod order;
pub mod orders;
pub mod shipment;
pub mod shipments;
pub mod try_it;
pub mod try_run;

/// Every address of the console.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/orders") }))
        .route("/assets/{file}", get(assets::serve))
        .merge(find::routes())
        .merge(orders::routes())
        .merge(order::routes())
        .merge(history::routes())
        .merge(shipments::routes())
        .merge(shipment::routes())
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
