//! What a webhook says, whoever sent it: a parcel's scans.

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

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webhook {
    /// What has become of a parcel.
    Parcel(Parcel),
    /// Nothing of a parcel: a test of the address, or an event about something else.
    Nothing,
}

/// A parcel, and all that a provider knows of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The carrier's number, by which it is tracked.
    pub tracking_number: String,
    /// The provider's field for a reference of the shop's own.
    pub reference: Option<String>,
    /// Its scans, in whatever order the provider lists them.
    pub scans: Vec<Scan>,
}

/// What a carrier has noted of a parcel once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What it is to us.
    pub meaning: Meaning,
    /// The provider's own code for it.
    pub status: String,
    /// The carrier's own code for it.
    pub carrier_code: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// When, as the provider wrote it.
    pub time: Option<String>,
    /// Where: a text, or an object of the members that a location may have.
    pub location: Option<Json>,
    /// The provider's text.
    pub text: Option<String>,
}

/// A body that is signed and cannot be read. The text names what is wrong, and nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub &'static str);

/// A scan as an update of a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What the scan is known by: equal scans of a provider have equal ids.
    pub id: String,
    /// What is wanted of the shipment.
    pub intent: shipment::Update,
}

/// What a parcel's number or reference is called by as a shipment. Ids of shipments stand in paths
/// and hold no `/` and no `\`, which numbers of orders like `2025/0042` do: they are written as in
/// a URL, `2025%2F0042`, so that no two parcels become one shipment.
fn shipment_id(name: &str) -> String {
    name.replace('/', "%2F").replace('\\', "%5C")
}

impl Parcel {
    /// Its scans as updates, oldest first, each with why not where it cannot be one; `reference`
    /// where the shipment is called by that and not by its tracking number.
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
        // Some providers name the newest first. Scans of the same minute keep the order that they
        // happened in, for the later one of them is current.
        if times.first() > times.last() {
            updates.reverse();
        }
        // A scan without a time of its own must not come before one that has one: it takes the
        // earliest of the list.
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

    /// What the provider said, without what we make of it: a better table of codes must not make
    /// another scan of it.
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

/// Where the provider's code stands among a scan's facts. It is no member of an update's detail.
const PROVIDER_STATUS: &str = "carrierStatus";

// ---- Reading a provider's JSON

/// A member's text, `None` where it is missing, `null`, blank or no text.
pub fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let text = object.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The same, owned.
pub fn owned(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

/// A member's text, or its whole number's digits.
pub fn text_or_number(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => owned(object, name),
    }
}

/// The elements of a member that is an array; none where it is missing or `null`.
pub fn array<'a>(object: &'a Value, name: &'static str) -> Result<&'a [Value], Unreadable> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(Unreadable("what should be a list is none")),
    }
}

/// A place by the names that a location of ours has; `None` where no member says anything.
pub fn location(object: &Value, names: &[(&'static str, &str)]) -> Option<Json> {
    let said = names.iter().filter_map(|(ours, theirs)| {
        let text = text(object, theirs)?;
        Some(((*ours).to_owned(), text.into()))
    });
    let members: Object = said.collect();
    (!members.is_empty()).then_some(Json::Object(members))
}

/// What stands for the code of a scan that has none.
pub const NO_CODE: &str = "none";

/// A provider's status and its detail as one code.
pub fn code(status: Option<&str>, detail: Option<&str>) -> String {
    let parts: Vec<&str> = [status, detail].into_iter().flatten().collect();
    match parts.is_empty() {
        true => NO_CODE.to_owned(),
        false => parts.join("/"),
    }
}
