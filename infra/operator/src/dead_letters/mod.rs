//! The dead letters: objects in a bucket, which are batches that a consumer of the stream has
//! failed to handle, and messages in a queue, which are events, orders and files that another
//! function has failed to handle. Both are kept for 14 days.
//!
//! They contain what customers have sent. A list says what each dead letter is about and why it is
//! there; only [`payload`] returns the content.

use std::{collections::BTreeSet, time::Duration};

use domain::{Json, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use projectors::batch::arrivals;
use serde::{Deserialize, Serialize};

pub(crate) mod function;
pub(crate) mod letter;
pub(crate) mod message;
mod reasons;
pub(crate) mod store;

pub use letter::Consumer;
pub(crate) use message::truncated;
pub use reasons::{may_succeed, meaning};

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{ABOUT_MAX, LISTED_OBJECTS_MAX, OBJECTS_AT_ONCE, PEEK_HIDDEN, PEEKED_MESSAGES_MAX},
};
use message::Message;
use store::{DeadLetterStore, Object, QueueDepth};

/// The identity of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", content = "name", rename_all = "lowercase")]
pub enum LetterId {
    /// An object of the bucket, with its key.
    Stream(String),
    /// A message of the queue, with its id.
    Message(String),
}

/// A dead letter without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The dead letter's identity.
    pub id: LetterId,
    /// The time at which it became a dead letter.
    pub at: Option<Timestamp>,
    /// Its age in seconds, by the environment's clock.
    pub age_seconds: u64,
    /// The function that has failed to handle it: the end of the function's name, such as `notify`
    /// or `bus`. `None` where the content does not tell it.
    pub role: Option<String>,
    /// The reason: the code of a refused command's refusal, or else the error of Lambda or
    /// EventBridge. `None` where nothing says it.
    pub reason: Option<String>,
    /// The field at fault of a command that was refused, such as `items[3].price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with a refused command, in Waybill's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether a retry of it as it is may succeed, as [`may_succeed`] says.
    pub may_succeed: bool,
    /// The source and detail-type of an event; `None` where the dead letter is not an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is about: orders and shipments as `order#<orderId>`, the source and detail-type of
    /// an event, the key of a file. At most [`ABOUT_MAX`] texts.
    pub about: Vec<String>,
    /// Whether it is about more than `about` contains.
    pub about_more: bool,
    /// The size of its content in bytes.
    pub bytes: u64,
}

impl DeadLetter {
    /// Why it is a dead letter, in one line.
    pub fn why(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or("nobody has said why");
        let at = self.field.as_ref().map(|field| format!(" at {field}"));
        let said = self.message.as_ref().map(|said| format!(": {said}"));
        format!(
            "{reason}{}{}",
            at.unwrap_or_default(),
            said.unwrap_or_default()
        )
    }

    /// Whether a retry may succeed, in words.
    pub fn prospect(&self) -> &'static str {
        match self.may_succeed {
            true => "may succeed when tried again",
            false => "cannot succeed as it is",
        }
    }
}

/// A page of the dead letters in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamPage {
    /// The dead letters, in the order of their keys.
    pub letters: Vec<DeadLetter>,
    /// The key after which the next page begins; `None` on the last page.
    pub next: Option<String>,
}

/// The dead letters that were found in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueLook {
    /// The dead letters, in no particular order.
    pub letters: Vec<DeadLetter>,
    /// Whether there are more than were received.
    pub more: bool,
    /// The approximate number of messages that another reader has received: SQS hides them.
    pub hidden: u64,
}

/// Lists the dead letters of the stream after the key `after`, at most `limit` and never more than
/// [`LISTED_OBJECTS_MAX`]. It reads each of these objects.
pub async fn stream_page(
    environment: &Environment,
    after: Option<&str>,
    limit: u32,
) -> Result<StreamPage, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let limit = limit.clamp(1, LISTED_OBJECTS_MAX);
    let limit = i32::try_from(limit).unwrap_or(1);
    let page = store.objects(after, limit).await?;
    let last = page.objects.last().map(|last| last.key.clone());
    let looks = page.objects.into_iter();
    let looks = looks.map(|object| of_object(environment, &store, object));
    let letters = stream::iter(looks).buffered(OBJECTS_AT_ONCE);
    let letters: Vec<Option<DeadLetter>> = letters.try_collect().await?;
    Ok(StreamPage {
        letters: letters.into_iter().flatten().collect(),
        next: last.filter(|_| page.more),
    })
}

/// Lists the dead letters of the queue, at most `limit` and never more than
/// [`PEEKED_MESSAGES_MAX`]. SQS shows a message only to a reader that receives it: each message is
/// received, hidden from other readers meanwhile, and returned at the end.
pub async fn queue(environment: &Environment, limit: u32) -> Result<QueueLook, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let QueueDepth { visible, hidden } = store.depth().await?;
    let most = limit.clamp(1, PEEKED_MESSAGES_MAX) as usize;
    // The local queue counts exactly, so there is no need to wait for a message that does not
    // exist.
    let exact = environment.endpoint().is_some();
    let here = usize::try_from(visible).unwrap_or(usize::MAX);
    let limit = if exact { most.min(here) } else { most };
    let (looked, more) = peek(&store, limit, |_| false).await?;
    let more = if exact { here > limit } else { more };
    let letters = looked
        .iter()
        .map(|message| of_message(environment, message));
    Ok(QueueLook {
        letters: letters.collect(),
        more,
        hidden,
    })
}

