//! The secrets that providers sign with: read once, and kept for a while.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{
    error::ProvideErrorMetadata, operation::get_secret_value::GetSecretValueError,
};
use domain::Timestamp;
use event_store::failure::describe;
use lambda::Names;
use serde_json::Value;
use tokio::sync::Mutex;

use super::Provider;
use crate::limits::{SECRET_SECONDS, SECRET_VALUES_MAX};

/// Where the secrets of providers stand. A test brings its own.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The text of a provider's secret, `None` where it has none.
    async fn read(&self, provider: Provider) -> Result<Option<String>, SecretError>;
}

/// A secret that cannot be read. The text is for logs, and holds nothing of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// For now, or for what it is.
    #[error("a secret cannot be read: {0}")]
    Unreadable(String),
    /// Whoever asks may not read it. Of a name that there is not, AWS says so, too.
    #[error("a secret may not be read, or there is none")]
    Forbidden,
}

/// The values of a secret's text: a JSON array of strings, the strings of a JSON object, or else
/// its lines. Several, so that one can be changed without a gap; none where the text is blank.
pub fn values(text: &str) -> Result<Vec<String>, SecretError> {
    let text = text.trim();
    let values = match text.starts_with(['{', '[']) {
        true => of_json(text)?,
        false => text.lines().map(str::to_owned).collect(),
    };
    let values = values.into_iter().map(|value| value.trim().to_owned());
    let values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
    match values.len() <= SECRET_VALUES_MAX {
        true => Ok(values),
        false => Err(SecretError::Unreadable(format!(
            "more than {SECRET_VALUES_MAX} values"
        ))),
    }
}

fn of_json(text: &str) -> Result<Vec<String>, SecretError> {
    let other = || {
        SecretError::Unreadable(
            "JSON that is neither strings in an array nor in an object".to_owned(),
        )
    };
    let string = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(other()),
    };
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => values.into_iter().map(string).collect(),
        Ok(Value::Object(members)) => members
            .into_iter()
            .map(|(_, value)| string(value))
            .collect(),
        _ => Err(other()),
    }
}

/// Secrets that were read, and are kept for [`SECRET_SECONDS`], those that are missing too.
pub struct CachedSecrets {
    source: Box<dyn Secrets>,
    kept: Mutex<HashMap<Provider, (Timestamp, Vec<String>)>>,
}

impl CachedSecrets {
    /// Secrets from this source, none read yet.
    pub fn new(source: impl Secrets + 'static) -> Self {
        Self {
            source: Box::new(source),
            kept: Mutex::default(),
        }
    }

