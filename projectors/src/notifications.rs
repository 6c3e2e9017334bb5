//! The messages about an event: a function of its commit alone.

use domain::{
    AggregateId, EventSourced, Json, Number, Order, Shipment, Timestamp,
    json::Object,
    money::Currency,
    order,
    shipment::{self, ShipmentStalled, ShipmentUpdated},
};
use event_store::{Commit, commit::UnreadableCommit};
use lambda::trace::TraceParent;

use crate::{
    limits::{MAIL_TEXT_MAX, SUBJECT_MAX},
    ports::{Alert, Announcement},
    shipment_log::UNKNOWN,
};

/// The messages about one commit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Messages {
    /// The messages to the event bus.
    pub announcements: Vec<Announcement>,
    /// The messages to the topic for alerts.
    pub alerts: Vec<Alert>,
}

/// The messages about a commit's events. Fails where an event cannot be decoded.
pub fn messages(commit: &Commit, environment: &str) -> Result<Messages, UnreadableCommit> {
    let mut messages = Messages::default();
    match &commit.aggregate {
        AggregateId::Order(_) => {
            for (event, sequence) in commit.decoded::<Order>()?.iter().zip(commit.sequence..) {
                messages
                    .announcements
                    .push(of_order(event, sequence, commit));
            }
        }
        AggregateId::Shipment(_) => {
            for (event, sequence) in commit.decoded::<Shipment>()?.iter().zip(commit.sequence..) {
                match event {
                    shipment::Event::ShipmentUpdated(update) => {
                        of_update(update, sequence, commit, environment, &mut messages);
                    }
                    shipment::Event::ShipmentStalled(stalled) => {
                        of_stall(stalled, sequence, commit, environment, &mut messages);
                    }
                }
            }
        }
        // Nobody is told of it: the history of erasures is where it is looked up.
        AggregateId::Erasure(_) => {}
    }
    Ok(messages)
}

// ---- Orders

fn of_order(event: &order::Event, sequence: u64, commit: &Commit) -> Announcement {
    let (detail_type, at, previous, about) = match event {
        order::Event::OrderPlaced(placed) => {
            let mut about = about_order(&placed.customer_id, &placed.total_amount, placed.currency);
            let items_amount = placed.items_amount.clone();
            about.insert("itemsAmount".to_owned(), items_amount.into());
            about.extend(placed_at(Some(placed.placed_at())));
            ("Order Created", placed.at, None, about)
        }
        order::Event::OrderProcessed(done) => {
            let mut about = about_order(&done.customer_id, &done.total_amount, done.currency);
            about.extend(placed_at(done.placed_at));
            (
                "Order Processed",
                done.at,
                Some(done.previous_status),
                about,
            )
        }
        order::Event::OrderCancelled(done) => {
            let mut about = about_order(&done.customer_id, &done.total_amount, done.currency);
            about.extend(placed_at(done.placed_at));
            (
                "Order Cancelled",
                done.at,
                Some(done.previous_status),
                about,
            )
        }
    };
    let id = message_id(commit, sequence, detail_type);
    let mut detail = detail(commit, &id, sequence);
    detail.extend(about);
    detail.insert("status".to_owned(), Order::status_of(event).into());
    detail.insert("occurredAt".to_owned(), at.to_string().into());
    if let Some(previous) = previous {
        detail.insert("previousStatus".to_owned(), previous.as_str().into());
    }
    Announcement {
        id,
        source: "waybill.orders",
        detail_type,
        detail: Json::Object(detail),
        at,
        trace: trace(commit),
    }
}

fn about_order(customer_id: &Option<String>, total: &Number, currency: Currency) -> Object {
    let mut about = Object::from([
        ("totalAmount".to_owned(), total.clone().into()),
        ("currency".to_owned(), currency.to_string().into()),
    ]);
    if let Some(id) = customer_id {
        about.insert("customerId".to_owned(), id.clone().into());
    }
    about
}

fn placed_at(at: Option<Timestamp>) -> Option<(String, Json)> {
    Some(("placedAt".to_owned(), at?.to_string().into()))
}

