//! The page that compares the rows of one order or shipment with what follows from its events, and
//! repairs them.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::get,
};
use domain::AggregateId;
use operator::rows::{rebuild_one, verify_one};
use serde::Deserialize;

use super::{
    finding::{FindingView, row_link},
    subject::Subject,
};
use crate::{
    About, Console,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    limits::SIDES_KEPT,
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/read-models/rows", get(show).post(mend))
}

#[derive(Deserialize)]
struct Params {
    aggregate: String,
    /// The number of rows that a repair has written.
    written: Option<u64>,
    /// The number of rows that a repair has removed.
    removed: Option<u64>,
}

impl Params {
    fn id(&self) -> Result<AggregateId, Failure> {
        self.aggregate.parse().map_err(|_| Failure::Message {
            status: 404,
            message: "order#<orderId> or shipment#<shipmentId> was expected.".to_owned(),
        })
    }
}

#[derive(Template)]
#[template(path = "row.html")]
struct RowPage<'a> {
    about: &'a About,
    subject: Subject,
    findings: Vec<FindingView>,
    unreadable: Option<String>,
    mended: Option<(u64, u64)>,
    command: String,
    form: Option<Form>,
}

fn form(aggregate: &str, view: &View) -> Form {
    Form::new(row_link(aggregate), "Mend its rows", view)
}

async fn show(view: View, Query(which): Query<Params>) -> Response {
    let title = format!("Rows of {}", which.aggregate);
    let head = Head::new(
        Nav::ReadModels,
        title,
        format!("the rows of {}", which.aggregate),
    );
    let form = form(&which.aggregate, &view);
    let console = view.console.clone();
    view.show(head, async move {
        let id = which.id()?;
        let environment = console.operating().environment().await?;
        let (summary, unreadable) = verify_one(&environment, &id, SIDES_KEPT).await?;
        let about = console.about();
        let named = links::quoted(&which.aggregate.replacen('#', "/", 1));
        let rows = summary.findings.iter();
        let findings: Vec<_> = rows
            .map(|it| FindingView::of(it, &summary.differences))
            .collect();
        let mendable = unreadable.is_none() && !findings.is_empty();
        Page::of(&RowPage {
            about,
            subject: Subject::of(&which.aggregate),
            unreadable,
            mended: which.written.zip(which.removed),
            command: format!("waybill verify {named} --rows 50 {}", about.flags),
            form: (about.may_change() && mendable).then_some(form),
            findings,
        })
    })
    .await
}

async fn mend(
    view: View,
    Query(which): Query<Params>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let aggregate = which.aggregate.clone();
    let action = OperatorAction {
        nav: Nav::ReadModels,
        title: format!("Mend the rows of {aggregate}"),
        effect: format!("the rows of {aggregate} are rewritten to match its events."),
        form: form(&aggregate, &view).filled(&sent),
        back: row_link(&aggregate),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let id = which.id()?;
            let environment = console.operating().environment().await?;
            let rebuilt = rebuild_one(&environment, &id).await?;
            let (written, removed) = (rebuilt.written.to_string(), rebuilt.removed.to_string());
            let told = [
                ("written", Some(written.as_str())),
                ("removed", Some(removed.as_str())),
            ];
            Ok(links::query(&row_link(&aggregate), &told))
        })
        .await
}
