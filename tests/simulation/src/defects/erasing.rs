//! Planted defects of the erasure of personal data, in place of the real erasure or after it.

use commands::{Commands, erase::erase};
use domain::personal::Owner;
use event_store::Cause;
use lambda::{Answer, Failed};
use serde_json::json;

/// Destroys the key, then writes the erasure to the history and ignores where that fails.
pub async fn destroy_first(commands: Commands, owner: Owner, cause: Cause) -> Answer {
    let (keys, now) = (commands.store.keys(), commands.clock.now());
    let keys = keys.map_err(|error| Failed(error.to_string()))?;
    let destroyed = keys.destroy(&owner, None, now).await;
    destroyed.map_err(|error| Failed(error.to_string()))?;
    let _ = erase(&commands.store, commands.clock.as_ref(), &owner, cause).await;
    Ok(json!({ "statusCode": 200, "body": "{}" }))
}

/// Destroys the owner's latest key after an erasure, and after each repeat of it.
pub async fn destroy_again(commands: Commands, owner: Owner) -> Answer {
    let (keys, now) = (commands.store.keys(), commands.clock.now());
    let keys = keys.map_err(|error| Failed(error.to_string()))?;
    let destroyed = keys.destroy(&owner, None, now).await;
    destroyed.map_err(|error| Failed(error.to_string()))?;
    Ok(json!({ "statusCode": 200, "body": "{}" }))
}