// ---- Shipments

fn of_update(
    update: &ShipmentUpdated,
    sequence: u64,
    commit: &Commit,
    environment: &str,
    messages: &mut Messages,
) {
    let announce = |detail_type: &'static str, more: &[(&str, Json)]| {
        let id = message_id(commit, sequence, detail_type);
        let mut detail = detail(commit, &id, sequence);
        detail.extend(about_shipment(update));
        detail.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        let detail = Json::Object(detail);
        Announcement {
            id,
            source: "waybill.shipments",
            detail_type,
            detail,
            at: update.at,
            trace: trace(commit),
        }
    };
    if update.changed_status() {
        messages
            .announcements
            .push(announce("Shipment Status Changed", &[]));
    }
    if update.status.is_critical() {
        let late = Json::Bool(!update.current);
        messages
            .announcements
            .push(announce("Shipment Alert", &[("late", late)]));
        let id = message_id(commit, sequence, "Shipment Alert");
        messages.alerts.push(alert(update, id, environment));
    }
}

fn of_stall(
    stalled: &ShipmentStalled,
    sequence: u64,
    commit: &Commit,
    environment: &str,
    messages: &mut Messages,
) {
    let detail_type = "Shipment Stalled";
    let id = message_id(commit, sequence, detail_type);
    let mut detail = detail(commit, &id, sequence);
    let text = |text: &Option<String>| text.as_deref().unwrap_or(UNKNOWN).to_owned();
    let (carrier, location) = (text(&stalled.carrier), text(&stalled.location));
    let members = [
        ("status", stalled.status.as_str().to_owned()),
        ("occurredAt", stalled.at.to_string()),
        ("stalledSince", stalled.stalled_since.to_string()),
        ("timestamp", stalled.timestamp.to_string()),
        ("carrier", carrier.clone()),
        ("location", location.clone()),
    ];
    let order_id = stalled.order_id.as_ref();
    let order_id = order_id.map(|id| ("orderId", id.as_str().to_owned()));
    let members = members.into_iter().chain(order_id);
    detail.extend(members.map(|(name, value)| (name.to_owned(), value.into())));
    messages.announcements.push(Announcement {
        id: id.clone(),
        source: "waybill.shipments",
        detail_type,
        detail: Json::Object(detail),
        at: stalled.at,
        trace: trace(commit),
    });
    // A location as one text may hold a recipient's name or street, so the mail leaves it out.
    let carrier = in_one_line(&carrier);
    let ShipmentStalled {
        shipment_id,
        status,
        stalled_since,
        ..
    } = stalled;
    let status = status.as_str();
    let body = format!(
        "Shipment {shipment_id} is {status}, and nothing has been heard of it for longer than is \
         allowed.\n\n\
         Last heard:  {stalled_since}\n\
         Carrier:     {carrier}\n\
         Environment: {environment}\n"
    );
    messages.alerts.push(Alert {
        subject: subject(&format!("Logistics Alert: STALLED - {shipment_id}")),
        body,
        attributes: vec![
            ("id", id.clone()),
            ("status", status.to_owned()),
            ("carrier", carrier),
            ("environment", environment.to_owned()),
        ],
        id,
    });
}

fn about_shipment(update: &ShipmentUpdated) -> Object {
    let mut about = Object::from([
        ("status".to_owned(), update.status.as_str().into()),
        ("occurredAt".to_owned(), update.at.to_string().into()),
        ("timestamp".to_owned(), update.timestamp.to_string().into()),
        (
            "carrier".to_owned(),
            update.carrier.as_deref().unwrap_or(UNKNOWN).into(),
        ),
        (
            "location".to_owned(),
            update.location.as_deref().unwrap_or(UNKNOWN).into(),
        ),
    ]);
    if let Some(previous) = &update.previous_status {
        about.insert("previousStatus".to_owned(), previous.as_str().into());
    }
    if let Some(order_id) = &update.order_id {
        about.insert("orderId".to_owned(), order_id.as_str().into());
    }
    about
}

