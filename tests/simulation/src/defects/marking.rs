//! Planted defects of the marking of shipments as stalled, in place of the command function.

use commands::Commands;
use domain::{
    AggregateId, Digest, EventSourced as _, Json, Shipment, Timestamp,
    aggregate::Command,
    shipment::{Event, ShipmentStalled, Stall},
};
use event_store::{Append, Cause, Loaded};
use lambda::{Answer, Failed};
use serde_json::Value;

use super::Defect;

/// Marks the shipment that an event names as stalled, with the planted defect.
pub async fn mark_wrongly(defect: Defect, commands: Commands, event: String) -> Answer {
    let failed = |error: &dyn std::fmt::Display| Failed(error.to_string());
    let event: Value = serde_json::from_str(&event).map_err(|error| failed(&error))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, last_update_at) = (
        text(&event["detail"]["shipmentId"]),
        text(&event["detail"]["heardAt"]),
    );
    let id: AggregateId = format!("shipment#{name}").parse().unwrap();
    let last_update_at: Timestamp = last_update_at.parse().unwrap();
    let loaded: Loaded<Shipment> = commands
        .store
        .load(&id)
        .await
        .map_err(|error| failed(&error))?;
    let now = commands.clock.now();
    let at = loaded.at.map_or(now, |last| last.max(now));
    let (events, command_id) = match defect {
        Defect::MarkedAnew => (anew(&loaded.state, last_update_at, at), text(&event["id"])),
        _ => (
            unseen(&loaded.state, last_update_at, at),
            format!("stalled/{last_update_at}"),
        ),
    };
    if events.is_empty() {
        return Ok(Value::Null);
    }
    let cause = Cause {
        digest: Digest::of(&Json::from(command_id.as_str())),
        command_id,
        actor: "waybill".to_owned(),
        source: "bus".to_owned(),
        correlation_id: "c".to_owned(),
        causation_id: "c".to_owned(),
        traceparent: None,
    };
    let commit = loaded.next_commit(events, at, cause);
    let commit = commit.map_err(|error| failed(&error))?;
    match commands.store.append(&commit).await {
        Ok(Append::Done) => Ok(Value::Null),
        Ok(Append::Occupied(_)) => Err(Failed("a rival was first".to_owned())),
        Err(error) => Err(failed(&error)),
    }
}

/// Returns the event without checking whether the shipment was marked before.
fn anew(shipment: &Shipment, last_update_at: Timestamp, at: Timestamp) -> Vec<Event> {
    let mut shipment = shipment.clone();
    let Some(current) = &mut shipment.current else {
        return Vec::new();
    };
    current.stall = None;
    let intent = Stall {
        shipment_id: current.shipment_id.clone(),
        last_update_at,
    };
    let command = Command {
        at,
        intent: domain::shipment::Intent::Stall(intent),
    };
    shipment.decide(&command).unwrap()
}

/// Returns the event without checking whether an update has arrived since.
fn unseen(shipment: &Shipment, last_update_at: Timestamp, at: Timestamp) -> Vec<Event> {
    let current = shipment.current.as_ref();
    let Some(current) = current.filter(|current| current.stall.is_none()) else {
        return Vec::new();
    };
    vec![Event::ShipmentStalled(Box::new(ShipmentStalled {
        shipment_id: current.shipment_id.clone(),
        at,
        stalled_since: last_update_at,
        status: current.status.clone(),
        timestamp: current.timestamp,
        location: current.location.clone(),
        carrier: None,
        tracking_number: None,
        order_id: None,
    }))]
}
