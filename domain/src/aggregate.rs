//! What an aggregate owes the event store, beside cqrs-es's own trait.

use cqrs_es::{Aggregate, event_sink::EventSink};

use crate::{
    Digest, Refusal, Timestamp,
    event::{self, EncodedEvent, Kind, Undecodable},
};

/// What somebody wants, and when: an aggregate's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command<I> {
    /// When it arrived, or the time of the last commit where the clock has gone back since.
    pub at: Timestamp,
    /// What is wanted.
    pub intent: I,
}

/// What can be wanted of an aggregate, and how it is known again.
pub trait Intent: Clone + Send + Sync {
    /// Tells this content from another: a command id that comes again with another digest is
    /// refused. Time, source and caller have no part in it, since a retry may change them.
    ///
    /// Contents that lead to different events have different digests. The one exception is the
    /// default of `fulfilment`, which an order's source decides: the same order by another way is
    /// the same order.
    fn digest(&self) -> Digest;

    /// The digest of the same content as earlier builds took it, where it was another one: it
    /// stands in their commits.
    fn earlier_digest(&self) -> Option<Digest> {
        None
    }

    /// Is the same content under another command id the same command, and not to be done again?
    fn known_by_content(&self) -> bool;

    /// Does it expect that nothing is there yet? To whoever creates what is there already, it
    /// stands as it stands now.
    fn creates(&self) -> bool;

    /// Is it likely the first that is heard of its aggregate? Then it is tried without a load, and
    /// the append finds out; where it was not, it has cost a request.
    fn comes_first(&self) -> bool {
        self.creates()
    }
}

/// An aggregate whose history the event store keeps.
///
/// cqrs-es asks for `handle` and `apply`. Here the decision is a plain function, and `handle` hands
/// over to it ([`handle`]), so a decision can be tried without a runtime and never awaits anything.
pub trait EventSourced:
    Aggregate<Command = Command<Self::Intent>, Event: 'static, Error = Refusal, Services = ()> + Clone
{
    /// What can be wanted of it.
    type Intent: Intent;

    /// A name of the state's shape: a snapshot of another shape is passed over. It changes
    /// whenever the state's fields or their meaning do; a frozen sample of it fails until then.
    const SHAPE: &'static str;

    /// The events that `command` leads to, none where nothing changes; or why not.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Refusal>;

    /// Every kind of event that its histories hold.
    fn kinds() -> &'static [Kind<Self::Event>];

    /// Writes an event down, in the version of today.
    fn encode(event: &Self::Event) -> Result<EncodedEvent, serde_json::Error>;

    /// Reads an event, of any version ever written.
    fn decode(event: &EncodedEvent) -> Result<Self::Event, Undecodable> {
        event::decode(Self::kinds(), event)
    }

    /// Is `event` one that `intent` leads to? Asked of an event whose commit bears a digest of
    /// `intent`, since digests of earlier builds left out something that decides the event.
    fn follows_from(_event: &Self::Event, _intent: &Self::Intent) -> bool {
        true
    }

    /// The status that `event` gave: what the sender of its command is answered, today as on the
    /// first day.
    fn status_of(event: &Self::Event) -> &str;

    /// The status now, `None` before the first event.
    fn status(&self) -> Option<&str>;

    /// What may be done next, in the words of the HTTP API.
    fn allowed_actions(&self) -> &'static [&'static str];

    /// The state that `events` lead to.
    fn folded(mut self, events: impl IntoIterator<Item = Self::Event>) -> Self {
        for event in events {
            self.apply(event);
        }
        self
    }
}

/// cqrs-es's `handle` for every [`EventSourced`] aggregate.
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
