//! EasyPost: events about trackers. What is known of it, and from where: `README.md` beside this
//! file.

use chrono::DateTime;
use domain::Timestamp;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::{
    codes::{AS_STATUS, Codes},
    scan::{Parcel, Scan, Unreadable, Webhook, array, code, location, owned, text},
    signature::{SignatureError, WebhookRequest, check_hmac, check_time, from_hex},
};

/// Is it signed with one of the secrets?
///
/// The second scheme signs time, method and path too; where its signature is right, its time
/// counts. Where it is not right the first one decides: no client library of EasyPost's own says
/// what exactly the second one signs.
pub fn verify(
    signed: &WebhookRequest<'_>,
    secrets: &[String],
    now: Timestamp,
) -> Result<(), SignatureError> {
    // As the client libraries do: a secret may be typed in another form than it was sent in.
    let secrets: Vec<String> = secrets
        .iter()
        .map(|secret| secret.nfkd().collect())
        .collect();
    let secrets = || secrets.iter().map(String::as_bytes);
    if let Some(time) = second_scheme(signed, secrets()) {
        let time = DateTime::parse_from_rfc2822(time).map_err(|_| SignatureError::Malformed)?;
        return check_time(time.timestamp(), now);
    }
    let mac = signed.header("x-hmac-signature")?;
    check_hmac(secrets(), &[signed.body], &digits(mac)?)
}

/// The time that it is signed with, where it is signed by the second scheme: time, method, path and
/// body, one behind another.
fn second_scheme<'s, 'k>(
    signed: &'s WebhookRequest<'_>,
    secrets: impl Iterator<Item = &'k [u8]>,
) -> Option<&'s str> {
    let header = |name| signed.header(name).ok();
    let mac = digits(header("x-hmac-signature-v2")?).ok()?;
    let (time, path) = (header("x-timestamp")?, header("x-path")?);
    let parts = [
        time.as_bytes(),
        signed.method.as_bytes(),
        path.as_bytes(),
        signed.body,
    ];
    check_hmac(secrets, &parts, &mac).is_ok().then_some(time)
}

fn digits(mac: &str) -> Result<Vec<u8>, SignatureError> {
    from_hex(mac.strip_prefix("hmac-sha256-hex=").unwrap_or(mac))
}

/// The scans of a tracker.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let tracker = event.get("result").unwrap_or(&Value::Null);
    let about = text(event, "description").ok_or(Unreadable("an event without a description"))?;
    if !about.starts_with("tracker.") || text(tracker, "object") != Some("Tracker") {
        return Ok(Webhook::Nothing);
    }
    let number = owned(tracker, "tracking_code");
    let number = number.ok_or(Unreadable("a tracker without a tracking code"))?;
    let carrier = owned(tracker, "carrier");
    let scan = |detail: &Value| scan(detail, carrier.clone());
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: owned(tracker, "shipment_id"),
        scans: array(tracker, "tracking_details")?
            .iter()
            .map(scan)
            .collect(),
    }))
}

fn scan(scan: &Value, carrier: Option<String>) -> Scan {
    let (status, detail) = (text(scan, "status"), text(scan, "status_detail"));
    let where_it_was = scan.get("tracking_location").unwrap_or(&Value::Null);
    Scan {
        meaning: CODES.read(status, detail),
        status: code(status, detail),
        carrier_code: owned(scan, "carrier_code"),
        carrier,
        time: owned(scan, "datetime"),
        location: location(where_it_was, &LOCATION_MEMBERS),
        text: owned(scan, "message"),
    }
}

const LOCATION_MEMBERS: [(&str, &str); 4] = [
    ("city", "city"),
    ("state", "state"),
    ("zip", "zip"),
    ("country", "country"),
];

/// Statuses and their details, by <https://docs.easypost.com/docs/trackers> (*Tracker Object*,
/// `status` and `status_detail`).
pub const CODES: Codes = Codes {
    statuses: &[
        ("unknown", "IN_TRANSIT"),
        ("pre_transit", "CREATED"),
        ("in_transit", "IN_TRANSIT"),
        ("out_for_delivery", "OUT_FOR_DELIVERY"),
        ("delivered", "DELIVERED"),
        ("available_for_pickup", "READY_FOR_PICKUP"),
        ("return_to_sender", "RETURNING"),
        ("failure", "EXCEPTION"),
        ("cancelled", "CANCELLED"),
        ("error", "EXCEPTION"),
    ],
    details: &[
        ("address_correction", AS_STATUS),
        ("arrived_at_destination", AS_STATUS),
        ("arrived_at_facility", AS_STATUS),
        ("arrived_at_pickup_location", AS_STATUS),
        ("awaiting_information", AS_STATUS),
        ("cancelled", AS_STATUS),
        ("damaged", "DAMAGED"),
        ("delayed", "DELAYED"),
        ("delivery_exception", "EXCEPTION"),
        ("departed_facility", AS_STATUS),
        ("departed_origin_facility", AS_STATUS),
        ("expired", AS_STATUS),
        ("failure", AS_STATUS),
        ("held", AS_STATUS),
        ("in_transit", AS_STATUS),
        ("label_created", AS_STATUS),
        ("lost", "LOST"),
        ("missorted", "DELAYED"),
        ("out_for_delivery", AS_STATUS),
        ("received_at_destination_facility", AS_STATUS),
        ("received_at_origin_facility", AS_STATUS),
        ("refused", "EXCEPTION"),
        ("return", "RETURNING"),
        ("status_update", AS_STATUS),
        ("transferred_to_destination_carrier", AS_STATUS),
        ("transit_exception", "EXCEPTION"),
        ("unknown", AS_STATUS),
        ("weather_delay", "DELAYED"),
    ],
};
