//! The page of an order or shipment at a time before Waybill knew it, and what a shipment's scans
//! say about a time by their own times, whenever they arrived; and the page of a time that is none.

use askama::Template;
use axum::http::StatusCode;
use domain::{
    Timestamp,
    shipment::Status,
    time::{Precision, SentTime},
};

use crate::{
    at::{At, NotATime},
    backend::Failure,
    links,
    rows::Scan,
    view::Page,
};

/// The milliseconds from the beginning to the last millisecond of a day.
const REST_OF_DAY_MS: i64 = 24 * 60 * 60 * 1_000 - 1;

/// What the scans say about one point in time.
pub(super) struct ByScans {
    /// The point in time.
    pub(super) at: At,
    /// Whether it is the end of the day that was asked for.
    pub(super) is_end: bool,
    /// The scan that was current at that time; `None` before the first one.
    pub(super) scan: Option<Scan>,
}

/// Returns what the scans say about the time `at` by their own times. Of a day, it returns the
/// beginning and the end. Empty where `at` is not a time.
pub(super) fn by_scans(scans: &[Scan], at: &str) -> Vec<ByScans> {
    let Ok(sent) = SentTime::parse(at) else {
        return Vec::new();
    };
    let end = Timestamp::from_millis(sent.at.millis() + REST_OF_DAY_MS);
    let end = end.filter(|_| sent.precision == Some(Precision::Day));
    let moments = [(Some(sent.at), false), (end, true)].into_iter();
    let moments = moments.filter_map(|(at, is_end)| Some((at?, is_end)));
    moments
        .map(|(at, is_end)| ByScans {
            at: At(at.to_string()),
            is_end,
            scan: current(scans, at).cloned(),
        })
        .collect()
}

/// Returns the scan that is current at a time: the latest one up to it; of equal times the one with
/// the status further along, then the one that arrived last.
fn current(scans: &[Scan], at: Timestamp) -> Option<&Scan> {
    let timed = scans.iter().filter_map(|scan| {
        let time: Timestamp = scan.timestamp.0.parse().ok()?;
        let progress = Status::read(&scan.status).map_or(0, |status| status.progress());
        (time <= at).then_some(((time, progress, scan.version), scan))
    });
    timed.max_by_key(|(rank, _)| *rank).map(|(_, scan)| scan)
}

#[derive(Template)]
#[template(path = "before.html")]
struct BeforePage<'a> {
    /// `order` or `shipment`.
    kind: &'a str,
    id: &'a str,
    at: &'a str,
    address: &'a str,
    /// The time since which Waybill knows the order or shipment.
    since: &'a At,
    /// The path of the page at that time.
    then: String,
    by_scans: Vec<ByScans>,
}

/// The page of an order or shipment that was asked for at a time that is none.
#[derive(Template)]
#[template(path = "no_time.html")]
struct NoTimePage<'a> {
    /// `order` or `shipment`.
    kind: &'a str,
    id: &'a str,
    address: String,
    label: &'a str,
    typed: &'a str,
    is_day: bool,
    problem: String,
}

/// Returns the page that shows the form again, with what was typed and which forms are read.
pub(super) fn no_time(kind: &str, id: &str, wrong: &NotATime) -> Result<Page, Failure> {
    let (address, label) = match kind {
        "order" => (links::order(id), "As it was at"),
        _ => (links::shipment(id), "What was known at"),
    };
    let page = NoTimePage {
        kind,
        id,
        address,
        label,
        typed: &wrong.typed,
        is_day: wrong.is_day,
        problem: wrong.says(),
    };
    Page::with(StatusCode::BAD_REQUEST, &page)
}

/// Returns the page. `since` is the time of the first commit.
pub(super) fn page(
    kind: &str,
    id: &str,
    at: &str,
    since: &At,
    by_scans: Vec<ByScans>,
) -> Result<Page, Failure> {
    let address = match kind {
        "order" => links::order(id),
        _ => links::shipment(id),
    };
    Page::of(&BeforePage {
        then: links::query(&address, &[("at", Some(since.0.as_str()))]),
        address: &address,
        kind,
        id,
        at,
        since,
        by_scans,
    })
}

#[cfg(test)]
mod tests {
    use domain::json::Object;

    use super::*;

    fn scan(version: u64, timestamp: &str, status: &str) -> Scan {
        Scan {
            timestamp: At(timestamp.to_owned()),
            timestamp_offset: None,
            timestamp_precision: None,
            status: status.to_owned(),
            carrier_status: None,
            carrier_code: None,
            location: String::new(),
            carrier: String::new(),
            event_type: String::new(),
            event_source: String::new(),
            event_id: String::new(),
            processed_at: At(String::new()),
            version,
            attributes: Object::new(),
        }
    }

    #[test]
    fn a_moment_has_the_status_of_the_latest_scan_and_of_ties_the_one_further_along() {
        let noon = "2026-11-22T12:00:00.000Z";
        let scans = [
            scan(1, "2026-11-20T08:00:00.000Z", "PICKED_UP"),
            // Both at noon: the one that came first is further along.
            scan(2, noon, "OUT_FOR_DELIVERY"),
            scan(3, noon, "IN_TRANSIT"),
        ];
        let said = |at: &str| -> Vec<Option<String>> {
            let all = by_scans(&scans, at).into_iter();
            all.map(|it| it.scan.map(|scan| scan.status)).collect()
        };
        let status = |text: &str| Some(text.to_owned());
        assert_eq!(said("2026-11-19T00:00Z"), [None]);
        assert_eq!(said("2026-11-22T11:59:59Z"), [status("PICKED_UP")]);
        assert_eq!(said(noon), [status("OUT_FOR_DELIVERY")]);
        // A day has a beginning and an end.
        let day = [status("PICKED_UP"), status("OUT_FOR_DELIVERY")];
        assert_eq!(said("2026-11-22"), day);
        assert!(said("<b>").is_empty());
    }
}
