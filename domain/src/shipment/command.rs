//! What can be wanted of a shipment: that an update is logged.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::{
    Digest, Json, OrderId, ShipmentId, Timestamp, aggregate, json::Object, time::SentTime,
};

/// A command to a shipment.
pub type Command = aggregate::Command<Intent>;

/// What can be wanted of a shipment: that an update is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
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
    fn digest(&self) -> Digest {
        let mut content = self.detail.clone();
        // A detail cannot have a member without a name, so no other one looks like this.
        if self.kind != UpdateKind::Update {
            content.insert(String::new(), self.kind.as_str().into());
        }
        Digest::of(&Json::Object(content))
    }

    /// Builds before took the detail alone, whatever the kind was.
    fn earlier_digest(&self) -> Option<Digest> {
        let named = self.kind != UpdateKind::Update;
        named.then(|| Digest::of(&Json::Object(self.detail.clone())))
    }

    /// Without a time of its own, the same detail may well be news.
    fn known_by_content(&self) -> bool {
        self.timestamp.is_some()
    }

    fn creates(&self) -> bool {
        false
    }

    fn comes_first(&self) -> bool {
        self.kind == UpdateKind::Created || self.status == Status::created()
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
