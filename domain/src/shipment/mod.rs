//! The aggregate of a shipment: a log of carriers' updates, in whatever order they arrive.
//!
//! Every update is logged, a late one too. The current update is the one with the latest
//! `timestamp`; of several with the same one (carriers often round to minutes) the one whose status
//! is furthest along; of equal ones the one that arrived last.
//!
//! A shipment is stalled where it is under way and has had no update for too long. Its history gets
//! one event of it for each current update, and the next update of any kind ends the stall.
//!
//! - [`command`]: the commands to a shipment: to log an update, and to note that it is stalled
//! - [`events`]: the events of a shipment
//! - [`status`]: the status of a shipment, and how carriers' spellings are read

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    OrderId, Refusal, ShipmentId, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, EventKind},
    ids::check_external_id,
    limits::CLOCK_AHEAD_HOURS,
};

pub mod command;
pub mod events;
pub mod status;

pub use command::{Command, Intent, Origin, Stall, Update, UpdateKind, meaningful};
pub use events::{Event, ShipmentStalled, ShipmentUpdated};
pub use status::{InvalidStatus, Status};

// ---- State

/// The state of a shipment. Missing values are not written, so that the usual snapshot is small
/// enough to cost no further write unit in its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shipment {
    /// The number of logged updates.
    pub updates: u64,
    /// The arrival of the last update, late ones included; `None` before the first.
    #[serde(rename = "heardAt")]
    pub last_update_at: Option<Timestamp>,
    /// The current update's share of the state; `None` before the first update.
    pub current: Option<Current>,
    /// The carrier's name, by the latest update that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Latest<String>>,
    /// The carrier's own number of the parcel, by the latest update that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<Latest<String>>,
    /// The order that the shipment belongs to, by the latest update that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Latest<OrderId>>,
}

/// What the current update says of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Current {
    /// The shipment's id.
    pub shipment_id: ShipmentId,
    /// The status that the current update names.
    pub status: Status,
    /// The time of the current update, according to its carrier.
    pub timestamp: Timestamp,
    /// The location that the current update names. It is not taken over from an older update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The stall that was noted since the current update: at most one for each current update.
    #[serde(default, rename = "silence", skip_serializing_if = "Option::is_none")]
    pub stall: Option<NotedStall>,
}

/// A stall: a shipment had no update for longer than its environment allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotedStall {
    /// The arrival of the last update before it.
    pub since: Timestamp,
    /// Whether an update has arrived since. A late one, which is not current, ends the stall as
    /// well.
    pub over: bool,
}

impl Current {
    /// Whether an update of this time and status that arrives now becomes the current one.
    fn is_superseded_by(&self, timestamp: Timestamp, status: &Status) -> bool {
        (self.timestamp, self.status.progress()) <= (timestamp, status.progress())
    }
}

impl Shipment {
    /// The arrival of the last update of a stalled shipment; `None` where it is not stalled.
    pub fn stalled_since(&self) -> Option<Timestamp> {
        let stall = self.current.as_ref()?.stall.as_ref()?;
        (!stall.over).then_some(stall.since)
    }

    /// The arrival of the last update of a shipment that will be stalled if no further one arrives;
    /// `None` where it cannot stall, or is noted as stalled since its current update.
    pub fn watched_since(&self) -> Option<Timestamp> {
        let current = self.current.as_ref()?;
        let watched = current.status.expects_updates() && current.stall.is_none();
        self.last_update_at.filter(|_| watched)
    }
}

/// A property of the shipment, such as its carrier. An update that leaves it out does not change
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T> {
    /// The value.
    pub value: T,
    /// The time of the update that named it.
    pub timestamp: Timestamp,
}

/// Takes over the value that an update names, unless an update of a later time has named one.
fn take_latest<T>(known: &mut Option<Latest<T>>, value: Option<T>, timestamp: Timestamp) {
    if let Some(value) = value
        && known
            .as_ref()
            .is_none_or(|known| known.timestamp <= timestamp)
    {
        *known = Some(Latest { value, timestamp });
    }
}

// ---- Decisions

impl EventSourced for Shipment {
    type Intent = Intent;

