//! Events and files that a function has given up, taken up again: the messages of the queue.

use std::collections::{HashMap, HashSet};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use domain::{Digest, Json};
use futures::future::join_all;
use serde::Deserialize;

use crate::{
    dead_letters::{DeadLetters, Invoked},
    drive::bar,
    limits::{CLOCK_TOLERANCE, FOREIGN_ROUNDS_MAX, GIVEN_BACK_AT_ONCE, MESSAGES_MAX},
    outcome::OperatorError,
    retry::{Became, Beside, Told},
    target::Environment,
};

/// A message that was taken.
struct Taken {
    id: String,
    receipt: String,
    body: String,
    sent_ms: i64,
    /// Why a handler has put it there itself, where it has.
    reason: Option<String>,
}

impl Taken {
    fn of(message: Message) -> Option<Self> {
        let sent = message.attributes.as_ref();
        let sent = sent.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let own = message.message_attributes.as_ref();
        let told = |name: &str| own.and_then(|all| all.get(name)?.string_value.clone());
        let id = message.message_id?;
        // Lambda names the invocation that it has given up.
        let key = told("RequestID").map(|request| format!("request/{request}"));
        let key = key.unwrap_or_else(|| format!("letter/{id}"));
        Some(Self {
            sent_ms: sent.and_then(|text| text.parse().ok()).unwrap_or_default(),
            body: taken_up(message.body?, &key),
            receipt: message.receipt_handle?,
            reason: told("reason"),
            id,
        })
    }

    /// What it is known by: a queue keeps an event as often as it is sent there, which is more than
    /// once where a delivery was repeated. White space and the order of members do not count.
    fn mark(&self) -> Digest {
        let content = Json::parse(&self.body);
        Digest::of(&content.unwrap_or_else(|_| self.body.as_str().into()))
    }
}

/// What is to be done with a message that was taken.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// It is to be retried.
    Now,
    /// It was there before this began, and so was the one like it at this place: what becomes of
    /// that one becomes of this.
    Copy(usize),
    /// Not in this retry.
    NotYet,
}

/// What became of the messages so far.
#[derive(Default)]
struct Round {
    /// Each with its id; `None` while it is tried.
    became: Vec<(String, Option<Became>)>,
    /// Messages that were or are tried, by their mark: at which place of `became`.
    tried: HashMap<Digest, usize>,
    /// Messages to be given back at the end: else they would be taken again and again.
    receipts: Vec<String>,
    /// Messages that are not yet due.
    not_yet: HashSet<String>,
    /// Copies that were removed.
    copies: u64,
}

impl Round {
    /// Is it to be retried now? Not what came while this went on: it may be the very one that a
    /// function has refused for good, and put into the queue anew.
    fn due(&mut self, message: &Taken, begun_ms: i64) -> Due {
        // Two clocks that are both right differ by no more than this.
        let tolerance = i64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or_default();
        let Some(place) = self.tried.get(&message.mark()).copied() else {
            return match message.sent_ms < begun_ms + tolerance {
                true => {
                    self.tried.insert(message.mark(), self.became.len());
                    self.became.push((message.id.clone(), None));
                    Due::Now
                }
                false => self.not_yet(message),
            };
        };
        if self.became[place].0 == message.id || message.sent_ms + tolerance < begun_ms {
            return Due::Copy(place);
        }
        match &message.reason {
            Some(reason) => {
                let reason = format!("refused once more: {reason}");
                self.became[place].1 = Some(Became::Stays(reason));
                Due::NotYet
            }
            None => self.not_yet(message),
        }
    }

    fn not_yet(&mut self, message: &Taken) -> Due {
        self.not_yet.insert(message.id.clone());
        Due::NotYet
    }

    fn note(&mut self, message: &Taken, became: Became) {
        if became != Became::Done {
            self.receipts.push(message.receipt.clone());
        }
        if let Some(place) = self.tried.get(&message.mark()) {
            self.became[*place].1 = Some(became);
        }
    }

    /// Lets a copy go or stay with the one that is like it.
    async fn settle(&mut self, letters: &DeadLetters, copy: Taken, place: usize) {
        let gone = match self.became[place].1 {
            Some(Became::Done) => letters.delete_message(&copy.receipt).await.is_ok(),
            _ => false,
        };
        match gone {
            true => self.copies += 1,
            false => self.receipts.push(copy.receipt),
        }
    }
}

