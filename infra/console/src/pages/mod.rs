//! The pages: a file and a template each. A new one is added here, and to the navigation in
//! [`crate::view`] where it belongs there.

use axum::{Router, http::StatusCode, response::Response, routing::get};

use crate::{Console, assets, view::View};

pub mod files;
pub mod find;
pub mod history;
pub mod now;
pub mod order;
pub mod orders;
pub mod shipment;
pub mod shipments;

/// Every address of the console.
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
        .fallback(nothing)
}

async fn nothing(view: View) -> Response {
    view.refused(
        StatusCode::NOT_FOUND,
        "There is no page at this address. The navigation leads to those that there are.",
    )
}
