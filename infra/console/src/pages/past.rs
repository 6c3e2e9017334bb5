//! The page of a run over the whole store that has ended: its findings, and repairing them.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Path, Query},
    response::Response,
    routing::{get, post},
};
use domain::AggregateId;
use lambda::ReadModel;
use operator::{
    Kind,
    limits::REPAIRS_MAX,
    rows::{Counted, FindingKind, PastRun, remember_repair, repair},
};
use serde::Deserialize;

use super::{
    finding::{FindingView, aggregate_of, shown},
    runs::{all_mended_at, past_of},
};
use crate::{
    Console,
    at::At,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    links,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/read-models/runs/{name}", get(show_past))
        .route("/read-models/runs/{name}/mend", post(mend_found))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PastParams {
    /// The number of findings on the pages before this one.
    skip: usize,
    /// The number of rows that a repair of the findings has written.
    written: Option<u64>,
    /// The number of rows that the repair has removed.
    removed: Option<u64>,
    /// The number of orders and shipments that are still wrong after the repair.
    left: Option<u64>,
}

#[derive(Template)]
#[template(path = "past.html")]
struct PastPage<'a> {
    kind: Kind,
    only: Option<ReadModel>,
    begun: At,
    ended: At,
    by: &'a str,
    commits: u64,
    read_units: u64,
    counted: Counted,
    findings: Vec<FindingView>,
    number: usize,
    more: Option<String>,
    /// The number of findings that were counted but not kept.
    not_kept: u64,
    /// The form that repairs exactly the findings, where they are few enough. Otherwise a rebuild
    /// does.
    mend: Option<Form>,
    rebuild: bool,
    /// The result of a repair: rows written, rows removed, and aggregates that are still wrong.
    mended: Option<(u64, u64, u64)>,
    /// When the last of what the run has found was repaired, where all of it was.
    mended_at: Option<At>,
    read_only: bool,
}

/// Returns the orders and shipments with a wrong row that can be repaired, and were not since. Empty
/// where they are too many to be repaired one by one, or not all known.
fn mendable(past: &PastRun) -> Vec<AggregateId> {
    let summary = &past.summary;
    let wrong = summary.findings.iter();
    let wrong = wrong.filter(|finding| finding.kind != FindingKind::Unreadable);
    let names: BTreeSet<String> = wrong.map(aggregate_of).collect();
    let names = names.iter().filter(|name| !past.mended.contains_key(*name));
    let ids: Vec<AggregateId> = names.filter_map(|name| name.parse().ok()).collect();
    match summary.more() == 0 && ids.len() <= REPAIRS_MAX {
        true => ids,
        false => Vec::new(),
    }
}

fn mend_form(name: &str, number: usize, view: &View) -> Form {
    let action = format!("/read-models/runs/{}/mend", links::encoded(name));
    let button = match number {
        1 => "Mend its rows".to_owned(),
        _ => format!("Mend these {number}"),
    };
    Form::new(action, button, view)
}

/// Reads the past run of this name. Fails with `404` where there is none.
async fn past_named(console: &Console, name: &str) -> Result<PastRun, Failure> {
    let all = past_of(console.operating()).await?;
    let past = all.into_iter().find(|(known, _)| known == name);
    let past = past.map(|(_, past)| past);
    past.ok_or_else(|| Failure::Message {
        status: 404,
        message: "This run is not remembered any more, or never was.".to_owned(),
    })
}

async fn mend_found(
    view: View,
    Path(name): Path<String>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let address = format!("/read-models/runs/{}", links::encoded(&name));
    let action = OperatorAction {
        nav: Nav::ReadModels,
        title: "Mend what was found".to_owned(),
        effect:
            "the rows of every order and shipment that this run has found wrong are rewritten to \
                 match their events. Nobody is notified."
                .to_owned(),
        form: mend_form(&name, 0, &view).filled(&sent),
        back: address.clone(),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let past = past_named(&console, &name).await?;
            let environment = console.operating().environment().await?;
            let done = repair(&environment, &mendable(&past)).await?;
            let operating = console.operating();
            let (state, of) = (&operating.state, operating.name());
            // It is mended, also where that cannot be remembered.
            if let Err(error) = remember_repair(state, of, &name, &done.right, environment.now()) {
                tracing::warn!(%error, "that rows were mended could not be stored");
            }
            let numbers = [done.written, done.removed, done.left].map(|it| it.to_string());
            let [written, removed, left] = numbers.each_ref().map(|it| Some(it.as_str()));
            let told = [("written", written), ("removed", removed), ("left", left)];
            Ok(links::query(&address, &told))
        })
        .await
}