/// The alert about a critical update.
fn alert(update: &ShipmentUpdated, id: String, environment: &str) -> Alert {
    let carrier = in_one_line(update.carrier.as_deref().unwrap_or(UNKNOWN));
    let location = in_one_line(&place(update));
    let ShipmentUpdated {
        shipment_id,
        status,
        timestamp,
        ..
    } = update;
    let status = status.as_str();
    let late = match update.current {
        true => "",
        false => "\nThis update is late: a later one is known already.\n",
    };
    let body = format!(
        "Shipment {shipment_id} is {status}.\n{late}\n\
         Time:        {timestamp}\n\
         Location:    {location}\n\
         Carrier:     {carrier}\n\
         Environment: {environment}\n"
    );
    Alert {
        subject: subject(&format!("Logistics Alert: {status} - {shipment_id}")),
        body,
        attributes: vec![
            ("id", id.clone()),
            ("status", status.to_owned()),
            ("carrier", carrier),
            ("environment", environment.to_owned()),
        ],
        id,
    }
}

/// A subject that SNS accepts: printable ASCII, limited in length. The body has the whole id.
fn subject(text: &str) -> String {
    let ascii = text.chars().map(|c| match c {
        ' '..='~' => c,
        _ => '?',
    });
    ascii.take(SUBJECT_MAX).collect()
}

/// The location as a mail shows it. A location that was sent as an object may hold a recipient and
/// a street, which the readers do not need: the mail has its city, state and country.
fn place(update: &ShipmentUpdated) -> String {
    let Some(Json::Object(members)) = update.attributes.get("location") else {
        return update.location.as_deref().unwrap_or(UNKNOWN).to_owned();
    };
    let said = |name: &&str| match members.get(*name) {
        Some(Json::String(text)) => Some(text.trim()).filter(|text| !text.is_empty()),
        _ => None,
    };
    let parts = [&["city"][..], &["state", "region"], &["country"]];
    let parts: Vec<&str> = parts
        .iter()
        .filter_map(|names| names.iter().find_map(said))
        .collect();
    match parts.is_empty() {
        true => UNKNOWN.to_owned(),
        false => parts.join(", "),
    }
}

/// A sender's text on one line: without control characters, which SNS refuses, and cut where it is
/// long.
fn in_one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line = text.chars().map(|c| if breaks(c) { ' ' } else { c });
    line.take(MAIL_TEXT_MAX).collect()
}

// ---- Orders and shipments

/// The id of a message, the same each time it is sent: `<aggregate>/<sequence>/<detail-type>`.
fn message_id(commit: &Commit, sequence: u64, detail_type: &str) -> String {
    format!("{}/{sequence}/{detail_type}", commit.aggregate)
}

/// The sequence of the event and the detail-type in a message's id; `None` of any other text.
pub fn event_of(message_id: &str) -> Option<(u64, &str)> {
    let mut parts = message_id.rsplitn(3, '/');
    let (detail_type, sequence) = (parts.next()?, parts.next()?);
    Some((sequence.parse().ok()?, detail_type))
}

/// The trace of the commit's command.
fn trace(commit: &Commit) -> Option<TraceParent> {
    commit
        .cause
        .traceparent
        .as_deref()
        .and_then(TraceParent::parse)
}

/// The members of a detail that every announcement has.
fn detail(commit: &Commit, id: &str, sequence: u64) -> Object {
    let (id_name, aggregate_id) = match &commit.aggregate {
        AggregateId::Order(id) => ("orderId", id.to_string()),
        AggregateId::Shipment(id) => ("shipmentId", id.to_string()),
        AggregateId::Erasure(owner) => ("owner", owner.to_string()),
    };
    let mut detail = Object::from([
        ("id".to_owned(), id.into()),
        (id_name.to_owned(), aggregate_id.into()),
        ("version".to_owned(), sequence.into()),
        (
            "correlationId".to_owned(),
            commit.cause.correlation_id.clone().into(),
        ),
    ]);
    if let Some(traceparent) = &commit.cause.traceparent {
        detail.insert("traceparent".to_owned(), traceparent.clone().into());
    }
    detail
}
