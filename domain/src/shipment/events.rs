//! What can have happened to a shipment. These names and fields are stored: they never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Origin, Status, UpdateKind};
use crate::{
    OrderId, ShipmentId, Timestamp,
    event::{EncodedEvent, Kind},
    json::Object,
    time::Precision,
};

/// What has happened to a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An update was logged.
    ShipmentUpdated(Box<ShipmentUpdated>),
    /// It was found to have had no update for longer than its environment allows.
    ShipmentStalled(Box<ShipmentStalled>),
}

/// An update was logged. It carries what its messages say of the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipmentUpdated {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// When it was logged.
    pub at: Timestamp,
    /// Its detail-type on the bus.
    pub kind: UpdateKind,
    /// What the carrier says it is.
    pub status: Status,
    /// How the carrier spells that status, where it is not the status itself. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_status: Option<String>,
    /// When the carrier says it was.
    pub timestamp: Timestamp,
    /// The offset that the carrier wrote its time in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_offset: Option<String>,
    /// How much less than a point in time the carrier told. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_precision: Option<Precision>,
    /// The location that the update names, as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The carrier's name, where the update says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number, where the update says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that it belongs to, where the update says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Was it the current one when it was decided? Messages say so. The fold compares for itself,
    /// since version 1 took the later sequence of two updates with the same time.
    pub current: bool,
    /// The current status before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<Status>,
    /// The event that brought it.
    pub origin: Origin,
    /// Members of the detail that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

impl ShipmentUpdated {
    /// Did the current status become another one?
    pub fn changed_status(&self) -> bool {
        self.current && self.previous_status.as_ref() != Some(&self.status)
    }
}

/// It was found to have had no update for longer than its environment allows. It carries what its
/// messages say of the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipmentStalled {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// When this was noted.
    pub at: Timestamp,
    /// Since when nothing was heard of it: when its last update arrived.
    pub stalled_since: Timestamp,
    /// The status of the update that is current.
    pub status: Status,
    /// The time of that update, as its carrier told it.
    pub timestamp: Timestamp,
    /// The location of that update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who carries it, by the latest update that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number, by the latest update that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that it belongs to, by the latest update that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
}

/// Every kind of event of a shipment, in the order of the variants of [`Event`].
pub(super) const KINDS: [Kind<Event>; 2] = [
    Kind {
        name: "ShipmentUpdated",
        upcasters: &[may_say_how_it_was_told],
        read: |data| serde_json::from_str(data).map(Event::ShipmentUpdated),
    },
    Kind {
        name: "ShipmentStalled",
        upcasters: &[],
        read: |data| serde_json::from_str(data).map(Event::ShipmentStalled),
    },
];

/// Version 2 has two members more, `carrierStatus` and `timestampPrecision`, both optional.
fn may_say_how_it_was_told(data: Object) -> Object {
    data
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().name.to_owned()
    }

    fn event_version(&self) -> String {
        self.kind().version().to_string()
    }
}

impl Event {
    /// Its kind. An index that [`KINDS`] does not have is refused by the compiler.
    pub fn kind(&self) -> &'static Kind<Self> {
        match self {
            Self::ShipmentUpdated(_) => &KINDS[0],
            Self::ShipmentStalled(_) => &KINDS[1],
        }
    }

    /// Writes it down.
    pub(super) fn encode(&self) -> Result<EncodedEvent, serde_json::Error> {
        match self {
            Self::ShipmentUpdated(data) => self.kind().write(data),
            Self::ShipmentStalled(data) => self.kind().write(data),
        }
    }

    /// The update that it is, where it is one.
    pub fn update(&self) -> Option<&ShipmentUpdated> {
        match self {
            Self::ShipmentUpdated(update) => Some(update),
            Self::ShipmentStalled(_) => None,
        }
    }
}
