//! The messages of an order or shipment: those that each event makes, when they were sent as far as
//! that is known here, and sending them once more.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{Form as Posted, Query},
    response::Response,
    routing::get,
};
use domain::AggregateId;
use operator::{
    Environment, announce,
    history::{HistoryEvent, history},
    messages::{Channel, Message, Messages},
    parked,
};
use serde::Deserialize;

use super::{parked_view::ParkedView, subject::Subject};
use crate::{
    About, Console,
    at::At,
    backend::Failure,
    change::{Form, FormValues, OperatorAction},
    limits::STEPS_MAX,
    links,
    operating::{EmittedMessage, additional},
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/messages", get(show))
        .route("/messages/announce", get(ask).post(send))
}

/// Returns the path of the page of the messages of an order or shipment.
pub(super) fn messages_link(aggregate: &str) -> String {
    links::query("/messages", &[("aggregate", Some(aggregate))])
}

#[derive(Clone, Deserialize)]
struct Params {
    aggregate: String,
    /// The sequence of one event, where only its messages are meant.
    event: Option<u64>,
    /// The sequence of the last event whose messages were just sent.
    sent: Option<u64>,
}

impl Params {
    fn id(&self) -> Result<AggregateId, Failure> {
        self.aggregate.parse().map_err(|_| Failure::Message {
            status: 404,
            message: "order#<orderId> or shipment#<shipmentId> was expected.".to_owned(),
        })
    }

    /// Returns the path that sends the messages once more.
    fn announce(&self) -> String {
        let event = self.event.map(|event| event.to_string());
        let names = [
            ("aggregate", Some(self.aggregate.as_str())),
            ("event", event.as_deref()),
        ];
        links::query("/messages/announce", &names)
    }

    fn nav(&self) -> Nav {
        match self.aggregate.starts_with("order#") {
            true => Nav::Orders,
            false => Nav::Shipments,
        }
    }
}

/// A message and when it was sent.
pub(super) struct MessageView {
    pub(super) id: String,
    pub(super) detail_type: String,
    pub(super) to: String,
    pub(super) channel: &'static str,
    /// The known times at which the message was sent, newest first.
    pub(super) emitted: Vec<At>,
}

impl MessageView {
    fn of(message: Message, emitted: &BTreeMap<&str, Vec<At>>) -> Self {
        Self {
            emitted: emitted
                .get(message.id.as_str())
                .cloned()
                .unwrap_or_default(),
            id: message.id,
            detail_type: message.detail_type,
            to: message.to,
            channel: match message.channel {
                Channel::Bus => "bus",
                Channel::Topic => "topic",
            },
        }
    }
}

/// The messages of an order or shipment by the event that makes them, for a page of its history.
#[derive(Default)]
pub(super) struct MessagesByEvent {
    by_event: BTreeMap<u64, (String, Vec<MessageView>)>,
    /// Whether all stored messages were searched for when they were sent; `None` where it is not
    /// known here which messages were sent.
    known: Option<bool>,
    /// The sequence of the event at which `notify` is parked.
    parked_at: Option<u64>,
}

/// The messages that one event makes.
pub(super) struct EventView {
    /// The messages; empty where the event makes none.
    pub(super) messages: Vec<MessageView>,
    /// Whether it is known here which messages were sent.
    pub(super) known: bool,
    /// Whether `notify` is parked at this event or before it.
    pub(super) is_waiting: bool,
}

impl MessagesByEvent {
    /// Removes and returns the messages of an event.
    pub(super) fn take(&mut self, sequence: u64) -> EventView {
        let messages = self.by_event.remove(&sequence);
        EventView {
            messages: messages.map_or(Vec::new(), |(_, messages)| messages),
            known: self.known.is_some(),
            is_waiting: self.parked_at.is_some_and(|at| sequence >= at),
        }
    }

