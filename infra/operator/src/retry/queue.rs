//! Retries the messages of the queue of dead letters: events, orders and files that a function has
//! failed to handle.

use domain::Timestamp;
use futures::future::join_all;
use serde::Deserialize;

use super::{
    command_result,
    queue_retry::{Due, OfMessage, QueueRetry},
    selection::Selection,
    tally::Tally,
};
use crate::{
    dead_letters::{
        LetterId,
        function::role_of,
        message::Message,
        not_found,
        store::{DeadLetterStore, Invoked},
        subjects,
    },
    environment::Environment,
    error::OperatorError,
    limits::{IDLE_ROUNDS_MAX, MESSAGE_HIDDEN, MESSAGES_MAX},
    progress::Stage,
    retried::{CommandResult, RetriedKind, RetryResult, Tried},
};

/// Retries the selected messages that were in the queue when this began.
pub(super) async fn all(
    environment: &Environment,
    store: &DeadLetterStore,
    selection: &Selection,
    tally: &mut Tally<'_>,
) -> Result<(), OperatorError> {
    let begun = environment.now();
    let before = store.depth().await?;
    let mut round = QueueRetry::default();
    tally.progress.begins(Stage::Retrying, 0, before.visible);
    let taken = take_all(environment, store, selection, begun, &mut round, tally).await;
    tally.progress.ends();
    store.give_all_back(&round.receipts).await;
    // Messages that were hidden at first and have become visible meanwhile were retried. At the end
    // SQS may still count messages that this retry itself has received.
    tally.report.hidden = match before.hidden {
        0 => 0,
        hidden => hidden.min(store.depth().await?.hidden),
    };
    tally.report.copies = round.copies;
    tally.report.not_yet_due = round.not_yet.len() as u64;
    for OfMessage { id, about, result } in round.results {
        let unknown =
            || RetryResult::Unreachable("the retry ended before its result was known".to_owned());
        let result = result.unwrap_or_else(unknown);
        tally.note(RetriedKind::Message, id, about, result)?;
    }
    taken
}

/// Retries one message, which is searched among the first that SQS returns. Where the function has
/// succeeded, the second value is the result of its command, as far as that is known.
pub(super) async fn one(
    environment: &Environment,
    id: &str,
) -> Result<(Tried, Option<CommandResult>), OperatorError> {
    let (store, begun) = (DeadLetterStore::of(environment)?, environment.now());
    let mut done_one = None;
    let (mut receipts, mut tried, mut taken) = (Vec::new(), None, 0);
    while tried.is_none() && taken < MESSAGES_MAX {
        let messages = match store.take(MESSAGE_HIDDEN).await {
            Ok(messages) => messages,
            Err(error) => {
                store.give_all_back(&receipts).await;
                return Err(error);
            }
        };
        if messages.is_empty() {
            break;
        }
        taken += messages.len();
        for one in messages.into_iter().filter_map(Message::of) {
            if one.id != id {
                receipts.push(one.receipt);
                continue;
            }
            let result = retry_message(environment, &store, &one).await;
            let about = subjects(&one.body);
            match result == RetryResult::Done {
                true => done_one = Some(one),
                false => receipts.push(one.receipt),
            }
            tried = Some(Tried { about, result });
        }
    }
    store.give_all_back(&receipts).await;
    let tried = tried.ok_or_else(|| not_found(&LetterId::Message(id.to_owned())))?;
    let command_result = match &done_one {
        Some(message) => command_result::find(environment, &store, message, begun).await,
        None => None,
    };
    Ok((tried, command_result))
}

async fn take_all(
    environment: &Environment,
    store: &DeadLetterStore,
    selection: &Selection,
    begun: Timestamp,
    round: &mut QueueRetry,
    tally: &Tally<'_>,
) -> Result<(), OperatorError> {
    let (mut idle_rounds, mut others) = (0, 0);
    while idle_rounds < IDLE_ROUNDS_MAX {
        if tally.progress.stopped() {
            return Err(OperatorError::Stopped);
        }
        if round.results.len() + others >= MESSAGES_MAX {
            let text = "there are more messages than one retry takes: start it again";
            return Err(OperatorError::TooMany(text.to_owned()));
        }
        let messages = store.take(MESSAGE_HIDDEN).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let (mut due, mut copies, others_before) = (Vec::new(), Vec::new(), others);
        for message in messages.into_iter().filter_map(Message::of) {
            let reason = message.reason();
            let is_wanted = selection.matches(role_of(&message.body), reason.as_deref());
            // A message that was tried and refused again, now for another reason, is reported
            // nevertheless.
            if !is_wanted && !round.was_tried(&message) {
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
        let work = due.iter().map(|one| retry_message(environment, store, one));
        let results = join_all(work).await;
        let taken = due.len() + copies.len() + others - others_before;
        tally.progress.advances(taken as u64);
        let unreachable = |result: &RetryResult| matches!(result, RetryResult::Unreachable(_));
        let all_unreachable = !results.is_empty() && results.iter().all(unreachable);
        let before = round.copies;
        for (message, result) in due.iter().zip(results) {
            round.note(message, result);
        }
        for (copy, place) in copies {
            round.finish_copy(store, copy, place).await;
        }
        let any = !due.is_empty() || round.copies > before || others > others_before;
        idle_rounds = if any { 0 } else { idle_rounds + 1 };
        if all_unreachable {
            break;
        }
    }
    Ok(())
}

/// Invokes the function again that has failed to handle a message, and deletes the message where it
/// succeeds.
async fn retry_message(
    environment: &Environment,
    store: &DeadLetterStore,
    message: &Message,
) -> RetryResult {
    let Some(role) = role_of(&message.body) else {
        let reason = "it is no event and no order: nobody can say which function it was for";
        return RetryResult::Stays(reason.to_owned());
    };
    let function = environment.names.of(role);
    match store.invoke(&function, &message.retry_payload()).await {
        Err(error) => RetryResult::Unreachable(error.to_string()),
        Ok(Invoked::Failed(answer)) => {
            RetryResult::Stays(format!("{function}: {}", failure(&answer)))
        }
        Ok(Invoked::Answered(answer)) if refusal(&answer).is_some() => {
            let code = refusal(&answer).unwrap_or_default();
            RetryResult::Stays(format!("{function} refuses it: {code}"))
        }
        Ok(Invoked::Answered(_)) => match store.delete_message(&message.receipt).await {
            Ok(()) => RetryResult::Done,
            Err(error) => RetryResult::Unreachable(error.to_string()),
        },
    }
}

/// The code of the refusal in the answer to an order that was sent by direct invocation.
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

/// The message of the error that a function has ended in.
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