async fn show_past(
    view: View,
    Path(name): Path<String>,
    Query(from): Query<PastParams>,
) -> Response {
    let head = Head::new(Nav::ReadModels, "A run that has ended", "the past runs");
    let (console, again) = (view.console.clone(), view.clone());
    view.show(head, async move {
        let operating = console.operating();
        let mut past = past_named(&console, &name).await?;
        // The rows of the findings are kept in the memory of the process that ran, and in no file.
        let own = operating.jobs.whole_run().and_then(|job| job.state().ended);
        if let Some(own) = own
            .and_then(Result::ok)
            .filter(|own| own.name.as_ref() == Some(&name))
        {
            past.summary = own.summary;
        }
        let summary = &past.summary;
        let mut findings = shown(summary, from.skip);
        for finding in &mut findings {
            let at = past.mended.get(&finding.aggregate);
            finding.mended = at.map(|at| At(at.to_string()));
        }
        let mended_at = all_mended_at(&past);
        let next = from.skip + findings.len();
        let kept = summary.findings.len();
        let mended = from.written.zip(from.removed).zip(from.left);
        let mended = mended.map(|((written, removed), left)| (written, removed, left));
        let counted = &summary.counted;
        let wrong = past.kind == Kind::Verify
            && mended.is_none()
            && mended_at.is_none()
            && counted.wrong() > counted.unreadable;
        let (ids, may) = (mendable(&past), console.about().may_change());
        Page::of(&PastPage {
            kind: past.kind,
            only: past.only,
            begun: At(past.begun.to_string()),
            ended: At(past.ended.to_string()),
            by: &past.by,
            commits: summary.commits,
            read_units: summary.scanned_read_units + summary.examined_read_units,
            counted: summary.counted,
            number: kept,
            more: (next < kept)
                .then(|| format!("/read-models/runs/{}?skip={next}", links::encoded(&name))),
            not_kept: summary.more(),
            mend: (may && wrong && !ids.is_empty()).then(|| mend_form(&name, ids.len(), &again)),
            rebuild: wrong && ids.is_empty(),
            mended,
            mended_at,
            read_only: wrong && !may,
            findings,
        })
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use domain::Timestamp;
    use operator::rows::{Finding, Summary};

    use super::*;

    fn finding(table: &str, id: &str) -> Finding {
        Finding {
            table: table.to_owned(),
            id: id.to_owned(),
            entry: None,
            kind: FindingKind::Different,
            stored: Some(1),
            expected: Some(1),
        }
    }

    fn past(findings: Vec<Finding>) -> PastRun {
        let mut summary = Summary {
            findings,
            ..Summary::default()
        };
        summary.counted.found(&summary.findings);
        PastRun {
            kind: Kind::Verify,
            only: None,
            begun: Timestamp::EPOCH,
            ended: Timestamp::EPOCH,
            by: "waybill verify".to_owned(),
            summary,
            mended: BTreeMap::new(),
        }
    }

    #[test]
    fn each_order_and_shipment_counts_once() {
        // Sorted by table, so that one of two generations stands between.
        let twice = (0..REPAIRS_MAX).flat_map(|number| {
            let id = number.to_string();
            [finding("shipment-log", &id), finding("shipment-log-2", &id)]
        });
        let mut all: Vec<Finding> = twice.collect();
        all.sort();
        assert_eq!(mendable(&past(all.clone())).len(), REPAIRS_MAX);
        all.push(finding("processed-orders", "one more"));
        assert!(mendable(&past(all)).is_empty());
    }

    #[test]
    fn what_was_mended_is_not_mended_again_and_says_when() {
        let mut past = past(vec![
            finding("processed-orders", "1"),
            finding("shipment-log", "1"),
        ]);
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        assert_eq!(all_mended_at(&past), None);
        past.mended.insert("order#1".to_owned(), at(5));
        let left: Vec<String> = mendable(&past).iter().map(ToString::to_string).collect();
        assert_eq!(left, ["shipment#1"]);
        assert_eq!(all_mended_at(&past), None);
        past.mended.insert("shipment#1".to_owned(), at(4));
        assert!(mendable(&past).is_empty());
        assert_eq!(all_mended_at(&past), Some(At(at(5).to_string())));
    }
}
