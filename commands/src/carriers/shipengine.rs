//! ShipEngine, which is also called ShipStation API: tracking events. What is known of it, and from
//! where: `README.md` beside this file.

use domain::{Timestamp, time::SentTime};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    codes::{AS_STATUS, Codes},
    keys::KeySet,
    scan::{NO_CODE, Parcel, Scan, Unreadable, Webhook, array, code, location, owned, text},
    signature::{SignatureError, WebhookRequest, check_rsa, check_time, from_base64, valid_if},
};

/// Where ShipEngine publishes its keys.
pub const KEYS_URL: &str = "https://api.shipengine.com/jwks";

/// The header by which a webhook says that it is of this account. ShipEngine signs every account's
/// webhooks by the same keys; whoever registers one can have it send a header of their own.
pub const TOKEN_HEADER: &str = "x-waybill-token";

/// What the values of ShipEngine's secret say: where the keys are, and the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipEngineSecret<'a> {
    /// Where the keys are published.
    pub keys_url: &'a str,
    /// What [`TOKEN_HEADER`] may have; none where any account is trusted.
    pub tokens: Vec<&'a str>,
}

impl<'a> ShipEngineSecret<'a> {
    /// A value that is an address says where the keys are; any other one is a token.
    pub fn of(values: &'a [String]) -> Self {
        let is_url = |value: &&str| value.starts_with("https://") || value.starts_with("http://");
        let values = || values.iter().map(String::as_str);
        Self {
            keys_url: values().find(is_url).unwrap_or(KEYS_URL),
            tokens: values().filter(|value| !is_url(value)).collect(),
        }
    }
}

/// The id of the key that it says it is signed with.
pub fn key_id<'s>(signed: &'s WebhookRequest<'_>) -> Result<&'s str, SignatureError> {
    signed.header("x-shipengine-rsa-sha256-key-id")
}

/// Is it signed with the key that it names, now, and of this account?
pub fn verify(
    signed: &WebhookRequest<'_>,
    tokens: &[&str],
    keys: &KeySet,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let signature = from_base64(signed.header("x-shipengine-rsa-sha256-signature")?)?;
    let time = signed.header("x-shipengine-timestamp")?;
    let key = keys.get(key_id(signed)?).ok_or(SignatureError::Wrong)?;
    let message = [time.as_bytes(), b".", signed.body].concat();
    check_rsa(key, &message, &signature)?;
    let at = SentTime::parse(time)
        .map_err(|_| SignatureError::Malformed)?
        .at;
    check_time(at.seconds(), now)?;
    if tokens.is_empty() {
        return Ok(());
    }
    let token = signed.header(TOKEN_HEADER)?.as_bytes();
    let none = Choice::from(0);
    let same = tokens
        .iter()
        .fold(none, |same, known| same | known.as_bytes().ct_eq(token));
    valid_if(same.into())
}

/// The events of a tracking.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let about = text(event, "resource_type").ok_or(Unreadable("an event without a type"))?;
    if !["API_TRACK", "TRACK_EVENT_V2"].contains(&about) {
        return Ok(Webhook::Nothing);
    }
    let tracking = event.get("data").unwrap_or(&Value::Null);
    let number = owned(tracking, "tracking_number");
    let number = number.ok_or(Unreadable("a tracking without a number"))?;
    let url = text(event, "resource_url").unwrap_or_default();
    let carrier = owned(tracking, "carrier_code").or_else(|| carrier_in(url));
    let scan = |event: &Value| scan(event, carrier.clone());
    let mut scans: Vec<Scan> = array(tracking, "events")?.iter().map(scan).collect();
    // Earlier events have no code each; the first one in the list is what the whole is about. Its
    // code stays its own, so that it is the same scan when it is no longer the first.
    if let Some(newest) = scans.first_mut().filter(|newest| newest.status == NO_CODE) {
        newest.meaning = CODES.read(text(tracking, "status_code"), None);
    }
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: label_in(url),
        scans,
    }))
}

