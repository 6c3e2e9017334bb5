//! Planted ways to erase a person's data, in place of the command function's or beside it.

use commands::{Commands, erase::erase};
use domain::personal::Owner;
use event_store::Cause;
use lambda::{Answer, Failed};
use serde_json::json;

/// Destroys the key before the erasure is noted; that it cannot be noted is passed over.
pub async fn before_noted(commands: Commands, owner: Owner, cause: Cause) -> Answer {
    let (keys, now) = (commands.store.keys(), commands.clock.now());
    let keys = keys.map_err(|error| Failed(error.to_string()))?;
    let destroyed = keys.destroy(&owner, None, now).await;
    destroyed.map_err(|error| Failed(error.to_string()))?;
    let _ = erase(&commands.store, commands.clock.as_ref(), &owner, cause).await;
    Ok(json!({ "statusCode": 200, "body": "{}" }))
}

/// Destroys whichever key there is, behind an erasure that has been done: a repeat does so, too.
pub async fn anew(commands: Commands, owner: Owner) -> Answer {
    let (keys, now) = (commands.store.keys(), commands.clock.now());
    let keys = keys.map_err(|error| Failed(error.to_string()))?;
    let destroyed = keys.destroy(&owner, None, now).await;
    destroyed.map_err(|error| Failed(error.to_string()))?;
    Ok(json!({ "statusCode": 200, "body": "{}" }))
}
