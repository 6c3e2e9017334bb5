//! The content of a webhook in one form for all providers: a parcel's scans.

use domain::{
    Digest, Json, Timestamp,
    json::Object,
    limits::CARRIER_STATUS_MAX,
    shipment::{self, UpdateKind},
    time::SentTime,
};
use serde_json::Value;

use super::codes::Meaning;
use crate::{
    execute_many::Refused,
    limits::SCANS_MAX,
    translate::shipment::{Context, update},
};

/// The content of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webhook {
    /// The scans of a parcel.
    Parcel(Parcel),
    /// Nothing about a parcel: a test of the address, or an event about something else.
    Nothing,
}

/// A parcel with all scans that the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The carrier's tracking number.
    pub tracking_number: String,
    /// The provider's field for a reference that the shop chose, where it was set.
    pub reference: Option<String>,
    /// The scans, in the order in which the provider lists them.
    pub scans: Vec<Scan>,
}

/// One scan: what a carrier recorded about a parcel at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What its codes mean.
    pub meaning: Meaning,
    /// The provider's code; [`NO_CODE`] where there is none.
    pub status: String,
    /// The carrier's code, where the provider passes it on.
    pub carrier_code: Option<String>,
    /// The carrier's name or code.
    pub carrier: Option<String>,
    /// The time of the scan, as the provider wrote it.
    pub time: Option<String>,
    /// The location: a text, or an object with the members that a location may have.
    pub location: Option<Json>,
    /// The provider's description, for people.
    pub text: Option<String>,
}

/// The body of a webhook was signed correctly but cannot be read. The message says what is wrong,
/// and quotes nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub &'static str);

/// A scan as an update of a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The scan's id, a digest of its content: equal scans of a provider have equal ids.
    pub id: String,
    /// The content of the command that logs the update.
    pub intent: shipment::Update,
}

/// The id of the shipment for a parcel's tracking number or reference. Shipment ids are part of
/// paths and contain no `/` and no `\`, but order numbers such as `2025/0042` do. They are escaped
/// as in a URL, `2025%2F0042`, so that two parcels never become one shipment.
fn shipment_id(name: &str) -> String {
    name.replace('/', "%2F").replace('\\', "%5C")
}

impl Parcel {
    /// The parcel's scans as updates, oldest first; a scan that cannot be an update comes as its
    /// refusal. `source` is the source of the updates, such as `carriers/easypost`. With
    /// `by_reference`, the parcel's reference becomes the shipment's id where there is one,
    /// otherwise the tracking number. Fails where there are more than [`SCANS_MAX`] scans.
    pub fn updates(
        &self,
        source: &str,
        by_reference: bool,
        arrived: Timestamp,
    ) -> Result<Vec<Result<Update, Refused>>, Unreadable> {
        if self.scans.len() > SCANS_MAX {
            return Err(Unreadable("more scans than one webhook may bring"));
        }
        let reference = self.reference.as_ref().filter(|_| by_reference);
        let shipment_id = shipment_id(reference.unwrap_or(&self.tracking_number));
        let read = |scan| self.update(scan, &shipment_id, source, arrived);
        let mut updates: Vec<_> = self.scans.iter().map(read).collect();
        let sent = |update: &Result<Update, Refused>| {
            let update = update.as_ref().ok()?;
            update.intent.timestamp.as_ref().map(|sent| sent.at)
        };
        let times: Vec<Timestamp> = updates.iter().filter_map(sent).collect();
        // Some providers list the newest scan first. Scans of the same minute must keep the order
        // in which they happened, since the last of them becomes the current status.
        if times.first() > times.last() {
            updates.reverse();
        }
        // A scan without a time must not sort after one with a time: it gets the earliest time of
        // the list.
        if let Some(earliest) = times.iter().min() {
            let intents = updates.iter_mut().flatten();
            for update in intents.filter(|update| update.intent.timestamp.is_none()) {
                update.intent.timestamp = Some(SentTime {
                    at: *earliest,
                    offset: None,
                    precision: None,
                });
            }
        }
        updates.sort_by_key(|update| sent(update).unwrap_or(arrived));
        Ok(updates)
    }

    fn update(
        &self,
        scan: &Scan,
        shipment_id: &str,
        source: &str,
        arrived: Timestamp,
    ) -> Result<Update, Refused> {
        let facts = self.facts(scan);
        let id = Digest::of(&Json::Object(facts.clone())).as_str().to_owned();
        let mut detail = facts;
        detail.remove(PROVIDER_STATUS);
        detail.insert("shipmentId".to_owned(), shipment_id.into());
        detail.insert("status".to_owned(), scan.meaning.status.into());
        let context = Context {
            shipment_id: None,
            kind: UpdateKind::Update,
            event_id: id.clone(),
            event_source: source.to_owned(),
            event_time: arrived,
        };
        match update(detail, context) {
            Ok(mut intent) => {
                intent.carrier_status =
                    Some(scan.status.chars().take(CARRIER_STATUS_MAX).collect());
                Ok(Update { id, intent })
            }
            Err(refusal) => Err(Refused { id, refusal }),
        }
    }

    /// The facts of a scan, of which its id is made. They contain what the provider said and not
    /// what our table makes of it: a corrected table must not turn an old scan into a new one.
    fn facts(&self, scan: &Scan) -> Object {
        let mut facts = Object::from([
            (
                "trackingNumber".to_owned(),
                self.tracking_number.as_str().into(),
            ),
            (PROVIDER_STATUS.to_owned(), scan.status.as_str().into()),
        ]);
        let texts = [
            ("carrier", &scan.carrier),
            ("carrierCode", &scan.carrier_code),
            ("timestamp", &scan.time),
            ("message", &scan.text),
        ];
        for (name, text) in texts {
            let text = text.as_deref().filter(|text| !text.is_empty());
            facts.extend(text.map(|text| (name.to_owned(), text.into())));
        }
        facts.extend(
            scan.location
                .clone()
                .map(|location| ("location".to_owned(), location)),
        );
        facts
    }
}

/// The name of the provider's code among a scan's facts. An update's detail has no such member.
const PROVIDER_STATUS: &str = "carrierStatus";

// ---- Reading a provider's JSON

/// The text of a member; `None` where it is missing, `null`, blank or no string.
pub fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let text = object.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The same as [`text`], owned.
pub fn owned(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

/// The text of a member, or the digits of a whole number.
pub fn text_or_number(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => owned(object, name),
    }
}

/// The elements of an array; empty where the member is missing or `null`. Fails where it is
/// anything else.
pub fn array<'a>(object: &'a Value, name: &'static str) -> Result<&'a [Value], Unreadable> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(Unreadable(
            "a member that should be an array is something else",
        )),
    }
}

/// A location with our names for its members, from the members of `object`; `names` has pairs of
/// our name and the provider's. `None` where no member has a text.
pub fn location(object: &Value, names: &[(&'static str, &str)]) -> Option<Json> {
    let said = names.iter().filter_map(|(ours, theirs)| {
        let text = text(object, theirs)?;
        Some(((*ours).to_owned(), text.into()))
    });
    let members: Object = said.collect();
    (!members.is_empty()).then_some(Json::Object(members))
}

/// The code of a scan that has none.
pub const NO_CODE: &str = "none";

/// A provider's status and detail as one code, such as `transit/delayed`.
pub fn code(status: Option<&str>, detail: Option<&str>) -> String {
    let parts: Vec<&str> = [status, detail].into_iter().flatten().collect();
    match parts.is_empty() {
        true => NO_CODE.to_owned(),
        false => parts.join("/"),
    }
}
