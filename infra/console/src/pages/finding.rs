//! A finding of a run as pages show it, with the stored row next to the expected one.

use domain::json::Object;
use operator::rows::{Difference, Finding, FindingKind, Summary};

use crate::{at::At, diff, limits::FINDINGS_SHOWN, links};

/// A finding with links to its order or shipment.
pub(super) struct FindingView {
    pub(super) wrong: FindingKind,
    pub(super) table: String,
    pub(super) id: String,
    pub(super) entry: Option<String>,
    /// The path of the order's or shipment's page.
    pub(super) link: String,
    /// The path of the page that compares its rows as they are now.
    pub(super) rows: String,
    /// Both rows at the time of the finding, where they were kept.
    pub(super) sides: Option<SidesView>,
    /// What is wrong, as a sentence.
    pub(super) says: String,
    /// The order or shipment, such as `order#1`.
    pub(super) aggregate: String,
    /// When its rows were mended after the run.
    pub(super) mended: Option<At>,
}

fn is_order(finding: &Finding) -> bool {
    finding.table.starts_with("processed-orders")
}

/// Returns the order or shipment that a finding is about, such as `order#1`.
pub(super) fn aggregate_of(finding: &Finding) -> String {
    let kind = if is_order(finding) {
        "order"
    } else {
        "shipment"
    };
    format!("{kind}#{}", finding.id)
}

/// Returns what is wrong with a row, as a sentence, with the members that differ where they are
/// known.
fn says(finding: &Finding, sides: Option<&SidesView>) -> String {
    let version = |version: Option<u64>| version.unwrap_or_default();
    let (there, due) = (version(finding.stored), version(finding.expected));
    let differing = sides.map(|sides| {
        let members = sides.members.iter().filter(|it| it.differs);
        members.map(|it| it.path.as_str()).collect::<Vec<_>>()
    });
    let differs = match differing {
        Some(members) if !members.is_empty() => format!("It differs in {}.", members.join(", ")),
        _ => "The comparison with what it is now says in what.".to_owned(),
    };
    match finding.kind {
        FindingKind::Missing => {
            format!("There is no row, and its events come to one of version {due}.")
        }
        FindingKind::Superfluous => {
            format!("There is a row of version {there}, and no event makes one.")
        }
        FindingKind::Stale => {
            format!("The row is of version {there}, and its events are at {due}.")
        }
        FindingKind::Different if there == due => {
            format!("The row is of the right version, {there}, with other content. {differs}")
        }
        FindingKind::Different => {
            format!("The row is of version {there}, and its events are at {due}. {differs}")
        }
        FindingKind::Unreadable => {
            "Its history cannot be read, so nobody can say what its rows should be.".to_owned()
        }
    }
}

impl FindingView {
    pub(super) fn of(finding: &Finding, differences: &[Difference]) -> Self {
        let sides = differences.iter().find(|it| it.finding == *finding);
        let link = match is_order(finding) {
            true => links::order(&finding.id),
            false => links::shipment(&finding.id),
        };
        let aggregate = aggregate_of(finding);
        let sides = sides.map(|it| SidesView::of(it.stored.as_ref(), it.expected.as_ref()));
        Self {
            says: says(finding, sides.as_ref()),
            wrong: finding.kind,
            table: finding.table.clone(),
            id: finding.id.clone(),
            entry: finding.entry.clone().filter(|entry| !entry.is_empty()),
            link,
            rows: row_link(&aggregate),
            aggregate,
            mended: None,
            sides,
        }
    }
}

/// Returns one page of findings, after the first `skip`.
pub(super) fn shown(summary: &Summary, skip: usize) -> Vec<FindingView> {
    let shown = summary.findings.iter().skip(skip).take(FINDINGS_SHOWN);
    shown
        .map(|it| FindingView::of(it, &summary.differences))
        .collect()
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
