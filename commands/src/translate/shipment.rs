//! Translates shipment updates as carriers send them (S2, S3).

use domain::{
    Json, Refusal, ShipmentId, Timestamp,
    json::Object,
    limits::{CARRIER_STATUS_MAX, DETAIL_BYTES_MAX},
    shipment::{Origin, Stall, Status, Update, UpdateKind, meaningful},
    time::{InvalidTime, SentTime},
};

use super::fields::Fields;

/// The values that depend on an update's source.
#[derive(Debug)]
pub struct Context {
    /// The shipment's id in the path of the request, where there is one; the detail must not name
    /// another.
    pub shipment_id: Option<ShipmentId>,
    /// The kind of the update.
    pub kind: UpdateKind,
    /// The id of the event or request that brought it.
    pub event_id: String,
    /// The source of that event or request.
    pub event_source: String,
    /// The time of that event or request.
    pub event_time: Timestamp,
}

/// Translates the detail of an update. Refused where a member has a wrong type, or the detail is
/// too large.
pub fn update(detail: Object, context: Context) -> Result<Update, Refusal> {
    let detail = meaningful(detail);
    let whole = whole(&detail, context.shipment_id.as_ref());
    let size = Json::Object(detail.clone()).to_string().len();
    if size > DETAIL_BYTES_MAX {
        let message = format!("the detail has {size} bytes, {DETAIL_BYTES_MAX} at most");
        return Err(Refusal::too_large("", message));
    }
    let mut fields = Fields::new(detail);
    let shipment_id = shipment_id(&mut fields, context.shipment_id)?;
    let (status, carrier_status) = status(&mut fields, context.kind)?;
    let order_id = match fields.id("orderId")? {
        Some(text) => Some(
            text.parse()
                .map_err(|error| fields.wrong("orderId", error))?,
        ),
        None => None,
    };
    let (location, location_as_sent) = location(&mut fields)?;
    Ok(Update {
        shipment_id,
        kind: context.kind,
        status,
        carrier_status,
        location,
        carrier: fields.text("carrier")?,
        tracking_number: fields.id("trackingNumber")?,
        order_id,
        timestamp: timestamp(&mut fields)?,
        origin: Origin {
            id: context.event_id,
            source: context.event_source,
            time: context.event_time,
        },
        attributes: {
            let mut rest = fields.rest();
            rest.extend(location_as_sent.map(|object| ("location".to_owned(), object)));
            rest
        },
        detail: whole,
    })
}

/// Translates the detail of the role `watch`: the shipment's id, the arrival of its last update,
/// and the version of the row that says so, 0 in an event of an older build.
pub fn stall(detail: Object) -> Result<(Stall, u64), Refusal> {
    let mut fields = Fields::new(detail);
    let shipment_id = shipment_id(&mut fields, None)?;
    let last_update_at = fields.text("heardAt")?;
    let last_update_at = last_update_at.ok_or_else(|| fields.missing("heardAt"))?;
    let last_update_at: Result<Timestamp, _> = last_update_at.parse();
    let version = fields.number("version")?;
    let stall = Stall {
        shipment_id,
        last_update_at: last_update_at
            .map_err(|_| fields.wrong("heardAt", "a time was expected"))?,
    };
    Ok((
        stall,
        version
            .and_then(|version| version.to_u64())
            .unwrap_or_default(),
    ))
}

/// The whole detail in a normal form, for the comparison of updates. It always has the shipment's
/// id, and ids are texts: `123` and `"123"` are the same id.
fn whole(detail: &Object, in_path: Option<&ShipmentId>) -> Object {
    let mut whole = detail.clone();
    for name in ["shipmentId", "orderId", "trackingNumber"] {
        if let Some(Json::Number(number)) = whole.get(name) {
            let text = number.to_string();
            whole.insert(name.to_owned(), text.into());
        }
    }
    if let Some(id) = in_path {
        whole.insert("shipmentId".to_owned(), id.as_str().into());
    }
    whole
}

/// The status, and the carrier's spelling where that differs.
fn status(fields: &mut Fields, kind: UpdateKind) -> Result<(Status, Option<String>), Refusal> {
    let Some(text) = fields.text("status")? else {
        let default = kind.default_status();
        return default
            .map(|status| (status, None))
            .ok_or_else(|| fields.missing("status"));
    };
    if text.chars().count() > CARRIER_STATUS_MAX {
        let message = format!("a status has at most {CARRIER_STATUS_MAX} characters");
        return Err(fields.wrong("status", message));
    }
    let status = Status::read(&text).map_err(|error| fields.wrong("status", error))?;
    let spelling = (status.as_str() != text).then_some(text);
    Ok((status, spelling))
}

/// The location as one text. Where an object was sent, its members are joined, and the object is
/// returned too.
fn location(fields: &mut Fields) -> Result<(Option<String>, Option<Json>), Refusal> {
    match fields.take("location") {
        Some(Json::Object(members)) => Ok((in_one_line(&members), Some(Json::Object(members)))),
        None => Ok((None, None)),
        Some(Json::String(text)) => Ok((Some(text), None)),
        Some(other) => {
            let message = format!("a string or an object was expected, not {}", other.kind());
            Err(fields.wrong("location", message))
        }
    }
}

/// The members of a location from the narrowest to the widest. Of two names for one member, the
/// first with a value counts.
const LOCATION_MEMBERS: [&[&str]; 6] = [
    &["name"],
    &["address"],
    &["city"],
    &["state", "region"],
    &["postalCode", "zip"],
    &["country"],
];

/// The location on one line, such as `Berlin, 10115, DE`; `None` where no member has a value.
fn in_one_line(location: &Object) -> Option<String> {
    let said = |name: &&str| match location.get(*name) {
        Some(Json::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let parts: Vec<String> = LOCATION_MEMBERS
        .iter()
        .filter_map(|names| names.iter().find_map(said))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn shipment_id(fields: &mut Fields, in_path: Option<ShipmentId>) -> Result<ShipmentId, Refusal> {
    let named: Option<ShipmentId> = match fields.id("shipmentId")? {
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

/// The time of the update: a text or a number in the formats of [`SentTime`].
fn timestamp(fields: &mut Fields) -> Result<Option<SentTime>, Refusal> {
    let sent = match fields.take("timestamp") {
        None => return Ok(None),
        Some(Json::Number(number)) => SentTime::from_number(&number),
        Some(Json::String(text)) => SentTime::parse(&text),
        Some(_) => Err(InvalidTime),
    };
    sent.map(Some)
        .map_err(|error| fields.wrong("timestamp", error))
}
