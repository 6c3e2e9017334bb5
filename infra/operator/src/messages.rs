//! Events and files that a function has given up, taken up again: the messages of the queue.

use std::collections::{HashMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures::future::join_all;
use serde::Deserialize;

use crate::{
    dead_letters::{DeadLetters, Invoked},
    drive::bar,
    limits::{FOREIGN_ROUNDS_MAX, GIVEN_BACK_AT_ONCE, MESSAGES_MAX},
    outcome::OperatorError,
    retry::{Became, Told},
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
        let reason = own.and_then(|all| all.get("reason")?.string_value.clone());
        Some(Self {
            sent_ms: sent.and_then(|text| text.parse().ok()).unwrap_or_default(),
            id: message.message_id?,
            receipt: message.receipt_handle?,
            body: message.body?,
            reason,
        })
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        hasher.finish()
    }
}

/// What became of the messages so far.
#[derive(Default)]
struct Round {
    /// Each with its id.
    became: Vec<(String, Became)>,
    /// Bodies that were retried, by their mark: at which place of `became`.
    tried: HashMap<u64, usize>,
    /// Messages to be given back at the end: else they would be taken again and again.
    receipts: Vec<String>,
}

impl Round {
    /// Is it to be retried now? Not what came while this went on: it may be the very one that a
    /// function has refused for good, and put into the queue anew.
    fn is_due(&mut self, message: &Taken, begun_ms: i64) -> bool {
        let refused = self.tried.get(&message.mark()).copied();
        if let (Some(place), Some(reason)) = (refused, &message.reason) {
            let reason = format!("refused once more: {reason}");
            self.became[place].1 = Became::Stays(reason);
        }
        refused.is_none() && message.sent_ms < begun_ms
    }

    fn note(&mut self, message: &Taken, became: Became) {
        if became != Became::Done {
            self.receipts.push(message.receipt.clone());
        }
        self.tried.insert(message.mark(), self.became.len());
        self.became.push((message.id.clone(), became));
    }
}

/// Takes up the messages that were there when this began.
pub(crate) async fn retry(
    environment: &Environment,
    letters: &DeadLetters,
    told: &mut Told,
) -> Result<(), OperatorError> {
    let begun_ms = environment.projectors.clock.now().millis();
    let depth = letters.depth().await?;
    let template = "dead letters {wide_bar} {human_pos} of {human_len}, {eta} left";
    let bar = bar(depth.visible, template);
    let mut round = Round::default();
    let taken = take_all(environment, letters, begun_ms, &mut round, &bar).await;
    bar.finish_and_clear();
    for receipts in round.receipts.chunks(GIVEN_BACK_AT_ONCE) {
        join_all(receipts.iter().map(|receipt| letters.give_back(receipt))).await;
    }
    for (id, became) in round.became {
        told.note("message", id, became)?;
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
    while round.became.len() < MESSAGES_MAX && foreign < FOREIGN_ROUNDS_MAX {
        let messages = letters.take().await?;
        if messages.is_empty() {
            return Ok(());
        }
        let mut due = Vec::new();
        for message in messages.into_iter().filter_map(Taken::of) {
            match round.is_due(&message, begun_ms) {
                true => due.push(message),
                false => round.receipts.push(message.receipt),
            }
        }
        foreign = if due.is_empty() { foreign + 1 } else { 0 };
        let work = due.iter().map(|one| message(environment, letters, one));
        let became = join_all(work).await;
        bar.inc(due.len() as u64);
        let unreachable = |became: &Became| matches!(became, Became::Unreachable(_));
        let stuck = !became.is_empty() && became.iter().all(unreachable);
        for (message, became) in due.iter().zip(became) {
            round.note(message, became);
        }
        if stuck {
            break;
        }
    }
    Ok(())
}

/// Runs the function once more that has given a message up.
async fn message(environment: &Environment, letters: &DeadLetters, message: &Taken) -> Became {
    let Some(role) = role_of(&message.body) else {
        let reason = "it is no event: nobody can say which function it was for";
        return Became::Stays(reason.to_owned());
    };
    let function = environment.names.of(role);
    match letters.invoke(&function, &message.body).await {
        Err(error) => Became::Unreachable(error.to_string()),
        Ok(Invoked::Failed(answer)) => Became::Stays(format!("{function}: {}", failure(&answer))),
        Ok(Invoked::Answered) => match letters.delete_message(&message.receipt).await {
            Ok(()) => Became::Done,
            Err(error) => Became::Unreachable(error.to_string()),
        },
    }
}

/// The function that an event reaches: those of S3 and of carriers others than all others.
fn role_of(body: &str) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Event {
        source: String,
        #[serde(rename = "detail-type")]
        _detail_type: String,
    }
    let event: Event = serde_json::from_str(body).ok()?;
    match event.source.as_str() {
        "aws.s3" => Some("import"),
        "waybill.carriers" => Some("carriers"),
        _ => Some("bus"),
    }
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

    #[test]
    fn what_comes_meanwhile_is_left_and_what_is_refused_again_is_no_longer_done() {
        let mut round = Round::default();
        let old = taken("a", 5, None);
        assert!(round.is_due(&old, 10));
        round.note(&old, Became::Done);
        assert!(!round.is_due(&taken("b", 10, None), 10));
        assert_eq!(round.became[0].1, Became::Done);
        // Even where clocks differ, and it seems to be an old one.
        assert!(!round.is_due(&taken("a", 6, Some("invalid")), 10));
        let refused = Became::Stays("refused once more: invalid".to_owned());
        assert_eq!(round.became[0].1, refused);
        assert!(round.receipts.is_empty());
    }

    #[test]
    fn what_stays_is_given_back() {
        let mut round = Round::default();
        round.note(&taken("a", 5, None), Became::Stays("x".to_owned()));
        assert_eq!(round.receipts, ["r"]);
    }

    #[test]
    fn a_function_says_why_it_failed() {
        let answer = r#"{"errorMessage":"temporarily unavailable","errorType":"Failed"}"#;
        assert_eq!(failure(answer), "temporarily unavailable");
        assert_eq!(failure("?"), "it failed");
    }
}
