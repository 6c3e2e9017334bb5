//! Events and files that a function has given up, taken up again: the messages of the queue.

use domain::Timestamp;
use futures::future::join_all;
use serde::Deserialize;

use super::{
    came,
    round::{Due, Round},
    tally::Tally,
    wanted::Wanted,
};
use crate::{
    dead_letters::{
        LetterId,
        function::role_of,
        gone,
        message::Message,
        places::{Invoked, Places},
    },
    environment::Environment,
    error::OperatorError,
    limits::{FOREIGN_ROUNDS_MAX, MESSAGE_HIDDEN, MESSAGES_MAX},
    progress::Stage,
    retried::{Became, Came, RetriedKind},
};

/// Takes up those messages that are wanted and were there when this began.
pub(super) async fn all(
    environment: &Environment,
    places: &Places,
    wanted: &Wanted,
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    let begun = environment.now();
    let before = places.depth().await?;
    let mut round = Round::default();
    tally.progress.begins(Stage::Retrying, 0, before.visible);
    let taken = take_all(environment, places, wanted, begun, &mut round, tally).await;
    tally.progress.ends();
    places.give_all_back(&round.receipts).await;
    // Those that were hidden from the beginning and have come back meanwhile were taken up. At the
    // end SQS may still count those that this one has taken.
    tally.report.hidden = match before.hidden {
        0 => 0,
        hidden => hidden.min(places.depth().await?.hidden),
    };
    tally.report.copies = round.copies;
    tally.report.not_yet_due = round.not_yet.len() as u64;
    for (id, became) in round.became {
        let unknown = || Became::Unreachable("it was not tried to its end".to_owned());
        tally.note(RetriedKind::Message, id, became.unwrap_or_else(unknown))?;
    }
    taken
}

/// Takes up one message; it is looked for among the first that SQS hands out. Where its function has
/// taken it, says what became of it, as far as that is known.
pub(super) async fn one(
    environment: &Environment,
    id: &str,
) -> Result<(Became, Option<Came>), OperatorError> {
    let (places, begun) = (Places::of(environment)?, environment.now());
    let mut done_one = None;
    let (mut receipts, mut became, mut taken) = (Vec::new(), None, 0);
    while became.is_none() && taken < MESSAGES_MAX {
        let messages = match places.take(MESSAGE_HIDDEN).await {
            Ok(messages) => messages,
            Err(error) => {
                places.give_all_back(&receipts).await;
                return Err(error);
            }
        };
        if messages.is_empty() {
            break;
        }
        taken += messages.len();
        for one in messages.into_iter().filter_map(Message::of) {
            let done = match one.id == id {
                true => Some(message(environment, &places, &one).await),
                false => None,
            };
            match done == Some(Became::Done) {
                true => done_one = Some(one),
                false => receipts.push(one.receipt),
            }
            became = became.or(done);
        }
    }
    places.give_all_back(&receipts).await;
    let became = became.ok_or_else(|| gone(&LetterId::Message(id.to_owned())))?;
    let came = match &done_one {
        Some(message) => came::of(environment, &places, message, begun).await,
        None => None,
    };
    Ok((became, came))
}

async fn take_all(
    environment: &Environment,
    places: &Places,
    wanted: &Wanted,
    begun: Timestamp,
    round: &mut Round,
    tally: &Tally<'_>,
) -> Result<(), OperatorError> {
    let (mut foreign, mut others) = (0, 0);
    while foreign < FOREIGN_ROUNDS_MAX {
        if tally.progress.stopped() {
            return Err(OperatorError::Stopped);
        }
        if round.became.len() + others >= MESSAGES_MAX {
            let text = "there are more messages than one retry takes: start it again";
            return Err(OperatorError::TooMany(text.to_owned()));
        }
        let messages = places.take(MESSAGE_HIDDEN).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let (mut due, mut copies, others_before) = (Vec::new(), Vec::new(), others);
        for message in messages.into_iter().filter_map(Message::of) {
            let reason = message.reason();
            let is_wanted = wanted.is_for(role_of(&message.body), reason.as_deref());
            // One that was tried, and was refused for another reason, is told of.
            if !is_wanted && !round.knows(&message) {
                others += 1;
                round.receipts.push(message.receipt);
                continue;
            }
            match round.due(&message, begun.millis()) {
                Due::Now => due.push(message),
                Due::Copy(place) => copies.push((message, place)),
                Due::NotYet => round.receipts.push(message.receipt),
            }
        }
        let work = due.iter().map(|one| message(environment, places, one));
        let became = join_all(work).await;
        let taken = due.len() + copies.len() + others - others_before;
        tally.progress.advances(taken as u64);
        let unreachable = |became: &Became| matches!(became, Became::Unreachable(_));
        let stuck = !became.is_empty() && became.iter().all(unreachable);
        let before = round.copies;
        for (message, became) in due.iter().zip(became) {
            round.note(message, became);
        }
        for (copy, place) in copies {
            round.settle(places, copy, place).await;
        }
        let any = !due.is_empty() || round.copies > before || others > others_before;
        foreign = if any { 0 } else { foreign + 1 };
        if stuck {
            break;
        }
    }
    Ok(())
}

/// Runs the function once more that has given a message up.
async fn message(environment: &Environment, places: &Places, message: &Message) -> Became {
    let Some(role) = role_of(&message.body) else {
        let reason = "it is no event and no order: nobody can say which function it was for";
        return Became::Stays(reason.to_owned());
    };
    let function = environment.names.of(role);
    match places.invoke(&function, &message.resumed()).await {
        Err(error) => Became::Unreachable(error.to_string()),
        Ok(Invoked::Failed(answer)) => Became::Stays(format!("{function}: {}", failure(&answer))),
        Ok(Invoked::Answered(answer)) if refusal(&answer).is_some() => {
            let code = refusal(&answer).unwrap_or_default();
            Became::Stays(format!("{function} refuses it: {code}"))
        }
        Ok(Invoked::Answered(_)) => match places.delete_message(&message.receipt).await {
            Ok(()) => Became::Done,
            Err(error) => Became::Unreachable(error.to_string()),
        },
    }
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
    fn an_order_that_is_refused_says_so_in_its_answer() {
        let refused = r#"{"error":{"status":400,"code":"invalid_field"}}"#;
        assert_eq!(refusal(refused).as_deref(), Some("invalid_field"));
        assert_eq!(refusal(r#"{"message":"Order placed"}"#), None);
    }

    #[test]
    fn a_function_says_why_it_failed() {
        let answer = r#"{"errorMessage":"temporarily unavailable","errorType":"Failed"}"#;
        assert_eq!(failure(answer), "temporarily unavailable");
        assert_eq!(failure("?"), "it failed");
    }
}
