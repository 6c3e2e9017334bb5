//! Finds the result of a dead letter that was retried. It is known within some seconds, since the
//! function has ended by then.

use domain::{AggregateId, Json, Timestamp, json::Object};

use crate::{
    dead_letters::{
        about, function::role_of, message::Message, of_message, peek, store::DeadLetterStore,
    },
    environment::Environment,
    error::OperatorError,
    history::history,
    limits::{CLOCK_TOLERANCE, PEEKED_MESSAGES_MAX},
    recent::FileId,
    retried::CommandResult,
};

/// The result of a message whose function was invoked again at or after `begun`; `None` where it is
/// not known.
pub(super) async fn find(
    environment: &Environment,
    store: &DeadLetterStore,
    message: &Message,
    begun: Timestamp,
) -> Option<CommandResult> {
    let found = match role_of(&message.body)? {
        "import" => Ok(file(&message.body).map(CommandResult::File)),
        _ => of_command(environment, store, message, begun).await,
    };
    found.unwrap_or_else(|error| {
        tracing::debug!(%error, "the result of a retried dead letter is not known");
        None
    })
}

async fn of_command(
    environment: &Environment,
    store: &DeadLetterStore,
    message: &Message,
    begun: Timestamp,
) -> Result<Option<CommandResult>, OperatorError> {
    let Some(command) = command(message) else {
        return Ok(None);
    };
    // The shipment comes first: an update of a shipment also names the shipment's order.
    let about = about(&message.body).into_iter().rev();
    let ids = about.filter_map(|name| name.parse::<AggregateId>().ok());
    let mut unchanged = None;
    for id in ids {
        let events = match history(environment, &id, None).await {
            Ok(history) => history.events,
            Err(OperatorError::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let made = events
            .iter()
            .rev()
            .find(|event| event.command_id.as_ref() == Some(&command));
        let aggregate = id.to_string();
        if let Some(made) = made {
            return Ok(Some(CommandResult::Accepted {
                aggregate,
                kind: made.kind.clone().unwrap_or_default(),
                sequence: made.sequence,
            }));
        }
        let version = events.last().map_or(0, |event| event.sequence);
        unchanged = unchanged.or(Some(CommandResult::Unchanged { aggregate, version }));
    }
    let refused = refused(environment, store, message, begun).await?;
    Ok(refused.or(unchanged))
}

/// The id that the message's command has in a history; `None` where it has none.
fn command(message: &Message) -> Option<String> {
    let members = Json::parse(&message.retry_payload()).ok()?.into_object()?;
    let text = |name: &str| match members.get(name) {
        Some(Json::String(text)) => Some(text.clone()),
        _ => None,
    };
    match role_of(&message.body)? {
        "invoke" => text("commandId").map(|id| format!("invoke/{id}")),
        _ => text("id").map(|id| format!("event/{id}")),
    }
}

/// Searches the queue for a dead letter with the same content that a function has sent there since.
async fn refused(
    environment: &Environment,
    store: &DeadLetterStore,
    message: &Message,
    begun: Timestamp,
) -> Result<Option<CommandResult>, OperatorError> {
    let tolerance = i64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or_default();
    let content_digest = message.content_digest();
    let is_it = |one: &Message| {
        let anew = one.sent_ms + tolerance >= begun.millis() && one.id != message.id;
        anew && one.reason.is_some() && one.content_digest() == content_digest
    };
    let (looked, _) = peek(store, PEEKED_MESSAGES_MAX as usize, is_it).await?;
    let found = looked.iter().find(|one| is_it(one));
    Ok(found.map(|one| CommandResult::Refused(Box::new(of_message(environment, one)))))
}

/// The upload that an event of S3 describes.
fn file(body: &str) -> Option<FileId> {
    fn member(mut of: Object, name: &str) -> Option<Object> {
        of.remove(name)?.into_object()
    }
    let event = Json::parse(body).ok()?.into_object()?;
    let object = member(member(event, "detail")?, "object")?;
    let text = |name: &str| match object.get(name) {
        Some(Json::String(text)) => Some(text.clone()),
        _ => None,
    };
    Some(FileId {
        key: text("key")?,
        version: text("version-id").or_else(|| text("etag"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Message {
        Message {
            id: "m".to_owned(),
            receipt: "r".to_owned(),
            body: body.to_owned(),
            sent_ms: 0,
            reason: None,
            field: None,
            message: None,
            error: None,
            key: "request/r-1".to_owned(),
        }
    }

    #[test]
    fn a_command_is_known_by_the_id_that_it_had() {
        let event = r#"{"source":"orders.commands","detail-type":"Place Order","id":"e-1"}"#;
        assert_eq!(command(&message(event)).as_deref(), Some("event/e-1"));
        let order = r#"{"orderId":"A-1","items":[]}"#;
        let known = command(&message(order));
        assert_eq!(known.as_deref(), Some("invoke/request/r-1"));
        assert_eq!(command(&message("no JSON")), None);
    }

    #[test]
    fn a_file_is_known_by_its_upload() {
        let event = |object: &str| {
            format!(
                r#"{{"source":"aws.s3","detail-type":"Object Created","detail":{{"object":{object}}}}}"#
            )
        };
        let found = file(&event(
            r#"{"key":"orders/a.json","version-id":"v","etag":"e"}"#,
        ));
        let expected = |version: &str| FileId {
            key: "orders/a.json".to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(found, Some(expected("v")));
        let found = file(&event(r#"{"key":"orders/a.json","etag":"e"}"#));
        assert_eq!(found, Some(expected("e")));
        assert_eq!(file(&event("{}")), None);
    }
}
