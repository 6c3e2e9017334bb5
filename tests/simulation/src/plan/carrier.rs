//! Carriers' webhooks. Each brings all scans of a parcel up to some moment, and is signed by the
//! carrier or forged.
//!
//! The list of a parcel grows with time, but the webhooks are drawn in any order. So a client sends
//! a shorter list after a longer one, two clients send overlapping lists at the same time, and a
//! webhook whose processing was interrupted is sent again.

use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{MARKER, Way};
use crate::{core::Core, defects::Defect, plan::PlannedRequest, world::post};

/// The secret with which the provider signs.
pub const SECRET: &str = "the provider's secret";

/// The secret with which a forged webhook is signed.
const WRONG_SECRET: &str = "somebody's guess";

/// The scans of every parcel: status, detail, and minutes after 10:00.
const SCANS: [(&str, &str, u32); 6] = [
    ("pre_transit", "label_created", 0),
    ("in_transit", "arrived_at_facility", 2),
    ("in_transit", "departed_facility", 2),
    ("out_for_delivery", "out_for_delivery", 5),
    ("failure", "delivery_exception", 6),
    ("in_transit", "arrived_at_facility", 70),
];

/// One of this many webhooks is forged, on average.
const FORGED_ONE_IN: usize = 8;

/// Draws a webhook of one of the parcels S1 and S2.
pub fn draw(core: &Core, key: String) -> PlannedRequest {
    let parcel = format!("S{}", 1 + core.choose(2));
    let scans = 1 + core.choose(SCANS.len());
    let newest_first = core.choose(2) == 0;
    let forged = core.choose(FORGED_ONE_IN) == 0;
    let key = if forged {
        format!("{FORGED}{key}")
    } else {
        key
    };
    let mut planned = webhook(&parcel, scans, newest_first, key);
    if forged {
        // The texts of its scans are unique, so that the checks recognise one in a history.
        for (number, scan) in list(&mut planned.body).iter_mut().enumerate() {
            scan["message"] = format!("{MARKER} forged {number}").into();
        }
    }
    planned
}

/// Returns a webhook with the first `scans` scans of a parcel.
pub fn webhook(parcel: &str, scans: usize, newest_first: bool, key: String) -> PlannedRequest {
    let scan = |(number, (status, detail, minute)): (usize, &(&str, &str, u32))| {
        let (hour, minute) = (10 + minute / 60, minute % 60);
        json!({
            "object": "TrackingDetail", "status": status, "status_detail": detail,
            "datetime": format!("2024-01-15T{hour}:{minute:02}:00Z"),
            "message": format!("{MARKER} scan {number}"),
        })
    };
    let mut scans: Vec<Value> = SCANS.iter().take(scans).enumerate().map(scan).collect();
    if newest_first {
        scans.reverse();
    }
    PlannedRequest {
        way: Way::Carrier,
        aggregate: format!("shipment#{parcel}"),
        path: "/carriers/easypost".to_owned(),
        body: json!({
            "object": "Event", "description": "tracker.updated",
            "result": {
                "object": "Tracker", "tracking_code": parcel, "carrier": "UPS",
                "tracking_details": scans,
            },
        }),
        key,
    }
}

/// The prefix of a forged webhook's key.
const FORGED: &str = "forged-";

/// Returns whether a webhook is signed with the wrong secret.
pub fn is_forged(planned: &PlannedRequest) -> bool {
    planned.key.starts_with(FORGED)
}

/// Returns the texts of a webhook's scans. Each text is unique within its parcel.
pub fn scans(body: &Value) -> Vec<String> {
    let scans = body["result"]["tracking_details"].as_array();
    let text = |scan: &Value| scan["message"].as_str().map(str::to_owned);
    scans.into_iter().flatten().filter_map(text).collect()
}

fn list(body: &mut Value) -> &mut Vec<Value> {
    body["result"]["tracking_details"].as_array_mut().unwrap()
}

/// Returns whether this answer says that every scan of a webhook is in the shipment's history.
pub fn is_logged(status: u16, body: &str) -> bool {
    status == 200 && !is_kept(body) && !body.contains(r#""refused""#)
}

/// Returns whether an answer says that the webhook was put among the dead letters.
pub fn is_kept(body: &str) -> bool {
    body.contains(r#""Kept, since it cannot be read""#)
}

/// Returns the signed HTTP request that delivers a webhook.
pub fn request(planned: &PlannedRequest, defect: Option<Defect>) -> Value {
    let mut body = planned.body.clone();
    if defect == Some(Defect::LatestScanOnly) {
        let scans = list(&mut body);
        let latest = scans.iter().max_by_key(|scan| scan["datetime"].to_string());
        *scans = latest.cloned().into_iter().collect();
    }
    let trusted = defect == Some(Defect::TrustedBlindly) || !is_forged(planned);
    let secret = if trusted { SECRET } else { WRONG_SECRET };
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mac = hex::encode(mac.finalize().into_bytes());
    let headers = json!({ "x-hmac-signature": format!("hmac-sha256-hex={mac}") });
    post(&planned.path, headers, &body)
}
