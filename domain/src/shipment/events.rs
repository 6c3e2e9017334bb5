//! The events of a shipment. Their names and fields are stored and never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Origin, Status, UpdateKind};
use crate::{
    OrderId, ShipmentId, Timestamp,
    event::{EncodedEvent, EventKind},
    json::Object,
    time::Precision,
};

/// An event of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An update was logged.
    ShipmentUpdated(Box<ShipmentUpdated>),
    /// The shipment has had no update for longer than its environment allows.
    ShipmentStalled(Box<ShipmentStalled>),
}

/// An update was logged. The event carries all that its messages say of the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipmentUpdated {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The time at which the update was logged.
    pub at: Timestamp,
    /// The kind of the update, by its detail-type on the bus.
    pub kind: UpdateKind,
    /// The shipment's status according to the carrier.
    pub status: Status,
    /// The carrier's spelling of the status, where it differs from `status`. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_status: Option<String>,
    /// The time of the update according to the carrier; that of `origin` where the carrier named
    /// none.
    pub timestamp: Timestamp,
    /// The offset from UTC in which the carrier wrote its time, such as `+02:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_offset: Option<String>,
    /// The precision of the carrier's time, where it named a date alone. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_precision: Option<Precision>,
    /// The location that the update names, as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The carrier's name, where the update has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number of the parcel, where the update has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that the shipment belongs to, where the update names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Whether the update was the current one when it was decided; messages say so. The fold
    /// compares for itself, since version 1 took the later sequence of two updates with the same
    /// time.
    pub current: bool,
    /// The shipment's current status before this update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<Status>,
    /// The event that brought the update.
    pub origin: Origin,
    /// Members of the detail that the contract does not name, as they were sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

impl ShipmentUpdated {
    /// Whether the update changed the shipment's current status.
    pub fn changed_status(&self) -> bool {
        self.current && self.previous_status.as_ref() != Some(&self.status)
    }
}

/// A shipment has had no update for longer than its environment allows. The event carries all that
/// its messages say of the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipmentStalled {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The time at which the stall was noted.
    pub at: Timestamp,
    /// The arrival of the shipment's last update.
    pub stalled_since: Timestamp,
    /// The status of the current update.
    pub status: Status,
    /// The time of the current update, according to its carrier.
    pub timestamp: Timestamp,
    /// The location of the current update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The carrier's name, by the latest update that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number of the parcel, by the latest update that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that the shipment belongs to, by the latest update that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
}

/// Every kind of event of a shipment, in the order of the variants of [`Event`].
pub(super) const KINDS: [EventKind<Event>; 2] = [
    EventKind {
        name: "ShipmentUpdated",
        upcasters: &[shipment_updated_1_to_2],
        decode: |data| serde_json::from_str(data).map(Event::ShipmentUpdated),
    },
    EventKind {
        name: "ShipmentStalled",
        upcasters: &[],
        decode: |data| serde_json::from_str(data).map(Event::ShipmentStalled),
    },
];

/// Version 2 added `carrierStatus` and `timestampPrecision`, both optional.
fn shipment_updated_1_to_2(data: Object) -> Object {
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
    /// The event's kind. The compiler refuses an index that `KINDS` does not have.
    pub fn kind(&self) -> &'static EventKind<Self> {
        match self {
            Self::ShipmentUpdated(_) => &KINDS[0],
            Self::ShipmentStalled(_) => &KINDS[1],
        }
    }

    /// Encodes the event in the latest version of its kind.
    pub(super) fn encode(&self) -> Result<EncodedEvent, serde_json::Error> {
        match self {
            Self::ShipmentUpdated(data) => self.kind().encode(data),
            Self::ShipmentStalled(data) => self.kind().encode(data),
        }
    }

    /// The event as an update; `None` of any other event.
    pub fn update(&self) -> Option<&ShipmentUpdated> {
        match self {
            Self::ShipmentUpdated(update) => Some(update),
            Self::ShipmentStalled(_) => None,
        }
    }
}
