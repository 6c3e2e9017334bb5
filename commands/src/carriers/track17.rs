//! 17TRACK: pushes of tracking information (API 2.2 and later). What is known of it, and from
//! where: `README.md` beside this file.

use domain::Json;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    codes::{AS_STATUS, Codes},
    scan::{
        NO_CODE, Parcel, Scan, Unreadable, Webhook, array, location, owned, text, text_or_number,
    },
    signature::{SignatureError, WebhookRequest, from_hex, valid_if},
};

/// Is it signed with one of the keys? The SHA-256 of body, `/` and key: the key stands behind the
/// body, so that nobody without it can go on where a signature ends.
pub fn verify(signed: &WebhookRequest<'_>, keys: &[String]) -> Result<(), SignatureError> {
    let sign = from_hex(signed.header("sign")?)?;
    let is_of = |key: &String| {
        let hash = Sha256::new().chain_update(signed.body).chain_update("/");
        hash.chain_update(key).finalize().ct_eq(&sign)
    };
    let none = Choice::from(0);
    valid_if(
        keys.iter()
            .fold(none, |right, key| right | is_of(key))
            .into(),
    )
}

/// The events of a parcel, of every carrier on its way.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let about = text(event, "event").ok_or(Unreadable("an event without a name"))?;
    if about != "TRACKING_UPDATED" {
        return Ok(Webhook::Nothing);
    }
    let data = event.get("data").unwrap_or(&Value::Null);
    let number = owned(data, "number");
    let number = number.ok_or(Unreadable("a parcel without a number"))?;
    let tracking = data.get("track_info").and_then(|info| info.get("tracking"));
    let mut scans = Vec::new();
    for provider in array(tracking.unwrap_or(&Value::Null), "providers")? {
        let carrier = provider.get("provider").unwrap_or(&Value::Null);
        let carrier = owned(carrier, "name")
            .or_else(|| text_or_number(carrier, "key"))
            .or_else(|| text_or_number(data, "carrier"));
        let events = array(provider, "events")?.iter();
        scans.extend(events.map(|event| scan(event, carrier.clone())));
    }
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: owned(data, "tag"),
        scans,
    }))
}

fn scan(event: &Value, carrier: Option<String>) -> Scan {
    let (stage, detail) = (text(event, "stage"), text(event, "sub_status"));
    // A sub-status begins with its status.
    let status = detail.and_then(|detail| detail.split('_').next());
    let address = event.get("address").unwrap_or(&Value::Null);
    Scan {
        meaning: CODES.read(status.or(stage), detail),
        status: detail.or(stage).unwrap_or(NO_CODE).to_owned(),
        carrier_code: None,
        carrier,
        time: time(event),
        location: location(address, &LOCATION_MEMBERS)
            .or(owned(event, "location").map(Json::String)),
        text: owned(event, "description"),
    }
}

/// With the offset that the carrier wrote it in, where that is known.
fn time(event: &Value) -> Option<String> {
    let known = owned(event, "time_iso").or_else(|| owned(event, "time_utc"));
    known.or_else(|| {
        let raw = event.get("time_raw")?;
        let date = text(raw, "date")?;
        let offset = text(raw, "timezone").unwrap_or_default();
        Some(match text(raw, "time") {
            Some(time) => format!("{date}T{time}{offset}"),
            None => date.to_owned(),
        })
    })
}

const LOCATION_MEMBERS: [(&str, &str); 4] = [
    ("city", "city"),
    ("state", "state"),
    ("postalCode", "postal_code"),
    ("country", "country"),
];

/// Statuses, stages and sub-statuses by <https://api.17track.net/en/doc?version=v2.4> (*Package
/// status*, *Sub-status*, *Milestone*).
pub const CODES: Codes = Codes {
    statuses: &[
        ("NotFound", "CREATED"),
        ("InfoReceived", "CREATED"),
        ("InTransit", "IN_TRANSIT"),
        // On its way for longer than usual: that is no news of the parcel.
        ("Expired", "IN_TRANSIT"),
        ("AvailableForPickup", "READY_FOR_PICKUP"),
        ("OutForDelivery", "OUT_FOR_DELIVERY"),
        ("DeliveryFailure", "DELIVERY_ATTEMPTED"),
        ("Delivered", "DELIVERED"),
        ("Exception", "EXCEPTION"),
        // Stages, which older events have alone.
        ("PickedUp", "PICKED_UP"),
        ("Departure", "IN_TRANSIT"),
        ("Arrival", "IN_TRANSIT"),
        ("Returning", "RETURNING"),
        ("Returned", "RETURNED"),
    ],
    details: &[
        ("NotFound_Other", AS_STATUS),
        ("NotFound_InvalidCode", AS_STATUS),
        ("InfoReceived", AS_STATUS),
        ("InTransit_PickedUp", "PICKED_UP"),
        ("InTransit_Other", AS_STATUS),
        ("InTransit_Departure", AS_STATUS),
        ("InTransit_Arrival", AS_STATUS),
        ("InTransit_CustomsProcessing", AS_STATUS),
        ("InTransit_CustomsReleased", AS_STATUS),
        ("InTransit_CustomsRequiringInformation", AS_STATUS),
        ("Expired_Other", AS_STATUS),
        ("AvailableForPickup_Other", AS_STATUS),
        ("OutForDelivery_Other", AS_STATUS),
        ("DeliveryFailure_Other", AS_STATUS),
        ("DeliveryFailure_NoBody", AS_STATUS),
        ("DeliveryFailure_Security", AS_STATUS),
        ("DeliveryFailure_Rejected", "EXCEPTION"),
        ("DeliveryFailure_InvalidAddress", "EXCEPTION"),
        ("Delivered_Other", AS_STATUS),
        ("Exception_Other", AS_STATUS),
        ("Exception_Returning", "RETURNING"),
        ("Exception_Returned", "RETURNED"),
        ("Exception_NoBody", AS_STATUS),
        ("Exception_Security", AS_STATUS),
        ("Exception_Damage", "DAMAGED"),
        ("Exception_Rejected", AS_STATUS),
        ("Exception_Delayed", "DELAYED"),
        ("Exception_Lost", "LOST"),
        ("Exception_Destroyed", "LOST"),
        ("Exception_Cancel", "CANCELLED"),
    ],
};
