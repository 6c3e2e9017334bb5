//! The traits that an aggregate and its commands implement for the event store, beside cqrs-es's
//! own.

use cqrs_es::{Aggregate, event_sink::EventSink};

use crate::{
    Digest, Refusal, Timestamp,
    event::{self, EncodedEvent, EventKind, Undecodable},
    personal::{Sealed, UnsealedPersonalData},
};

/// A command to an aggregate: what its sender wants, and the time at which it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command<I> {
    /// The time of its arrival, or of the aggregate's last commit where the clock has gone back
    /// since.
    pub at: Timestamp,
    /// What the sender wants.
    pub intent: I,
}

/// The content of a command: what it asks of its aggregate, and how a repeat of it is recognised.
pub trait Intent: Clone + Send + Sync {
    /// The digest of the content. A command id that is used again with another digest is refused.
    /// Time, source and caller are not part of it, since a retry may change them.
    ///
    /// Contents that lead to different events have different digests, with one exception: the
    /// default of `fulfilment`, which depends on an order's source. The same order from another
    /// source is the same order.
    fn digest(&self) -> Digest;

    /// The digest that earlier builds took of the same content, where it differs from that of
    /// today. Commits that they wrote hold it.
    fn earlier_digest(&self) -> Option<Digest> {
        None
    }

    /// Whether the same content under another command id is a repeat of the same command, and so
    /// has no second effect.
    fn recognised_by_content(&self) -> bool;

    /// Whether the command creates its aggregate. If the aggregate exists already with the same
    /// content, the sender is answered with its present status.
    fn creates(&self) -> bool;

    /// The personal data of the command that are not sealed yet; `None` where it has none. They are
    /// sealed before anything else is done with the command.
    fn unsealed(&self) -> Option<UnsealedPersonalData> {
        None
    }

    /// Takes the sealed form of what [`Intent::unsealed`] has named.
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

    /// Whether `intent` leads to `event`. It is asked of an event whose commit has a digest of
    /// `intent`, since the digests of earlier builds left out some of what decides the event.
    fn follows_from(_event: &Self::Event, _intent: &Self::Intent) -> bool {
        true
    }

    /// Whether `event` has the content of `intent`, where their digests cannot be compared: the
    /// personal data of the event are sealed with a key that the owner has no more, or older builds
    /// stored them as they were sent.
    fn equals_except_personal_data(_event: &Self::Event, _intent: &Self::Intent) -> bool {
        false
    }

    /// Whether the state may be stored in a snapshot. One with personal data that are not sealed
    /// may not: it would be another copy that nobody can erase.
    fn may_be_in_snapshot(&self) -> bool {
        true
    }

    /// The status that `event` gave its aggregate. It is the answer to the event's command, also
    /// when that is repeated years later.
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