/// The content of a dead letter as text: of an object, the record that Lambda has written to the
/// failure destination; of a message, the payload of the function. It may contain what customers
/// have sent. Fails with `NotFound` where it does not exist any more, or is hidden since another
/// reader has received it.
pub async fn payload(environment: &Environment, id: &LetterId) -> Result<String, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    match id {
        LetterId::Stream(key) => {
            let content = store.object(key).await?.ok_or_else(|| not_found(id))?;
            Ok(String::from_utf8_lossy(&content).into_owned())
        }
        LetterId::Message(wanted) => {
            let is_it = |message: &Message| message.id == *wanted;
            let (looked, _) = peek(&store, PEEKED_MESSAGES_MAX as usize, is_it).await?;
            let found = looked.into_iter().find(is_it);
            found
                .map(|message| message.body)
                .ok_or_else(|| not_found(id))
        }
    }
}

/// One dead letter without its content. Fails with `NotFound` where it does not exist any more, or
/// is hidden since another reader has received it.
pub async fn letter(environment: &Environment, id: &LetterId) -> Result<DeadLetter, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    match id {
        LetterId::Stream(key) => {
            let object = store.find_object(key).await?.ok_or_else(|| not_found(id))?;
            let letter = of_object(environment, &store, object).await?;
            letter.ok_or_else(|| not_found(id))
        }
        LetterId::Message(wanted) => {
            let is_it = |message: &Message| message.id == *wanted;
            let (looked, _) = peek(&store, PEEKED_MESSAGES_MAX as usize, is_it).await?;
            let found = looked.iter().find(|message| is_it(message));
            let found = found.ok_or_else(|| not_found(id))?;
            Ok(of_message(environment, found))
        }
    }
}

/// A message of the queue with its body.
pub(crate) struct Sent {
    pub(crate) id: LetterId,
    /// The time at which it was sent to the queue.
    pub(crate) at: Option<Timestamp>,
    /// The body, which may contain what customers have sent.
    pub(crate) body: String,
}

/// Lists at most `limit` dead letters of the queue with their bodies. The second value says whether
/// there are more, including those that another reader has received.
pub(crate) async fn sent(
    environment: &Environment,
    limit: u32,
) -> Result<(Vec<Sent>, bool), OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let hidden = store.depth().await?.hidden;
    let (looked, more) = peek(&store, limit as usize, |_| false).await?;
    let sent = looked.into_iter().map(|message| Sent {
        id: LetterId::Message(message.id),
        at: Timestamp::from_millis(message.sent_ms),
        body: message.body,
    });
    Ok((sent.collect(), more || hidden > 0))
}

/// The error for a dead letter that was not found.
pub(crate) fn not_found(id: &LetterId) -> OperatorError {
    OperatorError::NotFound(match id {
        LetterId::Stream(key) => format!("there is no dead letter {key}"),
        LetterId::Message(id) => {
            format!("the dead letter {id} was not found: it is gone, or another retry has taken it")
        }
    })
}

/// Receives messages until `enough` is true for one of them, the queue is empty, or `limit`
/// messages were received; then returns all of them to the queue. The second value says whether
/// there may be more.
pub(crate) async fn peek(
    store: &DeadLetterStore,
    limit: usize,
    enough: impl Fn(&Message) -> bool,
) -> Result<(Vec<Message>, bool), OperatorError> {
    let (looked, more) = receive(store, limit, enough).await?;
    store.give_all_back(&receipts(&looked)).await;
    Ok((looked, more))
}

/// Receives messages as [`peek`] does, and leaves it to the caller to return or delete them. Where
/// some cannot be received, the others are returned to the queue.
pub(crate) async fn receive(
    store: &DeadLetterStore,
    limit: usize,
    enough: impl Fn(&Message) -> bool,
) -> Result<(Vec<Message>, bool), OperatorError> {
    let mut all: Vec<Message> = Vec::new();
    while all.len() < limit && !all.iter().any(&enough) {
        match store.take(PEEK_HIDDEN).await {
            Ok(some) if some.is_empty() => return Ok((all, false)),
            Ok(some) => all.extend(some.into_iter().filter_map(Message::of)),
            Err(error) => {
                store.give_all_back(&receipts(&all)).await;
                return Err(error);
            }
        }
    }
    Ok((all, true))
}

/// The receipts by which messages that were received are deleted or returned.
pub(crate) fn receipts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|one| one.receipt.clone()).collect()
}

