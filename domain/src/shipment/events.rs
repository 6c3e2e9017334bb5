//! What can have happened to a shipment. These names and fields are stored: they never change, see
//! [`crate::event`].

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Origin, Status, UpdateKind};
use crate::{OrderId, ShipmentId, Timestamp, event::Upcaster, json::Object, time::Precision};

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
    /// What kind of update.
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
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that it belongs to.
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
    /// Whatever else was sent.
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
    /// The current update's status,
    pub status: Status,
    /// time
    pub timestamp: Timestamp,
    /// and place.
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

/// The version that `ShipmentUpdated` is written in.
pub(super) const UPDATED_VERSION: u32 = 2;

/// The version that `ShipmentStalled` is written in.
pub(super) const STALLED_VERSION: u32 = 1;

/// Every step from an older version of an event to the next.
pub(super) const UPCASTERS: &[Upcaster] = &[Upcaster {
    kind: "ShipmentUpdated",
    from: 1,
    // Version 2 has two members more, both optional.
    up: |data| data,
}];

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        match self {
            Self::ShipmentUpdated(_) => UPDATED_VERSION.to_string(),
            Self::ShipmentStalled(_) => STALLED_VERSION.to_string(),
        }
    }
}

impl Event {
    /// What happened, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ShipmentUpdated(_) => "ShipmentUpdated",
            Self::ShipmentStalled(_) => "ShipmentStalled",
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
