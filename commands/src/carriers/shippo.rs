//! Shippo: updates of tracks. What is known of it, and from where: `README.md` beside this file.

use domain::Timestamp;
use serde_json::Value;

use super::{
    codes::{AS_STATUS, Codes},
    scan::{Parcel, Scan, Unreadable, Webhook, array, code, location, owned, text},
    signature::{SignatureError, WebhookRequest, check_hmac, check_time, from_hex},
};

/// Is it signed with one of the secrets, now? `t=<seconds>,v1=<hex>`, over seconds, a dot and body.
pub fn verify(
    signed: &WebhookRequest<'_>,
    secrets: &[String],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let header = signed.header("shippo-auth-signature")?;
    let mut parts = header.split(',').map(|part| part.trim().split_once('='));
    // In this order, and no third one: a header that came twice is joined by a comma.
    let parts = [parts.next(), parts.next(), parts.next()];
    let [Some(Some(("t", time))), Some(Some(("v1", mac))), None] = parts else {
        return Err(SignatureError::Malformed);
    };
    let secrets = secrets.iter().map(String::as_bytes);
    check_hmac(
        secrets,
        &[time.as_bytes(), b".", signed.body],
        &from_hex(mac)?,
    )?;
    let time = time.parse().map_err(|_| SignatureError::Malformed)?;
    check_time(time, now)
}

/// The history of a track.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let about = text(event, "event").ok_or(Unreadable("an event without a name"))?;
    // The portal's button sends an example of a track, and says that it is a test.
    if about != "track_updated" || event.get("test") == Some(&Value::Bool(true)) {
        return Ok(Webhook::Nothing);
    }
    let track = event.get("data").unwrap_or(&Value::Null);
    let number = owned(track, "tracking_number");
    let number = number.ok_or(Unreadable("a track without a number"))?;
    let carrier = owned(track, "carrier");
    let latest = track
        .get("tracking_status")
        .filter(|latest| latest.is_object());
    let history = array(track, "tracking_history")?;
    // The history has the latest one, too; a track without history has that alone.
    let scans = history.iter().chain(latest.filter(|_| history.is_empty()));
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: owned(track, "metadata"),
        scans: scans.map(|status| scan(status, carrier.clone())).collect(),
    }))
}

fn scan(scan: &Value, carrier: Option<String>) -> Scan {
    let status = text(scan, "status");
    let detail = scan
        .get("substatus")
        .and_then(|detail| text(detail, "code"));
    let at = scan.get("location").unwrap_or(&Value::Null);
    Scan {
        meaning: CODES.read(status, detail),
        status: code(status, detail),
        carrier_code: None,
        carrier,
        time: owned(scan, "status_date"),
        location: location(at, &LOCATION_MEMBERS),
        text: owned(scan, "status_details"),
    }
}

const LOCATION_MEMBERS: [(&str, &str); 4] = [
    ("city", "city"),
    ("state", "state"),
    ("zip", "zip"),
    ("country", "country"),
];

/// Statuses and substatuses by <https://docs.goshippo.com/docs/tracking/tracking/> (*Event
/// definitions*).
pub const CODES: Codes = Codes {
    statuses: &[
        ("UNKNOWN", "IN_TRANSIT"),
        ("PRE_TRANSIT", "CREATED"),
        ("TRANSIT", "IN_TRANSIT"),
        ("DELIVERED", "DELIVERED"),
        // On its way back, or back: the page says both, and the way back may still be watched.
        ("RETURNED", "RETURNING"),
        ("FAILURE", "EXCEPTION"),
    ],
    details: &[
        ("information_received", AS_STATUS),
        ("address_issue", AS_STATUS),
        ("contact_carrier", AS_STATUS),
        ("delayed", "DELAYED"),
        ("delivery_attempted", "DELIVERY_ATTEMPTED"),
        ("delivery_rescheduled", AS_STATUS),
        ("delivery_scheduled", AS_STATUS),
        ("location_inaccessible", "DELIVERY_ATTEMPTED"),
        ("notice_left", "DELIVERY_ATTEMPTED"),
        ("out_for_delivery", "OUT_FOR_DELIVERY"),
        ("package_accepted", "PICKED_UP"),
        ("package_arrived", AS_STATUS),
        ("package_damaged", "DAMAGED"),
        ("package_departed", AS_STATUS),
        ("package_forwarded", AS_STATUS),
        ("package_held", AS_STATUS),
        ("package_processed", AS_STATUS),
        ("package_processing", AS_STATUS),
        ("pickup_available", "READY_FOR_PICKUP"),
        ("reschedule_delivery", "DELIVERY_ATTEMPTED"),
        ("delivered", AS_STATUS),
        ("return_to_sender", "RETURNING"),
        ("package_unclaimed", "RETURNING"),
        ("package_undeliverable", "EXCEPTION"),
        ("package_disposed", "LOST"),
        ("package_lost", "LOST"),
        ("other", AS_STATUS),
    ],
};
