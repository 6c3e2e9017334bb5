//! The store of the secrets with which carriers sign webhooks.

use async_trait::async_trait;
use commands::carriers::{
    Provider,
    secrets::{SecretError, Secrets},
};

use super::{after, before};
use crate::{core::Core, plan::carrier::SECRET};

/// The secrets under this world's faults. Only EasyPost has one.
pub struct SimSecrets(pub Core);

#[async_trait]
impl Secrets for SimSecrets {
    async fn read(&self, provider: Provider) -> Result<Option<String>, SecretError> {
        let secret = (provider == Provider::EasyPost).then(|| SECRET.to_owned());
        // Other tasks that need the secret wait meanwhile, and a suspension here would make the
        // number of interleavings endless.
        if self.0.coarse {
            return Ok(secret);
        }
        let failed = || SecretError::Unreadable("fault".to_owned());
        if !before(&self.0, || format!("secret of {}", provider.as_str())).await {
            return Err(failed());
        }
        match after(&self.0).await {
            true => Ok(secret),
            false => Err(failed()),
        }
    }
}
