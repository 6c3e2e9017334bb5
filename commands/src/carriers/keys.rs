//! The public keys with which a provider signs: a JSON Web Key Set (RFC 7517) that is fetched and
//! cached.

use async_trait::async_trait;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector as _, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::limits::{
    KEY_SET_BYTES_MAX, KEY_SET_SECONDS, KEY_SET_TIMEOUT, KEY_SET_UNKNOWN_KEY_SECONDS, KEYS_MAX,
};

/// A public RSA key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key's id, by which a signature names it (`kid`).
    pub id: String,
    /// The modulus, big-endian.
    pub n: Vec<u8>,
    /// The exponent, big-endian.
    pub e: Vec<u8>,
}

/// The public keys of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// A text is no key set, or an address returns none. The message is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no key set: {0}")]
pub struct KeySetError(pub String);

impl KeySet {
    /// Parses a key set. Only RSA keys with an id are kept. Fails where there are none.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Jwk>,
        }
        #[derive(Deserialize)]
        struct Jwk {
            kty: String,
            kid: Option<String>,
            n: Option<String>,
            e: Option<String>,
        }
        let set: Set =
            serde_json::from_slice(text).map_err(|error| KeySetError(error.to_string()))?;
        let number = |text: Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text?).ok();
        let key = |jwk: Jwk| {
            let rsa = jwk.kty == "RSA";
            rsa.then_some(Key {
                id: jwk.kid?,
                n: number(jwk.n)?,
                e: number(jwk.e)?,
            })
        };
        let keys: Vec<Key> = set
            .keys
            .into_iter()
            .filter_map(key)
            .take(KEYS_MAX)
            .collect();
        match keys.is_empty() {
            true => Err(KeySetError("it has no RSA key with an id".to_owned())),
            false => Ok(Self(keys)),
        }
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

/// The source of key sets. Tests bring their own.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Reads the text at this address.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError>;
}

/// Key sets that are fetched and cached for [`KEY_SET_SECONDS`].
pub struct CachedKeys {
    source: Box<dyn KeySource>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    url: String,
    at: Timestamp,
    keys: KeySet,
    /// Whether the latest attempt to fetch them failed.
    stale: bool,
}

impl CachedKeys {
    /// A cache over this source, at first empty.
    pub fn new(source: impl KeySource + 'static) -> Self {
        Self {
            source: Box::new(source),
            kept: Mutex::new(None),
        }
    }

    /// The key set at `url`, which should contain the key with this id.
    ///
    /// It is fetched where none is cached, where the cached one is too old, and where the cached
    /// one lacks the key. The last happens at most once in [`KEY_SET_UNKNOWN_KEY_SECONDS`], since
    /// anybody can send the id of a key that does not exist. Where fetching fails, the cached set
    /// is still used. Fails where fetching fails and the cached set lacks the key: the provider may
    /// have added that key, so nobody can say that the signature is wrong.
    pub async fn get(&self, url: &str, id: &str, now: Timestamp) -> Result<KeySet, KeySetError> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.url == url) {
            let age = now.seconds().abs_diff(kept.at.seconds());
            let known = kept.keys.get(id).is_some();
            let fresh = age < KEY_SET_UNKNOWN_KEY_SECONDS || (known && age < KEY_SET_SECONDS);
            if fresh && (known || !kept.stale) {
                return Ok(kept.keys.clone());
            }
            if fresh {
                return Err(KeySetError(
                    "the cached keys lack the signature's key, and fetching them again failed"
                        .to_owned(),
                ));
            }
        }
        let fetched = self.source.fetch(url).await;
        match fetched.and_then(|text| KeySet::parse(&text)) {
            Ok(keys) => {
                *kept = Some(Kept {
                    url: url.to_owned(),
                    at: now,
                    keys: keys.clone(),
                    stale: false,
                });
                Ok(keys)
            }
            Err(error) => match kept.as_mut().filter(|kept| kept.url == url) {
                Some(kept) => {
                    tracing::warn!(%error, "keys cannot be fetched; the cached ones are used");
                    // Sets the time also here, so that the next attempt waits as after a success.
                    (kept.at, kept.stale) = (now, true);
                    match kept.keys.get(id).is_some() {
                        true => Ok(kept.keys.clone()),
                        false => Err(error),
                    }
                }
                None => Err(error),
            },
        }
    }
}

/// Fetches over HTTPS, by the HTTP client that the AWS SDK brings: another client would add another
/// TLS library. It follows no redirects.
#[derive(Debug)]
pub struct Web {
    connector: Connector,
}

impl Default for Web {
    fn default() -> Self {
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        Self {
            connector: Connector::builder().tls_provider(tls).build(),
        }
    }
}

#[async_trait]
impl KeySource for Web {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        let fetched = tokio::time::timeout(KEY_SET_TIMEOUT, self.get(url)).await;
        fetched.unwrap_or_else(|_| Err(KeySetError(format!("{url} did not answer in time"))))
    }
}

impl Web {
    async fn get(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        let failed = |error: &dyn std::fmt::Display| KeySetError(format!("{url}: {error}"));
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url).map_err(|error| failed(&error))?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| failed(&error))?;
        if !answer.status().is_success() {
            return Err(failed(&answer.status().as_u16()));
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut text = Vec::new();
        while let Some(part) = body.next().await {
            text.extend_from_slice(&part.map_err(|error| failed(&error))?);
            if text.len() > KEY_SET_BYTES_MAX {
                return Err(failed(&"the answer is too large for a key set"));
            }
        }
        Ok(text)
    }
}

/// A source without any key set: every fetch fails.
pub struct Nowhere;

#[async_trait]
impl KeySource for Nowhere {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        Err(KeySetError(format!(
            "{url} is not fetched in this environment"
        )))
    }
}