    const STATE_SCHEMA: &'static str = "shipment/3";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match &command.intent {
            Intent::Update(update) => self.decide_update(update, command.at),
            Intent::Stall(stall) => Ok(self.decide_stall(stall, command.at).into_iter().collect()),
        }
    }

    fn kinds() -> &'static [EventKind<Event>] {
        &events::KINDS
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        event.encode()
    }

    fn status_of(event: &Event) -> &str {
        match event {
            Event::ShipmentUpdated(update) => update.status.as_str(),
            Event::ShipmentStalled(stalled) => stalled.status.as_str(),
        }
    }

    fn follows_from(event: &Event, intent: &Intent) -> bool {
        match (event, intent) {
            // The status follows from the detail and the kind. It is not compared: builds that read
            // fewer spellings took another one from the same detail, and a repeat is a repeat.
            (Event::ShipmentUpdated(update), Intent::Update(sent)) => update.kind == sent.kind,
            (Event::ShipmentStalled(stalled), Intent::Stall(stall)) => {
                stalled.stalled_since == stall.last_update_at
            }
            (Event::ShipmentUpdated(_) | Event::ShipmentStalled(_), _) => false,
        }
    }

    fn status(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.status.as_str())
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        &["update"]
    }
}

impl Shipment {
    fn decide_update(&self, update: &Update, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let sent = update.timestamp.as_ref();
        let timestamp = sent.map_or(update.origin.time, |sent| sent.at);
        if timestamp.is_ahead_of(at, CLOCK_AHEAD_HOURS) {
            let message = format!(
                "{timestamp} is more than {CLOCK_AHEAD_HOURS} hours after its arrival, {}",
                at
            );
            return Err(Refusal::field("timestamp", message));
        }
        check_external_id("trackingNumber", update.tracking_number.as_deref())?;
        let current = self.current.as_ref();
        Ok(vec![Event::ShipmentUpdated(Box::new(ShipmentUpdated {
            shipment_id: update.shipment_id.clone(),
            at,
            kind: update.kind,
            status: update.status.clone(),
            carrier_status: update.carrier_status.clone(),
            timestamp,
            timestamp_offset: sent.and_then(|sent| sent.offset.clone()),
            timestamp_precision: sent.and_then(|sent| sent.precision),
            location: update.location.clone(),
            carrier: update.carrier.clone(),
            tracking_number: update.tracking_number.clone(),
            order_id: update.order_id.clone(),
            current: current
                .is_none_or(|current| current.is_superseded_by(timestamp, &update.status)),
            previous_status: current.map(|current| current.status.clone()),
            origin: update.origin.clone(),
            attributes: update.attributes.clone(),
        }))])
    }

    /// The event of the stall; none where an update has arrived since, the stall is noted already,
    /// or the shipment has reached a status in which it cannot stall.
    fn decide_stall(&self, stall: &Stall, at: Timestamp) -> Option<Event> {
        let watched_since = self.watched_since()?;
        let current = self.current.as_ref()?;
        (watched_since == stall.last_update_at).then(|| {
            Event::ShipmentStalled(Box::new(ShipmentStalled {
                shipment_id: current.shipment_id.clone(),
                at,
                stalled_since: watched_since,
                status: current.status.clone(),
                timestamp: current.timestamp,
                location: current.location.clone(),
                carrier: value_of(&self.carrier),
                tracking_number: value_of(&self.tracking_number),
                order_id: value_of(&self.order_id),
            }))
        })
    }
}

fn value_of<T: Clone>(known: &Option<Latest<T>>) -> Option<T> {
    known.as_ref().map(|known| known.value.clone())
}

// ---- Evolution

impl Aggregate for Shipment {
    const TYPE: &'static str = "shipment";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        aggregate::handle(self, &command, sink).await
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::ShipmentUpdated(update) => self.apply_update(*update),
            Event::ShipmentStalled(stalled) => {
                if let Some(current) = &mut self.current {
                    current.stall = Some(NotedStall {
                        since: stalled.stalled_since,
                        over: false,
                    });
                }
            }
        }
    }
}

impl Shipment {
    fn apply_update(&mut self, update: ShipmentUpdated) {
        self.updates += 1;
        self.last_update_at = Some(update.at);
        let current = self.current.as_ref();
        if current.is_none_or(|current| current.is_superseded_by(update.timestamp, &update.status))
        {
            self.current = Some(Current {
                shipment_id: update.shipment_id,
                status: update.status,
                timestamp: update.timestamp,
                location: update.location,
                stall: None,
            });
        } else if let Some(stall) = self.current.as_mut().and_then(|now| now.stall.as_mut()) {
            stall.over = true;
        }
        take_latest(&mut self.carrier, update.carrier, update.timestamp);
        take_latest(
            &mut self.tracking_number,
            update.tracking_number,
            update.timestamp,
        );
        take_latest(&mut self.order_id, update.order_id, update.timestamp);
    }
}