async fn of_object(
    environment: &Environment,
    store: &DeadLetterStore,
    object: Object,
) -> Result<Option<DeadLetter>, OperatorError> {
    let Some(content) = store.object(&object.key).await? else {
        return Ok(None);
    };
    let mut letter = DeadLetter {
        id: LetterId::Stream(object.key),
        at: object.at,
        age_seconds: age(environment, object.at),
        role: None,
        reason: None,
        field: None,
        message: None,
        may_succeed: true,
        from: None,
        about: Vec::new(),
        about_more: false,
        bytes: object.bytes,
    };
    match letter::read(&content, &environment.names) {
        Ok(given_up) => {
            letter.role = Some(given_up.consumer.name().to_owned());
            letter.reason = given_up.condition;
            let arrivals = arrivals(&environment.projectors, &given_up.batch);
            let names: BTreeSet<String> = arrivals
                .unwrap_or_default()
                .into_iter()
                .map(|one| one.aggregate)
                .collect();
            letter.about_more = names.len() > ABOUT_MAX;
            letter.about = names.into_iter().take(ABOUT_MAX).collect();
        }
        Err(reason) => letter.reason = Some(truncated(reason)),
    }
    letter.may_succeed = may_succeed(letter.role.as_deref(), letter.reason.as_deref());
    Ok(Some(letter))
}

pub(crate) fn of_message(environment: &Environment, message: &Message) -> DeadLetter {
    let at = Timestamp::from_millis(message.sent_ms);
    let (role, reason) = (function::role_of(&message.body), message.reason());
    DeadLetter {
        may_succeed: may_succeed(role, reason.as_deref()),
        id: LetterId::Message(message.id.clone()),
        at,
        age_seconds: age(environment, at),
        role: role.map(str::to_owned),
        reason,
        field: message.field.clone().map(truncated),
        message: message.message.clone().map(truncated),
        from: event(&message.body).map(truncated),
        about: about(&message.body),
        about_more: false,
        bytes: message.body.len() as u64,
    }
}

/// What an event, an order or a file is about, as far as its content tells: at most the order, the
/// shipment, the file's key, and the event's source with its detail-type.
pub(crate) fn about(body: &str) -> Vec<String> {
    let members = Json::parse(body).ok().and_then(Json::into_object);
    let Some(members) = members else {
        return Vec::new();
    };
    let text = |json: Option<&Json>| match json {
        Some(Json::String(text)) => Some(text.clone()),
        // An id may be a whole number, which stands for its digits.
        Some(Json::Number(number)) if number.is_whole() => Some(number.to_string()),
        _ => None,
    };
    let detail = match members.get("detail") {
        Some(Json::Object(detail)) => Some(detail),
        _ => None,
    };
    let ids = |of: &domain::json::Object| {
        [("orderId", "order"), ("shipmentId", "shipment")].map(|(name, kind)| {
            let id = text(of.get(name))?;
            Some(format!("{kind}#{id}"))
        })
    };
    let mut about: Vec<Option<String>> = ids(detail.unwrap_or(&members)).into();
    if let Some(Json::Object(object)) = detail.and_then(|detail| detail.get("object")) {
        about.push(text(object.get("key")));
    }
    about.push(event(body));
    about.into_iter().flatten().map(truncated).collect()
}

/// The orders, shipments or files that an event, an order or a file is about, without the source and
/// detail-type of an event.
pub(crate) fn subjects(body: &str) -> Vec<String> {
    let mut all = about(body);
    if let Some(event) = event(body).map(truncated) {
        all.retain(|name| *name != event);
    }
    all
}

/// An event's source and detail-type; `None` where the body is not an event.
fn event(body: &str) -> Option<String> {
    let members = Json::parse(body).ok()?.into_object()?;
    match (members.get("source")?, members.get("detail-type")?) {
        (Json::String(source), Json::String(kind)) => Some(format!("{source}: {kind}")),
        _ => None,
    }
}

fn age(environment: &Environment, at: Option<Timestamp>) -> u64 {
    let now = environment.now().millis();
    let millis = at.map_or(0, |at| now.saturating_sub(at.millis()).max(0));
    Duration::from_millis(millis.unsigned_abs()).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_it_is_about_and_nothing_else_that_is_in_it() {
        let event = r#"{"source":"logistics.shipments","detail-type":"Shipment Update",
            "detail":{"shipmentId":"S-1","orderId":"O-1","location":"Elm Street 7"}}"#;
        let expected = [
            "order#O-1",
            "shipment#S-1",
            "logistics.shipments: Shipment Update",
        ];
        assert_eq!(about(event), expected);
        let file = r#"{"source":"aws.s3","detail-type":"Object Created",
            "detail":{"object":{"key":"orders/a.json"}}}"#;
        assert_eq!(about(file), ["orders/a.json", "aws.s3: Object Created"]);
        let order = r#"{"orderId":"O-2","customerName":"Ann","items":[]}"#;
        assert_eq!(about(order), ["order#O-2"]);
        assert_eq!(about(r#"{"orderId":4711,"items":[]}"#), ["order#4711"]);
        assert!(about("no JSON").is_empty());
        assert_eq!(subjects(file), ["orders/a.json"]);
        assert_eq!(subjects(order), ["order#O-2"]);
    }
}
