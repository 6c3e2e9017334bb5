//! The aggregate of an order: it is placed once, then processed or cancelled, which is final.
//!
//! ```text
//!              ┌─ automatic: NEW ────────┐   ┌─ PROCESSED
//! OrderPlaced ─┤                         ├──▶┤
//!              └─ merchant: PROCESSING ──┘   └─ CANCELLED
//! ```
//!
//! - [`command`]: the commands to an order, and an order as it is sent
//! - `accept`, `amounts`, [`names`]: checks before placing; amounts; misspelt names of members
//! - [`events`]: the events of an order

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    Refusal, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, EventKind},
    limits::TEXT_MAX,
};

mod accept;
mod amounts;
pub mod command;
pub mod events;
pub mod names;

use accept::check_text;
pub use command::{
    Adjustment, AdjustmentType, Command, Fulfilment, Intent, Item, PlaceOrder, PlacedAt,
};
pub use events::{Event, OrderCancelled, OrderPlaced, OrderProcessed};

// ---- State

/// The state of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The order does not exist yet.
    #[default]
    Unplaced,
    /// The order is placed, and neither completed nor cancelled.
    Open(Box<OrderPlaced>),
    /// The order is completed.
    Processed {
        /// The order as it was placed.
        order: Box<OrderPlaced>,
        /// The time of its completion.
        at: Timestamp,
    },
    /// The order is cancelled.
    Cancelled {
        /// The order as it was placed.
        order: Box<OrderPlaced>,
        /// The time of its cancellation.
        at: Timestamp,
        /// The reason that the sender of the cancellation gave.
        reason: Option<String>,
    },
}

/// The status of an order, written in capitals in rows, messages and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Placed; Waybill completes it.
    New,
    /// Placed; the shop completes it.
    Processing,
    /// Completed; final.
    Processed,
    /// Cancelled; final.
    Cancelled,
}

impl Status {
    /// All statuses of an order.
    pub const ALL: [Self; 4] = [
        Self::New,
        Self::Processing,
        Self::Processed,
        Self::Cancelled,
    ];

    /// Whether the status can still change.
    pub fn is_open(self) -> bool {
        !self.allowed_actions().is_empty()
    }

    /// The status in rows, messages and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Processing => "PROCESSING",
            Self::Processed => "PROCESSED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The actions that are allowed next, by their names in the HTTP API.
    pub fn allowed_actions(self) -> &'static [&'static str] {
        match self {
            Self::New | Self::Processing => &["complete", "cancel"],
            Self::Processed | Self::Cancelled => &[],
        }
    }

    /// The status of an order that was just placed.
    pub fn initial(fulfilment: Fulfilment) -> Self {
        match fulfilment {
            Fulfilment::Automatic => Self::New,
            Fulfilment::Merchant => Self::Processing,
        }
    }
}

impl Order {
    /// The order's status, `None` before it is placed.
    pub fn order_status(&self) -> Option<Status> {
        match self {
            Self::Unplaced => None,
            Self::Open(order) => Some(Status::initial(order.fulfilment)),
            Self::Processed { .. } => Some(Status::Processed),
            Self::Cancelled { .. } => Some(Status::Cancelled),
        }
    }
}

// ---- Decisions

impl EventSourced for Order {
    type Intent = Intent;

    const STATE_SCHEMA: &'static str = "order/3";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let at = command.at;
        match (self, &command.intent) {
            (Self::Unplaced, Intent::Place(place)) => place.accepted(at).map(|event| vec![event]),
            (Self::Unplaced, Intent::Complete | Intent::Fulfil | Intent::Cancel { .. }) => {
                Err(Refusal::NotFound {
                    message: "there is no such order".to_owned(),
                })
            }
            (Self::Open(order), Intent::Place(place))
            | (Self::Processed { order, .. }, Intent::Place(place))
            | (Self::Cancelled { order, .. }, Intent::Place(place)) => {
                place.check_equals(order).map(|()| vec![])
            }
            (Self::Open(order), Intent::Complete) => Ok(vec![order.processed(at)]),
            (Self::Open(order), Intent::Fulfil) => match order.fulfilment {
                Fulfilment::Automatic => Ok(vec![order.processed(at)]),
                Fulfilment::Merchant => Ok(vec![]),
            },
            (Self::Open(order), Intent::Cancel { reason }) => {
                check_text("reason", reason, TEXT_MAX)?;
                Ok(vec![order.cancelled(at, reason.clone())])
            }
            (Self::Processed { .. } | Self::Cancelled { .. }, Intent::Fulfil) => Ok(vec![]),
            (Self::Processed { .. }, Intent::Complete | Intent::Cancel { .. }) => {
                Err(closed(Status::Processed))
            }
            (Self::Cancelled { .. }, Intent::Complete | Intent::Cancel { .. }) => {
                Err(closed(Status::Cancelled))
            }
        }
    }

    fn kinds() -> &'static [EventKind<Event>] {
        &events::KINDS
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        event.encode()
    }

    fn equals_except_personal_data(event: &Event, intent: &Intent) -> bool {
        match (event, intent) {
            (Event::OrderPlaced(placed), Intent::Place(place)) => {
                place.cannot_compare_personal(placed) && place.check_equals(placed).is_ok()
            }
            _ => false,
        }
    }

    fn may_be_in_snapshot(&self) -> bool {
        match self {
            Self::Unplaced => true,
            Self::Open(order) | Self::Processed { order, .. } | Self::Cancelled { order, .. } => {
                !order.is_open()
            }
        }
    }

    fn status_of(event: &Event) -> &str {
        match event {
            Event::OrderPlaced(placed) => Status::initial(placed.fulfilment).as_str(),
            Event::OrderProcessed(_) => Status::Processed.as_str(),
            Event::OrderCancelled(_) => Status::Cancelled.as_str(),
        }
    }

    fn status(&self) -> Option<&str> {
        self.order_status().map(Status::as_str)
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        self.order_status().map_or(&[], Status::allowed_actions)
    }
}

fn closed(status: Status) -> Refusal {
    Refusal::Conflict {
        code: "order_closed",
        message: format!("the order is {} and stays it", status.as_str()),
    }
}

// ---- Evolution

impl Aggregate for Order {
    const TYPE: &'static str = "order";
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
        *self = match (std::mem::take(self), event) {
            (_, Event::OrderPlaced(order)) => Self::Open(order),
            (Self::Open(order), Event::OrderProcessed(event)) => Self::Processed {
                order,
                at: event.at,
            },
            (Self::Open(order), Event::OrderCancelled(event)) => Self::Cancelled {
                order,
                at: event.at,
                reason: event.reason,
            },
            // `decide` never leads to such an event in this state, so no history has one.
            (state, _) => state,
        };
    }
}
