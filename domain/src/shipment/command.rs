//! The commands to a shipment: to log an update, and to note that the shipment is stalled.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::{
    Digest, Json, OrderId, ShipmentId, Timestamp, aggregate, json::Object, time::SentTime,
};

/// A command to a shipment.
pub type Command = aggregate::Command<Intent>;

/// The content of a command to a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Logs an update.
    Update(Box<Update>),
    /// Notes that the shipment is stalled, where its history confirms it.
    Stall(Stall),
}

impl From<Update> for Intent {
    fn from(update: Update) -> Self {
        Self::Update(Box::new(update))
    }
}

/// Says that a shipment has had no update for longer than its environment allows. The sender has
/// looked at a row, and an update may have come since, so the shipment's own history decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The arrival of its last update, as the row said. Where another update has arrived since, the
    /// command has no effect.
    pub last_update_at: Timestamp,
}

/// An update to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The kind of the update, by its detail-type on the bus.
    pub kind: UpdateKind,
    /// The shipment's status according to the carrier.
    pub status: Status,
    /// The carrier's spelling of the status, where it differs from `status`.
    pub carrier_status: Option<String>,
    /// The shipment's location, as one text.
    pub location: Option<String>,
    /// The carrier's name.
    pub carrier: Option<String>,
    /// The carrier's own number of the parcel, up to 128 characters.
    pub tracking_number: Option<String>,
    /// The order that the shipment belongs to.
    pub order_id: Option<OrderId>,
    /// The time of the update according to the carrier; where it is missing, that of `origin`
    /// counts.
    pub timestamp: Option<SentTime>,
    /// The event that brought the update.
    pub origin: Origin,
    /// Members of the detail that the contract does not name, as they were sent.
    pub attributes: Object,
    /// The whole detail without members that count as missing. Two updates with equal details and
    /// kinds are the same one; the kind decides the status of a detail that names none.
    pub detail: Object,
}

/// The event or request that brought an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The event's id.
    pub id: String,
    /// The event's source, such as `logistics.shipments`.
    pub source: String,
    /// The event's time.
    pub time: Timestamp,
}

/// The kind of an update, named after its detail-type on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateKind {
    /// Any update.
    #[serde(rename = "Shipment Update")]
    Update,
    /// The shipment was created.
    #[serde(rename = "Shipment Created")]
    Created,
    /// The shipment is late.
    #[serde(rename = "Shipment Delayed")]
    Delayed,
}

impl UpdateKind {
    /// All kinds of updates.
    pub const ALL: [Self; 3] = [Self::Update, Self::Created, Self::Delayed];

    /// The detail-type on the bus, such as `Shipment Update`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "Shipment Update",
            Self::Created => "Shipment Created",
            Self::Delayed => "Shipment Delayed",
        }
    }

    /// The status of an update of this kind that names none; `None` where it must name one.
    pub fn default_status(self) -> Option<Status> {
        match self {
            Self::Update => None,
            Self::Created => Some(Status::created()),
            Self::Delayed => Some(Status::delayed()),
        }
    }
}

impl aggregate::Intent for Intent {
    // The kind and the stall stand under an empty name, which no detail has
    // (`InvalidJson::EmptyName`), so their contents differ from that of any detail.
    fn digest(&self) -> Digest {
        let content = match self {
            Self::Update(update) => {
                let mut content = update.detail.clone();
                if update.kind != UpdateKind::Update {
                    content.insert(String::new(), update.kind.as_str().into());
                }
                content
            }
            Self::Stall(stall) => Object::from([
                (String::new(), "Mark Stalled".into()),
                (
                    "heardAt".to_owned(),
                    stall.last_update_at.to_string().into(),
                ),
            ]),
        };
        Digest::of(&Json::Object(content))
    }

    /// Earlier builds took the digest of an update's detail alone, whatever its kind.
    fn earlier_digest(&self) -> Option<Digest> {
        match self {
            Self::Update(update) if update.kind != UpdateKind::Update => {
                Some(Digest::of(&Json::Object(update.detail.clone())))
            }
            Self::Update(_) | Self::Stall(_) => None,
        }
    }

    /// An update without a time of its own may repeat an earlier detail and still be a new update.
    fn recognised_by_content(&self) -> bool {
        matches!(self, Self::Update(update) if update.timestamp.is_some())
    }

    fn creates(&self) -> bool {
        false
    }

    fn is_probably_first(&self) -> bool {
        match self {
            Self::Update(update) => {
                update.kind == UpdateKind::Created || update.status == Status::created()
            }
            Self::Stall(_) => false,
        }
    }
}

/// The detail of an update without members that count as missing: `null` and empty strings.
pub fn meaningful(detail: Object) -> Object {
    let missing = |value: &Json| matches!(value, Json::Null) || *value == Json::from("");
    detail
        .into_iter()
        .filter(|(_, value)| !missing(value))
        .collect()
}
