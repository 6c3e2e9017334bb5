//! The traits that an aggregate and its commands implement for the event store, beside cqrs-es's
//! own.

use cqrs_es::{Aggregate, event_sink::EventSink};

use crate::{
    Digest, Refusal, Timestamp,
    event::{self, EncodedEvent, EventKind, Undecodable},
    personal::{Sealed, UnsealedPersonalData},
};

/// A command to an aggregate: the request of its sender, and the time at which it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command<I> {
    /// The time at which the command arrived, or the time of the aggregate's last commit where that
    /// is later, because the clock was set back.
    pub at: Timestamp,
    /// The content of the command.
    pub intent: I,
}

/// The content of a command: what it requests of its aggregate, and how a repeat of it is
/// recognised.
pub trait Intent: Clone + Send + Sync {
    /// The digest of the content. A command id that is used again with another digest is refused.
    /// Time, source and caller are not part of it, since a retry may change them.
    ///
    /// Contents that lead to different events have different digests, with one exception: the
    /// default of `fulfilment`, which depends on an order's source. The same order from another
    /// source is the same order.
    fn digest(&self) -> Digest;

    /// The digest that earlier builds computed for the same content, where it differs from today's.
    /// Commits that they wrote contain it.
    fn earlier_digest(&self) -> Option<Digest> {
        None
    }

    /// Whether the same content under another command id is a repeat of the same command, and so
    /// has no second effect.
    fn recognised_by_content(&self) -> bool;

    /// Whether the command creates its aggregate. Where the aggregate exists already with the same
    /// content, the answer is its present status.
    fn creates(&self) -> bool;

    /// The personal data of the command that are not sealed yet; `None` where it has none. They are
    /// sealed before the command is executed.
    fn unsealed(&self) -> Option<UnsealedPersonalData> {
        None
    }

    /// Stores the sealed form of the data that [`Intent::unsealed`] returned.
    fn seal(&mut self, _sealed: Sealed) {}

    /// Whether the command is probably the first of its aggregate. Then it is tried without a load,
    /// and a failed append shows that the aggregate exists, at the cost of one more request.
    fn is_probably_first(&self) -> bool {
        self.creates()
    }
}

/// An aggregate whose history the event store keeps.
///
/// cqrs-es asks for `handle` and `apply`. Here the decision is a plain function,
/// [`EventSourced::decide`], to which [`handle`] delegates: a test calls it without a runtime, and
/// it never awaits anything.
pub trait EventSourced:
    Aggregate<Command = Command<Self::Intent>, Event: 'static, Error = Refusal, Services = ()> + Clone
{
    /// The content of the aggregate's commands.
    type Intent: Intent;

    /// The name of the state's schema, such as `order/2`. A load ignores a snapshot with another
    /// one. It must change whenever the state's fields or their meaning change; a test with a
    /// frozen sample fails until it does.
    const STATE_SCHEMA: &'static str;

    /// The events that `command` leads to, none where nothing changes. Fails with a [`Refusal`]
    /// where the command is invalid, or the state does not allow it.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Refusal>;

    /// Every kind of event that the aggregate's histories hold.
    fn kinds() -> &'static [EventKind<Self::Event>];

    /// Encodes an event in the latest version of its kind.
    fn encode(event: &Self::Event) -> Result<EncodedEvent, serde_json::Error>;

    /// Decodes an event of any version ever written. Fails where the event is damaged, or written
    /// by newer code.
    fn decode(event: &EncodedEvent) -> Result<Self::Event, Undecodable> {
        event::decode(Self::kinds(), event)
    }

    /// Whether `intent` leads to `event`. It is called for an event whose commit has the same digest
    /// as `intent`: the digests of earlier builds left out some of the content that decides the
    /// event.
    fn follows_from(_event: &Self::Event, _intent: &Self::Intent) -> bool {
        true
    }

    /// Whether `event` has the content of `intent`, apart from personal data. It is used where
    /// their digests cannot be compared: the event's personal data are sealed with a key that is
    /// destroyed, or an older build stored them as they were sent.
    fn equals_except_personal_data(_event: &Self::Event, _intent: &Self::Intent) -> bool {
        false
    }

    /// Whether the state may be stored in a snapshot. A state with personal data that are not
    /// sealed must not be stored: an erasure could not reach that copy.
    fn may_be_in_snapshot(&self) -> bool {
        true
    }

    /// The status that `event` gave its aggregate. It is part of the answer to the event's command,
    /// even when the command is repeated years later.
    fn status_of(event: &Self::Event) -> &str;

    /// The present status, `None` before the first event.
    fn status(&self) -> Option<&str>;

    /// The actions that are allowed next, by their names in the HTTP API.
    fn allowed_actions(&self) -> &'static [&'static str];

    /// The state after `events`.
    fn folded(mut self, events: impl IntoIterator<Item = Self::Event>) -> Self {
        for event in events {
            self.apply(event);
        }
        self
    }
}

/// Implements cqrs-es's `handle` for every [`EventSourced`] aggregate.
pub async fn handle<A: EventSourced>(
    aggregate: &mut A,
    command: &Command<A::Intent>,
    sink: &EventSink<A>,
) -> Result<(), Refusal> {
    for event in aggregate.decide(command)? {
        sink.write(event, aggregate).await;
    }
    Ok(())
}
