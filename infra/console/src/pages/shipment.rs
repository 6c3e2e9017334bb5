//! The page of a shipment: its state, its scans in order of their own times, and its state after
//! any of them.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Path, Query},
    response::Response,
    routing::{get, post},
};
use domain::json::Object;
use serde::Deserialize;

use super::shipments::STATUSES;
use super::{
    before::{self, ByScans, by_scans},
    finding::row_link,
    messages::{EventView, MessagesByEvent, messages_by_event, messages_link},
    parked_view::{self, ParkedView},
};
use crate::{
    About, Console,
    at::{self, At},
    backend::{Api, Failure},
    change::{Change, Field, Form, FormValues},
    diff::{self, Difference},
    limits::SCANS_MAX,
    links,
    live::{self, ChangeNotice},
    rows::{List, Scan, Shipment, texts},
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/shipments/{id}", get(show))
        .route("/shipments/{id}/updates", post(update))
        .route("/live/shipment/{id}", get(live_update))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// The time at which the shipment is shown.
    at: Option<String>,
    /// The day at whose end it is asked for, such as `2026-03-01`; in place of `at`.
    day: Option<String>,
    /// The sequence of the event after which the shipment is shown.
    after: Option<u64>,
    stored: Option<u64>,
    seen: Option<u64>,
}

/// A scan as a stop on the line of the page.
struct Stop {
    scan: Scan,
    /// Whether a scan with a later time had arrived before it.
    late: bool,
    /// Whether another scan has the same time.
    tied: bool,
    /// Whether the state of the shipment comes from this scan.
    current: bool,
    more: Vec<(String, String)>,
    link: String,
    /// The messages that its event makes; `None` where they could not be read soon enough.
    made: Option<EventView>,
}

#[derive(Template)]
#[template(path = "shipment.html")]
struct ShipmentPage<'a> {
    about: &'a About,
    shipment: &'a Shipment,
    at: Option<&'a str>,
    /// What the scans that are known now say about that time.
    by_scans: Vec<ByScans>,
    after: Option<u64>,
    stored: bool,
    /// What the event `after` changed in the row.
    changed: Option<Vec<Difference>>,
    stops: Vec<Stop>,
    /// The number of scans that came after the event `after`. They are not among the stops.
    later: usize,
    /// The messages of events that are not scans: sequence, kind and messages.
    others: Vec<(u64, String, EventView)>,
    /// Whether there are scans that this page does not show.
    more: bool,
    address: String,
    order: Option<String>,
    live: String,
    command: String,
    update: Option<Form>,
    last: u64,
    shown_after: u64,
    parked: Vec<ParkedView>,
    messages: String,
    rows: String,
}

async fn show(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let title = format!("Shipment {id}");
    let head = Head::new(Nav::Shipments, title, format!("the shipment {id}"));
    let (api, about) = (view.console.api().clone(), view.console.about().clone());
    let form = update_form(&id, &view);
    let console = view.console.clone();
    view.show(head, async move {
        let named = format!("shipment#{id}");
        let day = asked.day.clone().filter(|day| !day.is_empty());
        let at = match at::asked(asked.at.as_deref(), day.as_deref()) {
            Ok(at) => at,
            Err(wrong) => return before::no_time("shipment", &id, &wrong),
        };
        let parked = parked_view::parked_of(&console, &named);
        let messages = async {
            let id = named.parse().ok()?;
            messages_by_event(&console, &id).await
        };
        let address = links::shipment(&id);
        let known = scans(&api, &address, at.as_deref()).await;
        let of_now = match &at {
            // The scans that are known now, because they may say something about that time.
            Some(_) => scans(&api, &address, None).await?.0,
            None => Vec::new(),
        };
        let of_time = day.as_deref().or(at.as_deref());
        let by_scans = by_scans(&of_now, of_time.unwrap_or_default());
        let first = of_now.iter().map(|scan| &scan.processed_at).min();
        let (scans, more) = match (known, &at, first) {
            (Err(Failure::NotFound(_)), Some(at), Some(first)) => {
                let at = at::in_words(day.as_deref(), at);
                return before::page("shipment", &id, &at, first, by_scans);
            }
            (known, ..) => known?,
        };
        let last = scans.iter().map(|scan| scan.version).max().unwrap_or(0);
        let after = asked.after.map(|after| after.clamp(1, last.max(1)));
        let (scans, later) = known_by(scans, after);
        let now = at.is_none() && after.is_none();
        let then = after.and_then(|after| committed(&scans, after));
        let row = [("at", then.or(at.as_deref()))];
        let shipment: Shipment = api.get(&links::query(&address, &row)).await?;
        let changed = match after {
            Some(after) => changed(&api, &address, &scans, after).await?,
            None => None,
        };
        let mut marked = stops(scans, &shipment, &address);
        let mut messages = messages.await;
        if let Some(made) = &mut messages {
            for stop in &mut marked {
                stop.made = Some(made.take(stop.scan.version));
            }
        }
        // Messages of later events do not belong to an earlier state.
        let shown = |made: &Option<MessagesByEvent>| made.is_some() && now && !more;
        let messages = Some(messages).filter(shown).flatten();
        let version = shipment.version.to_string();
        let aggregate = links::quoted(&format!("shipment/{id}"));
        Page::of(&ShipmentPage {
            stored: asked.stored == Some(shipment.version),
            changed,
            stops: marked,
            later,
            others: messages.map_or(Vec::new(), MessagesByEvent::others),
            more,
            order: shipment.order_id.as_deref().map(links::order),
            live: links::query(
                &format!("/live/shipment/{}", links::encoded(&id)),
                &[("seen", Some(version.as_str()))],
            ),
            command: format!("waybill history {aggregate} {}", about.flags),
            update: (now && about.may_change()).then_some(form),
            about: &about,
            shipment: &shipment,
            at: at.as_deref(),
            by_scans,
            after,
            address,
            last,
            shown_after: after.unwrap_or(last),
            parked: parked.await,
            messages: messages_link(&named),
            rows: row_link(&named),
        })
    })
    .await
}

