//! A dead letter that cannot succeed, removed for ever.

use crate::{
    dead_letters::{
        DeadLetter, LetterId, message::Message, not_found, of_message, receipts, receive,
        store::DeadLetterStore, subjects,
    },
    environment::Environment,
    error::OperatorError,
    limits::PEEKED_MESSAGES_MAX,
    lock::LockHolder,
};

/// Removes one message of the queue with its content, for ever, and returns what it was. It writes
/// to the log who did it, what it was about and its code, and nothing of its content. The commits in
/// a dead letter of the stream are events, so those are never discarded.
///
/// `NotFound` where it is gone, or hidden since somebody has taken it; `Usage` where it may succeed
/// when it is tried again ([`may_succeed`](crate::dead_letters::may_succeed)): then it is not removed.
pub async fn discard(environment: &Environment, id: &str) -> Result<DeadLetter, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let is_it = |message: &Message| message.id == id;
    let (mut all, _) = receive(&store, PEEKED_MESSAGES_MAX as usize, is_it).await?;
    let found = all.iter().position(is_it);
    let found = found.map(|place| all.swap_remove(place));
    let discarded = match &found {
        None => Err(not_found(&LetterId::Message(id.to_owned()))),
        Some(message) => remove(environment, &store, message).await,
    };
    if discarded.is_err() {
        all.extend(found);
    }
    store.give_all_back(&receipts(&all)).await;
    discarded
}

async fn remove(
    environment: &Environment,
    store: &DeadLetterStore,
    message: &Message,
) -> Result<DeadLetter, OperatorError> {
    let letter = of_message(environment, message);
    if letter.may_succeed {
        let id = &message.id;
        return Err(OperatorError::Usage(format!(
            "the dead letter {id} is not discarded, since it {}: {}",
            letter.prospect(),
            letter.why()
        )));
    }
    store.delete_message(&message.receipt).await?;
    tracing::info!(
        who = "local operator",
        command = LockHolder::this_process().command,
        environment = environment.name(),
        letter = message.id,
        about = subjects(&message.body).join(", "),
        code = letter.reason.as_deref().unwrap_or("none"),
        "a dead letter was discarded"
    );
    Ok(letter)
}