    /// Returns the remaining events with messages: sequence, kind and messages.
    pub(super) fn others(mut self) -> Vec<(u64, String, EventView)> {
        let left: Vec<u64> = self.by_event.keys().copied().collect();
        let kind = |made: &Self, at: u64| made.by_event.get(&at).map(|(kind, _)| kind.clone());
        let one = |at: u64| (at, kind(&self, at).unwrap_or_default(), self.take(at));
        left.into_iter().map(one).collect()
    }
}

/// Reads the messages of every event of an order or shipment, and when they were sent. `None` where
/// they cannot be read soon enough. The messages follow from the events alone.
pub(super) async fn messages_by_event(
    console: &Console,
    id: &AggregateId,
) -> Option<MessagesByEvent> {
    let look = |environment: Arc<Environment>| async move {
        let (history, parked) = futures::join!(
            history(&environment, id, None),
            parked::of(&environment, id)
        );
        Ok((history?, parked?))
    };
    let emitted = async {
        match console.operating().local() {
            Some(local) => local.emitted(&format!("{id}/")).await,
            None => None,
        }
    };
    let (found, emitted) = futures::join!(additional(console, look), emitted);
    let (history, parked) = found?;
    let known = emitted.as_ref().map(|(_, all)| *all);
    let emitted = emitted.map_or(Vec::new(), |(emitted, _)| emitted);
    let by_id = by_id(&emitted);
    let events = history
        .events
        .into_iter()
        .filter(|event| !event.messages.is_empty());
    let by_event = events.map(|event| {
        let messages = event.messages.into_iter();
        let messages = messages.map(|it| MessageView::of(it, &by_id)).collect();
        let kind = event.kind.unwrap_or_default();
        (event.sequence, (kind, messages))
    });
    let parked_at = parked.iter().find(|one| one.consumer == "notify");
    Some(MessagesByEvent {
        by_event: by_event.collect(),
        known,
        parked_at: parked_at.map(|one| one.sequence),
    })
}

/// An event and the messages that it makes.
struct Event {
    sequence: u64,
    kind: String,
    at: Option<At>,
    messages: Vec<MessageView>,
    unreadable: Option<String>,
    announce: String,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    command: String,
    subject: Subject,
    events: Vec<Event>,
    more: bool,
    /// Whether all stored messages were searched for when they were sent; `None` where it is not
    /// known here which messages were sent.
    known: Option<bool>,
    parked: Option<ParkedView>,
    announce: String,
    sent: Option<u64>,
}

async fn show(view: View, Query(which): Query<Params>) -> Response {
    let title = format!("Messages of {}", which.aggregate);
    let head = Head::new(
        which.nav(),
        title,
        format!("the messages of {}", which.aggregate),
    );
    let console = view.console.clone();
    view.show(head, async move {
        let id = which.id()?;
        let operating = console.operating();
        let environment = operating.environment().await?;
        let emitted = async {
            match operating.local() {
                Some(local) => local.emitted(&format!("{id}/")).await,
                None => None,
            }
        };
        let (history, parked, emitted) = futures::join!(
            history(&environment, &id, None),
            parked::of(&environment, &id),
            emitted,
        );
        let known = emitted.as_ref().map(|(_, all)| *all);
        let emitted = emitted.map_or(Vec::new(), |(emitted, _)| emitted);
        let by_id = by_id(&emitted);
        let events = history?.events;
        let more = events.len() > STEPS_MAX;
        let shown = events.into_iter().take(STEPS_MAX);
        let parked = parked?.into_iter().find(|one| one.consumer == "notify");
        let named = links::quoted(&which.aggregate.replacen('#', "/", 1));
        let flags = &console.about().flags;
        Page::of(&MessagesPage {
            command: format!("waybill history {named} --messages {flags}"),
            subject: Subject::of(&which.aggregate),
            events: shown.map(|event| event_of(event, &which, &by_id)).collect(),
            more,
            known,
            parked: parked.as_ref().map(ParkedView::of),
            announce: Params {
                event: None,
                ..which.clone()
            }
            .announce(),
            sent: which.sent,
        })
    })
    .await
}