/// Reads the scans, in order of their own times, and whether there are more.
async fn scans(api: &Api, address: &str, at: Option<&str>) -> Result<(Vec<Scan>, bool), Failure> {
    let (mut scans, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = [("at", at), ("cursor", cursor.as_deref())];
        let path = links::query(&format!("{address}/log?limit=100"), &page);
        let found: List<Scan> = api.get(&path).await?;
        scans.extend(found.items);
        cursor = found.cursor;
        if cursor.is_none() || scans.len() >= SCANS_MAX {
            return Ok((scans, cursor.is_some()));
        }
    }
}

/// Returns the scans that were known once the event `after` was stored, and how many came later.
fn known_by(scans: Vec<Scan>, after: Option<u64>) -> (Vec<Scan>, usize) {
    let number = scans.len();
    let is_known = |scan: &Scan| after.is_none_or(|after| scan.version <= after);
    let known: Vec<Scan> = scans.into_iter().filter(is_known).collect();
    let later = number - known.len();
    (known, later)
}

/// Returns when the scan of this version, or the latest one before it, was committed.
fn committed(scans: &[Scan], version: u64) -> Option<&str> {
    let by_then = scans.iter().filter(|scan| scan.version <= version);
    let scan = by_then.max_by_key(|scan| scan.version)?;
    Some(&scan.processed_at.0)
}

/// Reads what the event of this version changed in the row.
async fn changed(
    api: &Api,
    address: &str,
    scans: &[Scan],
    version: u64,
) -> Result<Option<Vec<Difference>>, Failure> {
    let row = |at: Option<String>| async move {
        let Some(at) = at else {
            return Ok(None);
        };
        let path = links::query(address, &[("at", Some(at.as_str()))]);
        api.find::<Object>(&path).await
    };
    let at = |version: u64| committed(scans, version).map(str::to_owned);
    let (before, after) = futures::join!(row(at(version.saturating_sub(1))), row(at(version)));
    let (before, after) = (before?, after?);
    Ok(before
        .zip(after)
        .map(|(before, after)| diff::between(&before, &after)))
}

/// Returns the scans as stops, each marked with what is special about it.
fn stops(scans: Vec<Scan>, shipment: &Shipment, address: &str) -> Vec<Stop> {
    let mut at_this_time: BTreeMap<String, usize> = BTreeMap::new();
    for scan in &scans {
        *at_this_time.entry(scan.timestamp.0.clone()).or_default() += 1;
    }
    let late = late(&scans);
    let current = scans
        .iter()
        .filter(|scan| scan.timestamp == shipment.timestamp && scan.status == shipment.status)
        .map(|scan| scan.version)
        .filter(|version| *version <= shipment.version)
        .max();
    let stop = |scan: Scan| Stop {
        late: late.contains(&scan.version),
        tied: at_this_time[&scan.timestamp.0] > 1,
        current: current == Some(scan.version),
        more: texts(&scan.attributes).into_iter().collect(),
        link: format!("{address}?after={}", scan.version),
        made: None,
        scan,
    };
    scans.into_iter().map(stop).collect()
}

