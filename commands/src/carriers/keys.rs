//! The keys that a provider publishes for its signatures: a JSON Web Key Set (RFC 7517), fetched
//! and kept.

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

/// An RSA key by which signatures are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// By what a signature names it.
    pub id: String,
    /// Its modulus, big-endian.
    pub n: Vec<u8>,
    /// Its exponent, big-endian.
    pub e: Vec<u8>,
}

/// A provider's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// A text that is no set of keys, or an address that gives none. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no set of keys: {0}")]
pub struct KeySetError(pub String);

impl KeySet {
    /// Reads a set, and of it the RSA keys that have an id.
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

    /// The key of this id.
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

/// Where a set of keys is read. A test brings its own.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// What lies at this address.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError>;
}

/// Keys that were fetched, and are kept for [`KEY_SET_SECONDS`].
pub struct CachedKeys {
    source: Box<dyn KeySource>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    url: String,
    at: Timestamp,
    keys: KeySet,
    /// The latest attempt to fetch them failed.
    stale: bool,
}

impl CachedKeys {
    /// Keys from this source, none fetched yet.
    pub fn new(source: impl KeySource + 'static) -> Self {
        Self {
            source: Box::new(source),
            kept: Mutex::new(None),
        }
    }

    /// The keys at `url`, which are to have the one of this id. They are fetched where none are
    /// kept, where those are old, and where they lack that key: at most once in
    /// [`KEY_SET_UNKNOWN_KEY_SECONDS`], since anybody can name a key that is none. Where fetching
    /// fails, those that are kept go on; a key that they lack may be one of the set by now, so then
    /// nobody can say that a signature is wrong.
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
                    "they lack the key, and could not be fetched".to_owned(),
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
                    tracing::warn!(%error, "the keys of a provider are older than they should be");
                    // The next attempt has its time, too.
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

/// The web, by the HTTP client that the AWS SDK brings: another one would bring another TLS. It
/// follows no redirect.
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
        fetched.unwrap_or_else(|_| Err(KeySetError(format!("{url} does not answer"))))
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
                return Err(failed(&"too large for a set of keys"));
            }
        }
        Ok(text)
    }
}

/// No source: every set is one that cannot be had.
pub struct Nowhere;

#[async_trait]
impl KeySource for Nowhere {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        Err(KeySetError(format!("{url} is not looked at")))
    }
}
