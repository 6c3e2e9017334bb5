//! The messages that follow from an event: the function `notify` sends them, and announcing sends
//! them again.

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

/// The channel that a message is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The EventBridge bus, for systems.
    Bus,
    /// The SNS topic for alerts, for people.
    Topic,
}

/// A message of an event. It follows from the event alone, so it is the same whenever it is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The message's id, by which consumers recognise a repeat:
    /// `<aggregate>/<sequence>/<detail-type>`.
    pub id: String,
    /// The sequence of the message's event.
    pub sequence: u64,
    /// The detail-type, such as `Order Created`. An alert has one as well.
    pub detail_type: String,
    /// The channel.
    pub channel: Channel,
    /// The name of the bus, or the topic's ARN.
    pub to: String,
    /// The source of a message on the bus: `waybill.orders` or `waybill.shipments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The detail of a message on the bus, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
    /// The subject of the mail, for a message to the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text of the mail, for a message to the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The messages that would be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// The messages, in the order of their events.
    pub messages: Vec<Message>,
    /// The commits of which no messages can be made, with the reason for an operator.
    pub refused: Vec<Refused>,
    /// Whether there are more than
    /// [`PREVIEWED_MESSAGES_MAX`](crate::limits::PREVIEWED_MESSAGES_MAX).
    pub more: bool,
}

/// A commit of which no messages can be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The sequence of the commit's first event.
    pub sequence: u64,
    /// The reason: a code such as `unreadable_event`, and what is wrong.
    pub reason: String,
}

/// The messages of a commit, in the order of its events. Fails with the reason where none can be
/// made.
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

/// The messages of an order or shipment, from the first commit on whose first event has the
/// sequence `from` or a higher one; at most `limit`. Fails with `NotFound` where it has no such
/// events, and with `Corrupt` where a commit cannot be read.
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

/// The error for an order or shipment without events from `from` on.
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
