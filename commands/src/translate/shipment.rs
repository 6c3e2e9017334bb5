//! Shipment updates as carriers send them (S2, S3).

use domain::{
    Digest, Json, Refusal, ShipmentId, Timestamp,
    json::Object,
    limits::DETAIL_BYTES_MAX,
    shipment::{Intent, Origin, Status, UpdateKind, meaningful},
    time::SentTime,
};

use super::fields::Fields;

/// What the way that an update came by adds to it.
#[derive(Debug)]
pub struct Context {
    /// The shipment that the path names; the detail must not name another.
    pub shipment_id: Option<ShipmentId>,
    /// What kind of update.
    pub kind: UpdateKind,
    /// The id of the event or request that brought it.
    pub event_id: String,
    /// Its source.
    pub event_source: String,
    /// Its time.
    pub event_time: Timestamp,
}

/// Reads an update's detail.
pub fn update(detail: Object, context: Context) -> Result<Intent, Refusal> {
    let detail = meaningful(detail);
    let digest = digest(&detail, context.shipment_id.as_ref());
    let size = Json::Object(detail.clone()).to_string().len();
    if size > DETAIL_BYTES_MAX {
        let message = format!("the detail has {size} bytes, {DETAIL_BYTES_MAX} at most");
        return Err(Refusal::too_large("", message));
    }
    let mut fields = Fields::new(detail);
    let shipment_id = shipment_id(&mut fields, context.shipment_id)?;
    let status = match fields.text("status")? {
        Some(text) => Status::try_from(text).map_err(|error| fields.wrong("status", error))?,
        None => context
            .kind
            .default_status()
            .ok_or_else(|| fields.missing("status"))?,
    };
    let order_id = match fields.text("orderId")? {
        Some(text) => Some(
            text.parse()
                .map_err(|error| fields.wrong("orderId", error))?,
        ),
        None => None,
    };
    Ok(Intent {
        shipment_id,
        kind: context.kind,
        status,
        location: fields.text("location")?,
        carrier: fields.text("carrier")?,
        tracking_number: fields.text("trackingNumber")?,
        order_id,
        timestamp: timestamp(&mut fields)?,
        origin: Origin {
            id: context.event_id,
            source: context.event_source,
            time: context.event_time,
        },
        attributes: fields.rest(),
        detail: digest,
    })
}

/// Of the whole detail; the shipment stands in it whether path or detail names it.
fn digest(detail: &Object, in_path: Option<&ShipmentId>) -> Digest {
    let mut whole = detail.clone();
    if let Some(id) = in_path {
        whole.insert("shipmentId".to_owned(), id.as_str().into());
    }
    Digest::of(&Json::Object(whole))
}

fn shipment_id(fields: &mut Fields, in_path: Option<ShipmentId>) -> Result<ShipmentId, Refusal> {
    let named: Option<ShipmentId> = match fields.text("shipmentId")? {
        Some(text) => Some(
            text.parse()
                .map_err(|error| fields.wrong("shipmentId", error))?,
        ),
        None => None,
    };
    match (named, in_path) {
        (Some(named), Some(path)) if named != path => {
            Err(fields.wrong("shipmentId", "it is not the shipment of the path"))
        }
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err(fields.missing("shipmentId")),
    }
}

/// ISO 8601, or milliseconds since 1970 as a number or a numeric string.
fn timestamp(fields: &mut Fields) -> Result<Option<SentTime>, Refusal> {
    let sent = match fields.take("timestamp") {
        None => return Ok(None),
        Some(Json::Number(millis)) => SentTime::from_number(&millis),
        Some(Json::String(text)) => {
            SentTime::parse(&text).or_else(|| SentTime::from_number(&text.parse().ok()?))
        }
        Some(_) => None,
    };
    let expected = "ISO 8601 or milliseconds since 1970 was expected, between 1970 and 9999";
    sent.map(Some)
        .ok_or_else(|| fields.wrong("timestamp", expected))
}