    /// The values of a provider's secret, none where it has none. Where it cannot be read again,
    /// the values that are kept go on.
    pub async fn of(&self, provider: Provider, now: Timestamp) -> Result<Vec<String>, SecretError> {
        let mut kept = self.kept.lock().await;
        let earlier = kept.get(&provider);
        if let Some((at, values)) = earlier
            && now.seconds().abs_diff(at.seconds()) < SECRET_SECONDS
        {
            return Ok(values.clone());
        }
        let read = self.source.read(provider).await;
        let read = read.and_then(|text| values(text.as_deref().unwrap_or_default()));
        let some = earlier.filter(|(_, values)| !values.is_empty());
        match (read, some) {
            (Ok(values), _) => {
                kept.insert(provider, (now, values.clone()));
                Ok(values)
            }
            // A secret that was there is not gone because it is forbidden by now.
            (Err(SecretError::Forbidden), None) => {
                kept.insert(provider, (now, Vec::new()));
                Ok(Vec::new())
            }
            (Err(error), Some((_, values))) => {
                tracing::warn!(%error, provider = provider.as_str(), "a secret is older than it should be");
                Ok(values.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// Secrets Manager: `waybill/<env>/carriers/<provider>`.
#[derive(Debug)]
pub struct SecretsManager {
    client: aws_sdk_secretsmanager::Client,
    names: Names,
}

impl SecretsManager {
    /// On a client made from `config`.
    pub fn new(config: &SdkConfig, names: Names) -> Self {
        Self {
            client: aws_sdk_secretsmanager::Client::new(config),
            names,
        }
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn read(&self, provider: Provider) -> Result<Option<String>, SecretError> {
        let name = self.names.carrier_secret(provider.as_str());
        let read = self.client.get_secret_value().secret_id(name).send().await;
        match read {
            Ok(secret) => Ok(secret.secret_string),
            Err(error) => match error.as_service_error() {
                Some(answer) if is_none(answer) => Ok(None),
                Some(answer) if is_forbidden(answer) => {
                    let (provider, answer) = (provider.as_str(), describe(&error));
                    tracing::info!(provider, answer, "no secret that this function may read");
                    Err(SecretError::Forbidden)
                }
                _ => Err(SecretError::Unreadable(describe(&error))),
            },
        }
    }
}

/// Is there no secret? One that was deleted can be restored for some days, and cannot be read
/// meanwhile.
fn is_none(answer: &GetSecretValueError) -> bool {
    match answer.code() {
        Some("ResourceNotFoundException") => true,
        Some("InvalidRequestException") => {
            answer.message().unwrap_or_default().contains("deletion")
        }
        _ => false,
    }
}

/// May it not be read? Of a name that there is not, AWS knows no ARN, and so the permission for its
/// ARN is none: what is missing is forbidden, as a rule. (What KMS forbids is there.)
fn is_forbidden(answer: &GetSecretValueError) -> bool {
    answer.code() == Some("AccessDeniedException")
        && !answer.message().unwrap_or_default().contains("KMS")
}

/// Secrets that are given when the system starts.
#[derive(Debug, Clone, Default)]
pub struct FixedSecrets(pub HashMap<Provider, String>);

#[async_trait]
impl Secrets for FixedSecrets {
    async fn read(&self, provider: Provider) -> Result<Option<String>, SecretError> {
        Ok(self.0.get(&provider).cloned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_value_or_two() {
        for (text, expected) in [
            ("", vec![]),
            (" \n ", vec![]),
            ("one", vec!["one"]),
            ("sécret\n", vec!["sécret"]),
            ("new\r\nold\n", vec!["new", "old"]),
            (r#"["new","old"]"#, vec!["new", "old"]),
            (r#"{"current":"new","previous":"old"}"#, vec!["new", "old"]),
            (r#"{"current":"new","previous":""}"#, vec!["new"]),
        ] {
            assert_eq!(values(text).unwrap(), expected, "{text}");
        }
        for text in ["{", "[1]", r#"{"a":null}"#, "a\nb\nc\nd"] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    struct Once(std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl Secrets for Once {
        async fn read(&self, _: Provider) -> Result<Option<String>, SecretError> {
            match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Ok(Some("first".to_owned())),
                1 => Err(SecretError::Unreadable("unavailable".to_owned())),
                2 => Err(SecretError::Forbidden),
                _ => Ok(Some("second".to_owned())),
            }
        }
    }

    #[tokio::test]
    async fn a_secret_is_kept_for_five_minutes_and_longer_where_it_cannot_be_read() {
        let kept = CachedSecrets::new(Once(0.into()));
        let read = async |seconds: i64| {
            let now = Timestamp::from_millis((1_700_000_000 + seconds) * 1_000).unwrap();
            kept.of(Provider::EasyPost, now).await.unwrap()
        };
        assert_eq!(read(0).await, ["first"]);
        assert_eq!(read(299).await, ["first"]);
        assert_eq!(read(300).await, ["first"]);
        assert_eq!(read(301).await, ["first"], "forbidden is not gone");
        assert_eq!(read(302).await, ["second"]);
        assert_eq!(
            kept.source.read(Provider::Shippo).await.unwrap().unwrap(),
            "second"
        );
    }
}
