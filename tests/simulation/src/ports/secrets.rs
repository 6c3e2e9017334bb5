//! Where the secrets of carriers' webhooks stand.

use async_trait::async_trait;
use commands::carriers::{
    Provider,
    secrets::{SecretError, Secrets},
};

use super::{after, before};
use crate::{core::Core, plan::carrier::SECRET};

/// The secret of one provider.
pub struct SimSecrets(pub Core);

#[async_trait]
impl Secrets for SimSecrets {
    async fn read(&self, provider: Provider) -> Result<Option<String>, SecretError> {
        let secret = (provider == Provider::EasyPost).then(|| SECRET.to_owned());
        // Whoever else wants it waits meanwhile, and that has no end of interleavings.
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
