//! What can be wanted of a shipment: that an update is logged, and that it is known to be stalled.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::{
    Digest, Json, OrderId, ShipmentId, Timestamp, aggregate, json::Object, time::SentTime,
};

/// A command to a shipment.
pub type Command = aggregate::Command<Intent>;

/// What can be wanted of a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// That an update is logged.
    Update(Box<Update>),
    /// That its history says that it is stalled, where that is still so.
    Stall(Stall),
}

impl From<Update> for Intent {
    fn from(update: Update) -> Self {
        Self::Update(Box::new(update))
    }
}

/// A shipment has had no update for longer than its environment allows. Whoever says so has looked
/// at a row, and an update may have come since: the shipment's own history decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// When its last update arrived, as the row said: another update since then makes this void.
    pub heard_at: Timestamp,
}

/// An update that is to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// What kind of update, its detail-type on the bus.
    pub kind: UpdateKind,
    /// What the carrier says it is.
    pub status: Status,
    /// How the carrier spells that status, where it is not the status itself.
    pub carrier_status: Option<String>,
    /// Where it is.
    pub location: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's own number.
    pub tracking_number: Option<String>,
    /// The order that it belongs to.
    pub order_id: Option<OrderId>,
    /// When the carrier says it was; without it, the event's time.
    pub timestamp: Option<SentTime>,
    /// The event that brought it.
    pub origin: Origin,
    /// Whatever else was sent.
    pub attributes: Object,
    /// The whole detail as sent, without what counts as missing. With the kind, which decides the
    /// status of a detail that names none, it makes two updates one.
    pub detail: Object,
}

/// The event that brought an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// Its id.
    pub id: String,
    /// Its source, such as `logistics.shipments`.
    pub source: String,
    /// Its time.
    pub time: Timestamp,
}

/// What kind of update, after its detail-type on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateKind {
    /// Anything.
    #[serde(rename = "Shipment Update")]
    Update,
    /// It was created.
    #[serde(rename = "Shipment Created")]
    Created,
    /// It is late.
    #[serde(rename = "Shipment Delayed")]
    Delayed,
}

impl UpdateKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Update, Self::Created, Self::Delayed];

    /// The detail-type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "Shipment Update",
            Self::Created => "Shipment Created",
            Self::Delayed => "Shipment Delayed",
        }
    }

    /// The status that an update of this kind has where it names none.
    pub fn default_status(self) -> Option<Status> {
        match self {
            Self::Update => None,
            Self::Created => Some(Status::created()),
            Self::Delayed => Some(Status::delayed()),
        }
    }
}

impl aggregate::Intent for Intent {
    // A detail cannot have a member without a name, so no other content looks like that of a kind
    // or of a stall.
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
                ("heardAt".to_owned(), stall.heard_at.to_string().into()),
            ]),
        };
        Digest::of(&Json::Object(content))
    }

    /// Builds before took an update's detail alone, whatever the kind was.
    fn earlier_digest(&self) -> Option<Digest> {
        match self {
            Self::Update(update) if update.kind != UpdateKind::Update => {
                Some(Digest::of(&Json::Object(update.detail.clone())))
            }
            Self::Update(_) | Self::Stall(_) => None,
        }
    }

    /// Without a time of its own, the same detail may well be news.
    fn known_by_content(&self) -> bool {
        matches!(self, Self::Update(update) if update.timestamp.is_some())
    }

    fn creates(&self) -> bool {
        false
    }

    fn comes_first(&self) -> bool {
        match self {
            Self::Update(update) => {
                update.kind == UpdateKind::Created || update.status == Status::created()
            }
            Self::Stall(_) => false,
        }
    }
}

/// The detail that an update came with, without what counts as missing: `null` and empty strings.
pub fn meaningful(detail: Object) -> Object {
    let missing = |value: &Json| matches!(value, Json::Null) || *value == Json::from("");
    detail
        .into_iter()
        .filter(|(_, value)| !missing(value))
        .collect()
}