/// Takes up the messages that were there when this began.
pub(crate) async fn retry(
    environment: &Environment,
    letters: &DeadLetters,
    told: &mut Told,
) -> Result<(), OperatorError> {
    let begun_ms = environment.projectors.clock.now().millis();
    let before = letters.depth().await?;
    let template = "dead letters {wide_bar} {human_pos} of {human_len}, {eta} left";
    let bar = bar(before.visible, template);
    let mut round = Round::default();
    let taken = take_all(environment, letters, begun_ms, &mut round, &bar).await;
    bar.finish_and_clear();
    for receipts in round.receipts.chunks(GIVEN_BACK_AT_ONCE) {
        join_all(receipts.iter().map(|receipt| letters.give_back(receipt))).await;
    }
    // Those that were hidden from the beginning and have come back meanwhile were taken up. At the
    // end SQS may still count those that this one has taken.
    let hidden = match before.hidden {
        0 => 0,
        hidden => hidden.min(letters.depth().await?.hidden),
    };
    told.beside = Beside {
        copies: round.copies,
        hidden,
        not_yet_due: round.not_yet.len() as u64,
    };
    for (id, became) in round.became {
        let unknown = || Became::Unreachable("it was not tried to its end".to_owned());
        told.note("message", id, became.unwrap_or_else(unknown))?;
    }
    taken
}

async fn take_all(
    environment: &Environment,
    letters: &DeadLetters,
    begun_ms: i64,
    round: &mut Round,
    bar: &indicatif::ProgressBar,
) -> Result<(), OperatorError> {
    let mut foreign = 0;
    while foreign < FOREIGN_ROUNDS_MAX {
        if round.became.len() >= MESSAGES_MAX {
            let text = "there are more messages than one retry takes: start it again";
            return Err(OperatorError::Said(text.to_owned()));
        }
        let messages = letters.take().await?;
        if messages.is_empty() {
            return Ok(());
        }
        let (mut due, mut copies) = (Vec::new(), Vec::new());
        for message in messages.into_iter().filter_map(Taken::of) {
            match round.due(&message, begun_ms) {
                Due::Now => due.push(message),
                Due::Copy(place) => copies.push((message, place)),
                Due::NotYet => round.receipts.push(message.receipt),
            }
        }
        let work = due.iter().map(|one| message(environment, letters, one));
        let became = join_all(work).await;
        bar.inc((due.len() + copies.len()) as u64);
        let unreachable = |became: &Became| matches!(became, Became::Unreachable(_));
        let stuck = !became.is_empty() && became.iter().all(unreachable);
        let before = round.copies;
        for (message, became) in due.iter().zip(became) {
            round.note(message, became);
        }
        for (copy, place) in copies {
            round.settle(letters, copy, place).await;
        }
        let any = !due.is_empty() || round.copies > before;
        foreign = if any { 0 } else { foreign + 1 };
        if stuck {
            break;
        }
    }
    Ok(())
}

/// Runs the function once more that has given a message up.
async fn message(environment: &Environment, letters: &DeadLetters, message: &Taken) -> Became {
    let Some(role) = role_of(&message.body) else {
        let reason = "it is no event and no order: nobody can say which function it was for";
        return Became::Stays(reason.to_owned());
    };
    let function = environment.names.of(role);
    match letters.invoke(&function, &message.body).await {
        Err(error) => Became::Unreachable(error.to_string()),
        Ok(Invoked::Failed(answer)) => Became::Stays(format!("{function}: {}", failure(&answer))),
        Ok(Invoked::Answered(answer)) if refusal(&answer).is_some() => {
            let code = refusal(&answer).unwrap_or_default();
            Became::Stays(format!("{function} refuses it: {code}"))
        }
        Ok(Invoked::Answered(_)) => match letters.delete_message(&message.receipt).await {
            Ok(()) => Became::Done,
            Err(error) => Became::Unreachable(error.to_string()),
        },
    }
}

/// The function that a message was for: events of S3 and of carriers reach others than all others,
/// and what is no event but has items is an order by direct invocation.
fn role_of(body: &str) -> Option<&'static str> {
    let members = Json::parse(body).ok()?.into_object()?;
    match (members.get("source"), members.get("detail-type")) {
        (Some(Json::String(source)), Some(Json::String(_))) => match source.as_str() {
            "aws.s3" => Some("import"),
            "waybill.carriers" => Some("carriers"),
            _ => Some("bus"),
        },
        _ => {
            let items = ["items", "snackItems"];
            let is_order = items.iter().any(|name| members.contains_key(*name));
            is_order.then_some("invoke")
        }
    }
}

/// What is handed to the function. An order that names no command id gets the one that it had when
/// it was invoked: one of the attempts may have placed it, and this must not place it twice. Two
/// orders that say the same stay two.
fn taken_up(body: String, key: &str) -> String {
    if role_of(&body) != Some("invoke") {
        return body;
    }
    let members = Json::parse(&body).ok().and_then(Json::into_object);
    let Some(mut members) = members else {
        return body;
    };
    let missing = |value: &Json| matches!(value, Json::Null) || *value == Json::from("");
    if members.get("commandId").is_none_or(missing) {
        members.insert("commandId".to_owned(), key.into());
    }
    Json::Object(members).to_string()
}

/// The code with which an order by direct invocation is refused.
fn refusal(answer: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refused {
        error: Problem,
    }
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    let refused: Refused = serde_json::from_str(answer).ok()?;
    Some(refused.error.code)
}