/// `ups` in `…/v1/tracking?carrier_code=ups&tracking_number=…` and in `…/v1/tracking/ups/…`:
/// earlier events name the carrier nowhere else.
fn carrier_in(url: &str) -> Option<String> {
    let behind = |mark: &str| url.split_once(mark).map(|(_, rest)| rest);
    let rest = behind("carrier_code=").or_else(|| behind("/tracking/"))?;
    let name = rest.split(['&', '/', '?']).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

/// `se-1` in `…/v2/labels/se-1/track`: what the shop's label is called.
fn label_in(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("/labels/")?;
    rest.split('/')
        .next()
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
}

fn scan(event: &Value, carrier: Option<String>) -> Scan {
    let status = text(event, "status_code");
    let detail = text(event, "status_detail_code");
    // UPS has no detail of ShipEngine's, and tells the way to the door by one of its own.
    let of_carrier = match (carrier.as_deref(), text(event, "carrier_detail_code")) {
        (Some("ups"), Some("OT" | "OD")) => Some("OUT_FOR_DELIVERY"),
        _ => None,
    };
    Scan {
        meaning: CODES.read(status, detail.or(of_carrier)),
        status: code(status, detail),
        carrier_code: carrier_code(event),
        carrier,
        // `carrier_occurred_at` is local, whatever it ends with.
        time: owned(event, "occurred_at").or_else(|| owned(event, "event_date")),
        location: location(event, &LOCATION_MEMBERS),
        text: owned(event, "description"),
    }
}

fn carrier_code(event: &Value) -> Option<String> {
    let code = text(event, "event_code").or_else(|| text(event, "carrier_status_code"));
    let detail = text(event, "carrier_detail_code");
    let parts: Vec<&str> = [code, detail].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

const LOCATION_MEMBERS: [(&str, &str); 5] = [
    ("name", "company_name"),
    ("city", "city_locality"),
    ("state", "state_province"),
    ("postalCode", "postal_code"),
    ("country", "country_code"),
];

/// Statuses by <https://docs.shipstation.com/apis/shipengine/docs/tracking/> (*Tracking status
/// codes*), details by the enumeration of `status_detail_code` in ShipEngine's OpenAPI document.
pub const CODES: Codes = Codes {
    statuses: &[
        ("UN", "IN_TRANSIT"),
        ("AC", "PICKED_UP"),
        ("IT", "IN_TRANSIT"),
        ("DE", "DELIVERED"),
        ("EX", "EXCEPTION"),
        ("AT", "DELIVERY_ATTEMPTED"),
        ("NY", "CREATED"),
        ("SP", "READY_FOR_PICKUP"),
    ],
    details: &[
        ("ADDRESS_QUERY", AS_STATUS),
        ("ATTEMPTED_DELIVERY", "DELIVERY_ATTEMPTED"),
        ("ATTEMPTED_DELIVERY_2ND", "DELIVERY_ATTEMPTED"),
        ("ATTEMPTED_DELIVERY_3RD", "DELIVERY_ATTEMPTED"),
        ("AWAITING_COLLECTION_FROM_PICKUP_POINT", "READY_FOR_PICKUP"),
        ("AWAITING_DESPATCH", "CREATED"),
        ("AWAITING_ELECTRONIC_ADVICE", "CREATED"),
        ("CANCELLED", "CANCELLED"),
        ("CANCELLED_BEFORE_DESPATCH", "CANCELLED"),
        ("CARRIER_DELAYS", "DELAYED"),
        ("CARRIER_STATUS_NOT_MAPPED", AS_STATUS),
        ("COD_AMOUNT_NOT_PAID", AS_STATUS),
        ("COD_AMOUNT_PAID", AS_STATUS),
        ("COLLECTION_FAILED", "EXCEPTION"),
        ("COLLECTION_MADE", "PICKED_UP"),
        ("COLLECTION_REQUESTED", "CREATED"),
        ("COLLECT_AT_LOCAL_PO", "READY_FOR_PICKUP"),
        ("CUSTOMER_CARDED", "DELIVERY_ATTEMPTED"),
        ("CUSTOMER_IDENTIFICATION_FAILED", "DELIVERY_ATTEMPTED"),
        ("CUSTOMER_MOVED", "EXCEPTION"),
        ("CUSTOMER_TO_COLLECT_FROM_CARRIER", "READY_FOR_PICKUP"),
        ("CUSTOMS_CLEARED", AS_STATUS),
        ("CUSTOMS_PROCESSING", AS_STATUS),
        ("DELAYED_NOT_CARRIER", "DELAYED"),
        ("DELIVERED", "DELIVERED"),
        ("DELIVERED_DAMAGED", "DAMAGED"),
        ("DELIVERED_IN_PART", AS_STATUS),
        ("DELIVERED_SPECIFIED_SAFE_PLACE", "DELIVERED"),
        ("DELIVERED_TO_ALTERNATIVE_DELIVERY_LOCATION", "DELIVERED"),
        ("DELIVERED_TO_LOCKER_COLLECTION_POINT", "READY_FOR_PICKUP"),
        ("DELIVERED_TO_NEIGHBOUR", "DELIVERED"),
        ("DELIVERED_TO_PO_BOX", "DELIVERED"),
        ("DELIVERY_ARRANGED_WITH_RECIPIENT", AS_STATUS),
        ("DESPATCHED", "PICKED_UP"),
        ("ELEC_ADVICE_RECD_BY_CARRIER", "CREATED"),
        ("HAZARDOUS_PROHIBITED", "EXCEPTION"),
        ("HELD_BY_CARRIER", AS_STATUS),
        ("HELD_BY_CARRIER_FOR_CLEARANCE_PRE_PROCESSING", AS_STATUS),
        ("HELD_BY_CUSTOMS", AS_STATUS),
        ("HELD_BY_EXPORT_CUSTOMS", AS_STATUS),
        ("HELD_BY_IMPORT_CUSTOMS", AS_STATUS),
        ("HUB_SCAN_IN", AS_STATUS),
        ("HUB_SCAN_OUT", AS_STATUS),
        ("INCORRECT_DECLARATION", AS_STATUS),
        ("INFORMATION", AS_STATUS),
        ("INVALID_METHOD_OF_PAYMENT", AS_STATUS),
        ("IN_TRANSIT", AS_STATUS),
        ("MISSORTED", "DELAYED"),
        ("NOT_COLLECTED_FROM_PICKUP_POINT", "EXCEPTION"),
        ("NOT_DELIVERED", "EXCEPTION"),
        ("NOT_DELIVERED_ADDRESSEE_DECEASED", "EXCEPTION"),
        ("NOT_YET_RECEIVED_BY_CARRIER", "CREATED"),
        ("NO_ACCESS_TO_RECIPIENTS_ADDRESS", "DELIVERY_ATTEMPTED"),
        ("OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY"),
        ("PARCEL_COLLECTED_FROM_PICKUP_POINT", "DELIVERED"),
        ("PARCEL_DAMAGED", "DAMAGED"),
        ("PARCEL_DISPOSED", "LOST"),
        ("PARCEL_LOST", "LOST"),
        ("PARCEL_OUTSIDE_OF_SERVICE_CAPABILITY", "EXCEPTION"),
        ("PARCEL_OVER_LABELLED", AS_STATUS),
        ("PARCEL_REPACKED", AS_STATUS),
        ("PARCEL_UPDATE_NOTIFICATION_VIA_EMAIL", AS_STATUS),
        ("PARCEL_UPDATE_NOTIFICATION_VIA_SMS", AS_STATUS),
        ("POST_TRANSIT_STATUS", AS_STATUS),
        ("PROOF_OF_DELIVERY", "DELIVERED"),
        ("RECD_BY_CARRIER_NO_ELEC_ADVICE", AS_STATUS),
        ("RECEIVED_BY_CARRIER", "PICKED_UP"),
        ("RECEIVED_LOCAL_DELIVERY_DEPOT", AS_STATUS),
        ("REFUSED_BY_CUSTOMER", "EXCEPTION"),
        ("RETURN_TO_SENDER", "RETURNING"),
        ("ROUTING_ERROR", "DELAYED"),
        ("SUB_CONTRACTOR_EVENT", AS_STATUS),
        ("SUB_CONTRACTOR_RECEIVED", AS_STATUS),
    ],
};
