//! An order: placed once, then processed or cancelled, and so it stays.
//!
//! ```text
//!              ┌─ automatic: NEW ────────┐   ┌─ PROCESSED
//! OrderPlaced ─┤                         ├──▶┤
//!              └─ merchant: PROCESSING ──┘   └─ CANCELLED
//! ```
//!
//! - [`command`]: what can be wanted of it, and what is sent
//! - `accept`, `amounts`, `names`: whether it can be placed; what it comes to; names nearly right
//! - [`events`]: what can have happened to it

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    Refusal, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, Kind},
    limits::TEXT_MAX,
};

mod accept;
mod amounts;
pub mod command;
pub mod events;
pub mod names;

use accept::check_text;
pub use command::{Adjustment, AdjustmentType, Command, Fulfilment, Intent, Item, Place, PlacedAt};
pub use events::{Event, OrderCancelled, OrderPlaced, OrderProcessed};

// ---- What it is now

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Nobody has placed it.
    #[default]
    Unplaced,
    /// It waits for its completion.
    Open(Box<OrderPlaced>),
    /// It is completed.
    Processed {
        /// The order.
        order: Box<OrderPlaced>,
        /// When it was completed.
        at: Timestamp,
    },
    /// It is cancelled.
    Cancelled {
        /// The order.
        order: Box<OrderPlaced>,
        /// When it was cancelled.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Waybill is going to complete it.
    New,
    /// The shop is going to complete it.
    Processing,
    /// Completed.
    Processed,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::New,
        Self::Processing,
        Self::Processed,
        Self::Cancelled,
    ];

    /// May it become another one yet?
    pub fn is_open(self) -> bool {
        !self.allowed_actions().is_empty()
    }

    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Processing => "PROCESSING",
            Self::Processed => "PROCESSED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// What may be done next, in the words of the HTTP API.
    pub fn allowed_actions(self) -> &'static [&'static str] {
        match self {
            Self::New | Self::Processing => &["complete", "cancel"],
            Self::Processed | Self::Cancelled => &[],
        }
    }

    /// Where a placed order begins.
    pub fn initial(fulfilment: Fulfilment) -> Self {
        match fulfilment {
            Fulfilment::Automatic => Self::New,
            Fulfilment::Merchant => Self::Processing,
        }
    }
}

impl Order {
    /// Where it stands, `None` before it is placed.
    pub fn standing(&self) -> Option<Status> {
        match self {
            Self::Unplaced => None,
            Self::Open(order) => Some(Status::initial(order.fulfilment)),
            Self::Processed { .. } => Some(Status::Processed),
            Self::Cancelled { .. } => Some(Status::Cancelled),
        }
    }
}

// ---- How it decides

impl EventSourced for Order {
    type Intent = Intent;

    const SHAPE: &'static str = "order/2";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let at = command.at;
        match (self, &command.intent) {
            (Self::Unplaced, Intent::Place(place)) => place.accepted(at).map(|event| vec![event]),
            (Self::Unplaced, _) => Err(Refusal::NotFound {
                message: "there is no such order".to_owned(),
            }),
            (Self::Open(order), Intent::Place(place))
            | (Self::Processed { order, .. }, Intent::Place(place))
            | (Self::Cancelled { order, .. }, Intent::Place(place)) => {
                place.known_as(order).map(|()| vec![])
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
            (_, Intent::Fulfil) => Ok(vec![]),
            (Self::Processed { .. }, _) => Err(closed(Status::Processed)),
            (Self::Cancelled { .. }, _) => Err(closed(Status::Cancelled)),
        }
    }

    fn kinds() -> &'static [Kind<Event>] {
        &events::KINDS
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        event.encode()
    }

    fn status_of(event: &Event) -> &str {
        match event {
            Event::OrderPlaced(placed) => Status::initial(placed.fulfilment).as_str(),
            Event::OrderProcessed(_) => Status::Processed.as_str(),
            Event::OrderCancelled(_) => Status::Cancelled.as_str(),
        }
    }

    fn status(&self) -> Option<&str> {
        self.standing().map(Status::as_str)
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        self.standing().map_or(&[], Status::allowed_actions)
    }
}

fn closed(status: Status) -> Refusal {
    Refusal::Conflict {
        code: "order_closed",
        message: format!("the order is {} and stays it", status.as_str()),
    }
}

// ---- How it evolves

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
            // Decided by nothing above, so it stands in no history that `decide` has written.
            (state, _) => state,
        };
    }
}