fn by_id(emitted: &[EmittedMessage]) -> BTreeMap<&str, Vec<At>> {
    let mut by_id: BTreeMap<&str, Vec<At>> = BTreeMap::new();
    for one in emitted {
        by_id.entry(&one.id).or_default().push(At(one.at.clone()));
    }
    by_id
}

fn event_of(event: HistoryEvent, which: &Params, emitted: &BTreeMap<&str, Vec<At>>) -> Event {
    let messages = event.messages.into_iter();
    Event {
        sequence: event.sequence,
        kind: event.kind.unwrap_or_else(|| "An event".to_owned()),
        at: event.at.map(|at| At(at.to_string())),
        messages: messages.map(|it| MessageView::of(it, emitted)).collect(),
        unreadable: event.unreadable,
        announce: Params {
            event: Some(event.sequence),
            ..which.clone()
        }
        .announce(),
    }
}

#[derive(Template)]
#[template(path = "announce.html")]
struct AnnouncePage<'a> {
    about: &'a About,
    subject: Subject,
    event: Option<u64>,
    messages: Vec<MessageView>,
    refused: Vec<String>,
    more: bool,
    back: String,
    command: String,
    form: Option<Form>,
}

fn form(which: &Params, view: &View) -> Form {
    Form::new(which.announce(), "Announce once more", view)
}

/// Shows which messages would be sent.
async fn ask(view: View, Query(which): Query<Params>) -> Response {
    let title = format!("Announce {} once more", which.aggregate);
    let head = Head::new(
        which.nav(),
        title,
        format!("the messages of {}", which.aggregate),
    );
    let form = form(&which, &view);
    let console = view.console.clone();
    view.show(head, async move {
        let id = which.id()?;
        let environment = console.operating().environment().await?;
        let Messages {
            messages,
            refused,
            more,
        } = match which.event {
            Some(event) => announce::preview_event(&environment, &id, event).await?,
            None => announce::preview(&environment, &id, 1).await?,
        };
        let about = console.about();
        let named = links::quoted(&which.aggregate.replacen('#', "/", 1));
        let any = !messages.is_empty();
        let none = BTreeMap::new();
        let refused = refused.into_iter();
        Page::of(&AnnouncePage {
            about,
            subject: Subject::of(&which.aggregate),
            event: which.event,
            messages: messages
                .into_iter()
                .map(|it| MessageView::of(it, &none))
                .collect(),
            refused: refused
                .map(|it| format!("event {}: {}", it.sequence, it.reason))
                .collect(),
            more,
            back: messages_link(&which.aggregate),
            command: format!("waybill announce {named} {}", about.flags),
            form: (about.may_change() && any).then_some(form),
        })
    })
    .await
}

async fn send(
    view: View,
    Query(which): Query<Params>,
    Posted(sent): Posted<FormValues>,
) -> Response {
    let (aggregate, back) = (which.aggregate.clone(), messages_link(&which.aggregate));
    let effect = match which.event {
        Some(event) => format!("the messages of event {event} of {aggregate} are sent once more."),
        None => format!("every message of {aggregate} is sent once more."),
    };
    let action = OperatorAction {
        nav: which.nav(),
        title: format!("Announce {aggregate} once more"),
        effect: effect + " They have the same ids: whoever has heard one knows it again.",
        form: form(&which, &view).filled(&sent),
        back: back.clone(),
    };
    let console = view.console.clone();
    action
        .carry_out(view, &sent, async move {
            let id = which.id()?;
            let environment = console.operating().environment().await?;
            let announced = match which.event {
                Some(event) => announce::event(&environment, &id, event).await?,
                None => announce::one(&environment, &id, 1).await?,
            };
            let to = announced.to_sequence.to_string();
            Ok(links::query(&back, &[("sent", Some(to.as_str()))]))
        })
        .await
}
