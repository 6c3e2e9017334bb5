//! Carriers' webhooks as their providers send them: signatures that their own libraries and
//! examples have made, and every scan of the examples that were found.
//!
//! `scans.json` holds the facts of public examples, texts replaced, each with its source and with
//! what a reader of its own makes of it: time, place, status, code.

#![allow(clippy::unwrap_used, missing_docs)]

mod codes;
mod keys;
mod scans;
mod secrets;
mod signatures;
mod webhooks;

use commands::carriers::{
    Provider, SignatureContext,
    keys::KeySet,
    signature::{SignatureError, WebhookRequest},
};
use domain::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers by name.
pub type Headers = Vec<(&'static str, String)>;

/// A signed webhook.
#[derive(Clone)]
pub struct Sent {
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Sent {
    pub fn new(body: impl Into<Vec<u8>>, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            headers: headers.collect(),
            body: body.into(),
        }
    }

    /// Is it trusted, with these secrets at this time?
    pub fn verify(
        &self,
        provider: Provider,
        secrets: &[&str],
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let signed = WebhookRequest {
            method: "POST",
            headers: &headers,
            body: &self.body,
        };
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        let secrets = &secrets;
        provider.verify(&signed, SignatureContext { secrets, keys, now })
    }
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000).unwrap()
}