/// Returns the versions of the scans that arrived after one with a later time.
fn late(scans: &[Scan]) -> Vec<u64> {
    let mut by_arrival: Vec<&Scan> = scans.iter().collect();
    by_arrival.sort_by_key(|scan| scan.version);
    let mut latest: Option<&At> = None;
    let mut late = Vec::new();
    for scan in by_arrival {
        match latest {
            Some(time) if scan.timestamp < *time => late.push(scan.version),
            _ => latest = Some(&scan.timestamp),
        }
    }
    late
}

async fn live_update(view: View, Path(id): Path<String>, Query(asked): Query<Params>) -> Response {
    let address = links::shipment(&id);
    let seen = asked.seen.unwrap_or(0);
    live::watch(&view.console, address.clone(), move |now: Shipment| {
        (now.version != seen).then(|| ChangeNotice {
            message: format!("There is a new update: the shipment is {} now.", now.status),
            address: address.clone(),
        })
    })
}

fn update_form(id: &str, view: &View) -> Form {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    Form {
        fields: vec![
            Field {
                required: true,
                options: &STATUSES,
                ..field(
                    "status",
                    "Status",
                    "In any spelling: in transit, IN_TRANSIT",
                )
            },
            field("location", "Location", "Memphis, TN"),
            field("carrier", "Carrier", "As before, where it is empty"),
            field(
                "timestamp",
                "Time",
                "2026-03-01T10:30:00+02:00; now, where it is empty",
            ),
        ],
        ..Form::new(
            format!("{}/updates", links::shipment(id)),
            "Log the update",
            view,
        )
    }
}

async fn update(view: View, Path(id): Path<String>, Posted(sent): Posted<FormValues>) -> Response {
    let back = links::shipment(&id);
    let change = Change {
        nav: Nav::Shipments,
        title: format!("Log an update of shipment {id}"),
        effect: format!(
            "an update is logged for shipment {id}. An update is never removed; another one \
             corrects it."
        ),
        form: update_form(&id, &view).filled(&sent),
        action: "update",
        command: format!("{back}/updates"),
        back,
        history: None,
    };
    change.make(view, &sent).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
            processed_at: At(format!("committed {version}")),
            version,
            attributes: Object::new(),
        }
    }

    fn shipment(version: u64, timestamp: &str, status: &str) -> Shipment {
        Shipment {
            shipment_id: "S".to_owned(),
            status: status.to_owned(),
            timestamp: At(timestamp.to_owned()),
            location: String::new(),
            carrier: String::new(),
            tracking_number: None,
            order_id: None,
            version,
            updates: version,
            stalled_since: None,
        }
    }

    #[test]
    fn late_scans_ties_and_the_current_one_are_marked() {
        // In order of their own times; 3 came last, and 4 at the same time as 2.
        let scans = vec![
            scan(1, "T1", "CREATED"),
            scan(3, "T2", "PICKED_UP"),
            scan(2, "T3", "IN_TRANSIT"),
            scan(4, "T3", "OUT_FOR_DELIVERY"),
        ];
        let stops = stops(
            scans,
            &shipment(4, "T3", "OUT_FOR_DELIVERY"),
            "/shipments/S",
        );
        let told: Vec<_> = stops
            .iter()
            .map(|stop| (stop.scan.version, stop.late, stop.tied, stop.current))
            .collect();
        assert_eq!(
            told,
            [
                (1, false, false, false),
                (3, true, false, false),
                (2, false, true, false),
                (4, false, true, true),
            ]
        );
        assert_eq!(stops[1].link, "/shipments/S?after=3");
    }

    #[test]
    fn what_came_later_was_not_known() {
        let scans = || {
            vec![
                scan(3, "T1", "CREATED"),
                scan(1, "T2", "PICKED_UP"),
                scan(2, "T3", "DELIVERED"),
            ]
        };
        let known = |after| {
            let (known, later) = known_by(scans(), after);
            let versions: Vec<u64> = known.iter().map(|scan| scan.version).collect();
            (versions, later)
        };
        assert_eq!(known(Some(2)), (vec![1, 2], 1));
        assert_eq!(known(Some(1)), (vec![1], 2));
        assert_eq!(known(None), (vec![3, 1, 2], 0));
    }

    #[test]
    fn an_event_that_logged_nothing_is_as_the_one_before_it() {
        let scans = [scan(1, "T1", "CREATED"), scan(3, "T2", "DELIVERED")];
        assert_eq!(committed(&scans, 2), Some("committed 1"));
        assert_eq!(committed(&scans, 3), Some("committed 3"));
        assert_eq!(committed(&scans, 0), None);
    }
}
