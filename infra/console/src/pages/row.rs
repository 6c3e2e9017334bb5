//! The page that compares the rows of one order or shipment with what follows from its events, and
//! repairs them.

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::get,
};
use domain::{AggregateId, json::Object};
use operator::rows::{rebuild_one, verify_one};
use serde::Deserialize;

use super::{run::FindingView, stuck::Subject};
use crate::{
    About, Console,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    diff,
    limits::SIDES_KEPT,
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/read-models/rows", get(show).post(mend))
}

/// Returns the path of the page that compares the rows of an order or shipment.
pub(super) fn row_link(aggregate: &str) -> String {
    links::query("/read-models/rows", &[("aggregate", Some(aggregate))])
}

/// The stored row next to the row that follows from the events.
pub(super) struct SidesView {
    /// Every member, differing ones first.
    pub(super) members: Vec<Side>,
    /// Whether the row is stored.
    pub(super) is_stored: bool,
    /// Whether the events make such a row.
    pub(super) is_expected: bool,
}

/// One member of the stored row and of the expected row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) path: String,
    pub(super) stored: Option<String>,
    pub(super) expected: Option<String>,
    pub(super) differs: bool,
}

impl SidesView {
    pub(super) fn of(stored: Option<&Object>, expected: Option<&Object>) -> Self {
        let none = Object::new();
        let (stored_row, expected_row) = (stored.unwrap_or(&none), expected.unwrap_or(&none));
        let differing = diff::between(stored_row, expected_row)
            .into_iter()
            .map(|it| Side {
                path: it.path,
                stored: it.before,
                expected: it.after,
                differs: true,
            });
        let mut members: Vec<Side> = differing.collect();
        let equal = diff::members(stored_row, expected_row).into_iter();
        members.extend(equal.filter(|it| !it.changed).map(|it| Side {
            path: it.path,
            stored: Some(it.value.clone()),
            expected: Some(it.value),
            differs: false,
        }));
        Self {
            members,
            is_stored: stored.is_some(),
            is_expected: expected.is_some(),
        }
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use domain::Json;

    use super::*;

    fn row(text: &str) -> Object {
        Json::parse(text).unwrap().into_object().unwrap()
    }

    #[test]
    fn what_differs_stands_first_with_both_sides() {
        let (stored, expected) = (
            row(r#"{"a":1,"b":2,"gone":0}"#),
            row(r#"{"a":1,"b":3,"new":4}"#),
        );
        let sides = SidesView::of(Some(&stored), Some(&expected));
        let told: Vec<_> = sides
            .members
            .iter()
            .map(|it| {
                (
                    it.path.as_str(),
                    it.stored.as_deref(),
                    it.expected.as_deref(),
                    it.differs,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("b", Some("2"), Some("3"), true),
                ("gone", Some("0"), None, true),
                ("new", None, Some("4"), true),
                ("a", Some("1"), Some("1"), false),
            ]
        );
        let missing = SidesView::of(None, Some(&expected));
        assert!(!missing.is_stored && missing.is_expected);
        assert!(
            missing
                .members
                .iter()
                .all(|it| it.stored.is_none() && it.differs)
        );
    }
}
