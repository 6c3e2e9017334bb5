//! The messages that an event makes: what `notify` sends of it, and what announcing sends once more.

use domain::{AggregateId, Json};
use event_store::Commit;
use projectors::{
    limits::HISTORY_PAGES_MAX,
    notifications::event_of,
    notify,
    ports::{Alert, Announcement},
    rebuild::RebuildError,
};
use serde::Serialize;

use crate::{environment::Environment, error::OperatorError, limits::HISTORY_PAGE};

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The bus, for systems.
    Bus,
    /// The topic, for people.
    Topic,
}

/// A message that an event makes. It follows from the event alone, so it is the same whenever it is
/// sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// By which consumers know a repeat: `<aggregate>/<sequence>/<detail-type>`.
    pub id: String,
    /// The sequence of its event.
    pub sequence: u64,
    /// What happened, such as `Order Created`; of an alert as well.
    pub detail_type: String,
    /// Where it goes.
    pub channel: Channel,
    /// The name of the bus, or the topic's ARN.
    pub to: String,
    /// On the bus: `waybill.orders` or `waybill.shipments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// On the bus: what it says, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
    /// On the topic: the mail's subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// On the topic: its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Which messages would be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// They, in the order of their events.
    pub messages: Vec<Message>,
    /// Commits of which none can be made, with the reason, for an operator.
    pub refused: Vec<Refused>,
    /// Are there more than [`PREVIEWED_MESSAGES_MAX`](crate::limits::PREVIEWED_MESSAGES_MAX)?
    pub more: bool,
}

/// A commit that makes no messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The sequence of its first event.
    pub sequence: u64,
    /// Why: a code such as `unreadable_event`, and what is wrong.
    pub reason: String,
}

/// The messages that a commit makes, in the order of its events; else why it makes none.
pub fn of_commit(environment: &Environment, commit: &Commit) -> Result<Vec<Message>, Refused> {
    let made = notify::messages_of(commit, environment.name());
    let made = made.map_err(|(code, reason)| Refused {
        sequence: commit.sequence,
        reason: format!("{code}: {reason}"),
    })?;
    let bus = environment.names.bus();
    let topic = &environment.settings.alerts_arn;
    let announced = made.announcements.into_iter();
    let announced = announced.map(|announcement| bus_message(&bus, announcement));
    let alerts = made
        .alerts
        .into_iter()
        .map(|alert| topic_message(topic, alert));
    let mut messages: Vec<Message> = announced.chain(alerts).collect();
    messages.sort_by_key(|message| message.sequence);
    Ok(messages)
}

/// The messages of an order or shipment from the first commit on that begins with event `from` or a
/// later one: at most [`PREVIEWED_MESSAGES_MAX`](crate::limits::PREVIEWED_MESSAGES_MAX). `NotFound`
/// where it has no events from there on, `Corrupt` where a commit cannot be read.
pub(crate) async fn of_history(
    environment: &Environment,
    id: &AggregateId,
    from: u64,
    limit: usize,
) -> Result<Messages, OperatorError> {
    let (mut found, mut next) = (Messages::default(), from);
    for _ in 0..HISTORY_PAGES_MAX {
        let history = environment.projectors.store.history(id, next, HISTORY_PAGE);
        let page = history.await.map_err(RebuildError::from)?;
        let Some(last) = page.commits.last() else {
            break;
        };
        next = last.next_sequence();
        for commit in &page.commits {
            match of_commit(environment, commit) {
                Ok(messages) => found.messages.extend(messages),
                Err(refused) => found.refused.push(refused),
            }
            if found.messages.len() > limit {
                found.messages.truncate(limit);
                found.more = true;
                return Ok(found);
            }
        }
        if page.next.is_none() {
            break;
        }
    }
    match next == from {
        true => Err(no_events(id, from)),
        false => Ok(found),
    }
}

/// The error of an order or shipment that has no events from there on.
pub(crate) fn no_events(id: &AggregateId, from: u64) -> OperatorError {
    OperatorError::NotFound(format!("{id} has no events from {from} on"))
}

fn bus_message(bus: &str, announcement: Announcement) -> Message {
    let (sequence, _) = event_of(&announcement.id).unwrap_or_default();
    Message {
        id: announcement.id,
        sequence,
        detail_type: announcement.detail_type.to_owned(),
        channel: Channel::Bus,
        to: bus.to_owned(),
        source: Some(announcement.source.to_owned()),
        detail: Some(announcement.detail),
        subject: None,
        text: None,
    }
}

fn topic_message(topic: &str, alert: Alert) -> Message {
    let (sequence, detail_type) = event_of(&alert.id).unwrap_or_default();
    Message {
        sequence,
        detail_type: detail_type.to_owned(),
        id: alert.id,
        channel: Channel::Topic,
        to: topic.to_owned(),
        source: None,
        detail: None,
        subject: Some(alert.subject),
        text: Some(alert.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_knows_its_event_whatever_its_id_holds() {
        let alert = |aggregate: &str| Alert {
            id: format!("{aggregate}/7/Shipment Alert"),
            subject: "s".to_owned(),
            body: "b".to_owned(),
            attributes: Vec::new(),
        };
        for aggregate in ["shipment#S-1", "shipment#3/4"] {
            let message = topic_message("arn", alert(aggregate));
            let told = (message.sequence, message.detail_type.as_str());
            assert_eq!(told, (7, "Shipment Alert"), "{aggregate}");
        }
    }
}