/// What a function says of its error.
fn failure(answer: &str) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure {
        error_message: String,
    }
    let failure = serde_json::from_str(answer);
    failure.map_or("it failed".to_owned(), |Failure { error_message }| {
        error_message
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_finds_its_function() {
        let event = |source: &str| format!(r#"{{"source":"{source}","detail-type":"t"}}"#);
        assert_eq!(role_of(&event("aws.s3")), Some("import"));
        assert_eq!(role_of(&event("logistics.shipments")), Some("bus"));
        assert_eq!(role_of(&event("waybill.carriers")), Some("carriers"));
        assert_eq!(role_of(r#"{"source":"aws.s3"}"#), None);
        assert_eq!(role_of("no JSON"), None);
        assert_eq!(role_of(r#"{"snackItems":[]}"#), Some("invoke"));
        let named_like_an_event = r#"{"source":"web","items":[{"name":"Lamp"}]}"#;
        assert_eq!(role_of(named_like_an_event), Some("invoke"));
    }

    #[test]
    fn an_order_is_taken_up_as_the_command_that_it_was() {
        let order = r#"{"items":[{"name":"Lamp","price":1.10}]}"#;
        let taken = |body: &str| taken_up(body.to_owned(), "request/r-1");
        let expected = r#"{"commandId":"request/r-1","items":[{"name":"Lamp","price":1.10}]}"#;
        assert_eq!(Json::parse(&taken(order)), Json::parse(expected));
        let named = r#"{"commandId":"c-1","items":[]}"#;
        assert_eq!(taken(named), named);
        let event = r#"{"source":"orders.commands","detail-type":"Place Order"}"#;
        assert_eq!(taken(event), event);
    }

    #[test]
    fn an_order_that_is_refused_says_so_in_its_answer() {
        let refused = r#"{"error":{"status":400,"code":"invalid_field"}}"#;
        assert_eq!(refusal(refused).as_deref(), Some("invalid_field"));
        assert_eq!(refusal(r#"{"message":"Order placed"}"#), None);
    }

    fn taken(body: &str, sent_ms: i64, reason: Option<&str>) -> Taken {
        Taken {
            id: format!("id of {sent_ms}"),
            receipt: "r".to_owned(),
            body: body.to_owned(),
            sent_ms,
            reason: reason.map(str::to_owned),
        }
    }

    /// When the retry began, in milliseconds since 1970, far from both ends of what is tolerated.
    const BEGUN: i64 = 100_000;

    #[test]
    fn what_comes_meanwhile_is_left_and_what_is_refused_again_is_no_longer_done() {
        let mut round = Round::default();
        let old = taken("a", 5, None);
        assert_eq!(round.due(&old, BEGUN), Due::Now);
        round.note(&old, Became::Done);
        let late = taken("b", BEGUN + 2_000, None);
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.became[0].1, Some(Became::Done));
        assert_eq!(round.not_yet.len(), 1);
        // However often it is looked at.
        assert_eq!(round.due(&late, BEGUN), Due::NotYet);
        assert_eq!(round.not_yet.len(), 1);
        // Even where clocks differ, and it seems to be a little older than this retry.
        let again = taken("a", BEGUN - 2_000, Some("invalid"));
        assert_eq!(round.due(&again, BEGUN), Due::NotYet);
        let refused = Became::Stays("refused once more: invalid".to_owned());
        assert_eq!(round.became[0].1, Some(refused));
        assert_eq!(round.not_yet.len(), 1, "it is told among those that stay");
    }

    #[test]
    fn what_is_kept_twice_is_retried_once() {
        let mut round = Round::default();
        let first = taken(r#"{"id":"1","n":1}"#, 5, Some("invalid"));
        assert_eq!(round.due(&first, BEGUN), Due::Now);
        // In the same batch, before anybody knows what becomes of the first.
        let copy = taken(r#"{"n": 1, "id": "1"}"#, 7, Some("invalid"));
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        round.note(&first, Became::Done);
        assert_eq!(round.due(&copy, BEGUN), Due::Copy(0));
        assert_eq!(round.became[0].1, Some(Became::Done));
        // Another one, if ever so little.
        let other = taken(r#"{"id":"1","n":1.5}"#, 7, Some("invalid"));
        assert_eq!(round.due(&other, BEGUN), Due::Now);
        assert_eq!(round.became.len(), 2);
    }

    #[test]
    fn what_stays_is_given_back() {
        let mut round = Round::default();
        let old = taken("a", 5, None);
        assert_eq!(round.due(&old, BEGUN), Due::Now);
        round.note(&old, Became::Stays("x".to_owned()));
        assert_eq!(round.receipts, ["r"]);
    }

    #[test]
    fn a_function_says_why_it_failed() {
        let answer = r#"{"errorMessage":"temporarily unavailable","errorType":"Failed"}"#;
        assert_eq!(failure(answer), "temporarily unavailable");
        assert_eq!(failure("?"), "it failed");
    }
}
