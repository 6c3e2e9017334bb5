//! AfterShip Tracking: updates of trackings. What is known of it, and from where: `README.md`
//! beside this file.

use domain::Json;
use serde_json::Value;

use super::{
    codes::{AS_STATUS, Codes},
    scan::{NO_CODE, Parcel, Scan, Unreadable, Webhook, array, location, owned, text},
    signature::{SignatureError, WebhookRequest, check_hmac, from_base64},
};

/// Is it signed with one of the secrets? AfterShip signs no time.
pub fn verify(signed: &WebhookRequest<'_>, secrets: &[String]) -> Result<(), SignatureError> {
    let mac = from_base64(signed.header("aftership-hmac-sha256")?)?;
    check_hmac(secrets.iter().map(String::as_bytes), &[signed.body], &mac)
}

/// The checkpoints of a tracking.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let about = text(event, "event").ok_or(Unreadable("an event without a name"))?;
    if about != "tracking_update" {
        return Ok(Webhook::Nothing);
    }
    let tracking = event.get("msg").unwrap_or(&Value::Null);
    let number = owned(tracking, "tracking_number");
    let number = number.ok_or(Unreadable("a tracking without a number"))?;
    let slug = owned(tracking, "slug");
    let scan = |checkpoint: &Value| scan(checkpoint, slug.clone());
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: owned(tracking, "order_number").or_else(|| owned(tracking, "order_id")),
        scans: array(tracking, "checkpoints")?.iter().map(scan).collect(),
    }))
}

fn scan(checkpoint: &Value, slug: Option<String>) -> Scan {
    let (tag, subtag) = (text(checkpoint, "tag"), text(checkpoint, "subtag"));
    let at = owned(checkpoint, "location").map(Json::String);
    Scan {
        meaning: CODES.read(tag, subtag),
        // A subtag has its tag in its name.
        status: subtag.or(tag).unwrap_or(NO_CODE).to_owned(),
        carrier_code: owned(checkpoint, "raw_tag"),
        carrier: owned(checkpoint, "slug").or(slug),
        time: owned(checkpoint, "checkpoint_time"),
        location: location(checkpoint, &LOCATION_MEMBERS).or(at),
        text: owned(checkpoint, "message"),
    }
}

/// The earlier names first: of two names for one thing the later one in the list counts.
const LOCATION_MEMBERS: [(&str, &str); 8] = [
    ("city", "city"),
    ("state", "state"),
    ("zip", "zip"),
    ("zip", "postal_code"),
    ("country", "country_name"),
    ("country", "country_iso3"),
    ("country", "country_region_name"),
    ("country", "country_region"),
];

/// Tags by <https://www.aftership.com/docs/tracking/2025-01/enum/delivery-statuses>, subtags by
/// <https://www.aftership.com/docs/tracking/2026-07/enum/delivery-sub-statuses>.
pub const CODES: Codes = Codes {
    statuses: &[
        ("Pending", "CREATED"),
        ("InfoReceived", "CREATED"),
        ("InTransit", "IN_TRANSIT"),
        ("OutForDelivery", "OUT_FOR_DELIVERY"),
        ("AttemptFail", "DELIVERY_ATTEMPTED"),
        ("Delivered", "DELIVERED"),
        ("AvailableForPickup", "READY_FOR_PICKUP"),
        ("Exception", "EXCEPTION"),
        // Nothing was heard of it for thirty days: that is no news of the parcel.
        ("Expired", "IN_TRANSIT"),
    ],
    details: &[
        ("Pending_001", AS_STATUS),
        ("Pending_002", AS_STATUS),
        ("Pending_003", AS_STATUS),
        ("Pending_004", AS_STATUS),
        ("Pending_005", AS_STATUS),
        ("Pending_006", AS_STATUS),
        ("InfoReceived_001", AS_STATUS),
        ("InTransit_001", AS_STATUS),
        ("InTransit_002", "PICKED_UP"),
        ("InTransit_003", AS_STATUS),
        ("InTransit_004", AS_STATUS),
        ("InTransit_005", AS_STATUS),
        ("InTransit_006", AS_STATUS),
        ("InTransit_007", AS_STATUS),
        ("InTransit_008", AS_STATUS),
        ("InTransit_009", AS_STATUS),
        ("OutForDelivery_001", AS_STATUS),
        ("OutForDelivery_003", AS_STATUS),
        ("OutForDelivery_004", AS_STATUS),
        ("AttemptFail_001", AS_STATUS),
        ("AttemptFail_002", AS_STATUS),
        ("AttemptFail_003", AS_STATUS),
        ("Delivered_001", AS_STATUS),
        ("Delivered_002", AS_STATUS),
        ("Delivered_003", AS_STATUS),
        ("Delivered_004", AS_STATUS),
        ("Delivered_005", AS_STATUS),
        ("AvailableForPickup_001", AS_STATUS),
        ("Exception_001", AS_STATUS),
        ("Exception_002", AS_STATUS),
        ("Exception_003", AS_STATUS),
        ("Exception_004", "DELAYED"),
        ("Exception_005", "DELAYED"),
        ("Exception_006", AS_STATUS),
        ("Exception_007", AS_STATUS),
        ("Exception_008", AS_STATUS),
        ("Exception_009", AS_STATUS),
        ("Exception_010", "RETURNING"),
        ("Exception_011", "RETURNED"),
        ("Exception_012", "DAMAGED"),
        ("Exception_013", "LOST"),
        ("Exception_016", "DELAYED"),
        ("Exception_017", "DELAYED"),
        ("Exception_018", AS_STATUS),
        ("Expired_001", AS_STATUS),
    ],
};
