//! The erasures of an owner's personal data: a history of its own for each owner, which says when
//! which key was destroyed. It holds no personal data, and stays for ever.
//!
//! The event is the order to erase: whoever reads it destroys the key, if that is not done yet, and
//! rewrites the rows. So an erasure that was accepted is carried out, whatever fails in between.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Json, Refusal, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, EventKind},
    personal::Owner,
};

/// A command to the erasures of an owner.
pub type Command = aggregate::Command<Intent>;

/// Erases the personal data of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The owner of the personal data.
    pub owner: Owner,
    /// The version of the owner's latest key, which is to be destroyed with all before it; 0 where
    /// the owner has none.
    pub key: u32,
}

/// The state of the erasures of an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// The latest erasure; `None` before the first.
    pub latest: Option<CustomerErased>,
}

/// An event of an owner's erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The personal data of a customer, or of an order without one, were erased.
    CustomerErased(CustomerErased),
}

/// The personal data of a customer, or of an order without one, were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerErased {
    /// The owner of the personal data, such as `customer#42`.
    pub owner: Owner,
    /// The time of the erasure. What older builds have stored openly before it is erased, too.
    pub at: Timestamp,
    /// The version of the owner's latest key, which is destroyed with all before it; 0 where the
    /// owner had none.
    pub key: u32,
}

/// The status of every erasure, in answers.
pub const STATUS: &str = "ERASED";

/// Every kind of event, in the order of the variants of [`Event`].
const KINDS: [EventKind<Event>; 1] = [EventKind {
    name: "CustomerErased",
    upcasters: &[],
    decode: |data| serde_json::from_str(data).map(Event::CustomerErased),
}];

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        KINDS[0].name.to_owned()
    }

    fn event_version(&self) -> String {
        KINDS[0].version().to_string()
    }
}

impl aggregate::Intent for Intent {
    fn digest(&self) -> Digest {
        // The same command again is a repeat, whatever key the owner was given since.
        Digest::of(&Json::from(format!("erase {}", self.owner)))
    }

    fn recognised_by_content(&self) -> bool {
        false
    }

    fn creates(&self) -> bool {
        false
    }
}

impl EventSourced for Erasures {
    type Intent = Intent;

    const STATE_SCHEMA: &'static str = "erasures/1";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let Intent { owner, key } = &command.intent;
        // The key was looked up before the command was decided, and may have been made, and its
        // erasure noted, since: the latest note stands for all before it, so its key never goes
        // back.
        let latest = self.latest.as_ref().map_or(0, |latest| latest.key);
        // An owner without a key may have given personal data to an older build since.
        let done = latest >= *key && *key > 0;
        Ok(match done {
            true => Vec::new(),
            false => vec![Event::CustomerErased(CustomerErased {
                owner: owner.clone(),
                at: command.at,
                key: latest.max(*key),
            })],
        })
    }

    fn kinds() -> &'static [EventKind<Event>] {
        &KINDS
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        match event {
            Event::CustomerErased(data) => KINDS[0].encode(data),
        }
    }

    fn status_of(_event: &Event) -> &str {
        STATUS
    }

    fn status(&self) -> Option<&str> {
        self.latest.as_ref().map(|_| STATUS)
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        &[]
    }
}

impl Aggregate for Erasures {
    const TYPE: &'static str = "erasure";
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
        let Event::CustomerErased(erased) = event;
        self.latest = Some(erased);
    }
}
