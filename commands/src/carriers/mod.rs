//! Carriers' webhooks: `POST /carriers/{provider}`.
//!
//! ```text
//! webhook ─▶ verify (headers, bytes, secrets, time) ─▶ translate (body → scans) ─▶ updates
//! ```
//!
//! A provider is a file of pure functions and its table of codes: [`easypost`], [`aftership`],
//! [`shipengine`], [`shippo`], [`track17`], [`sendcloud`]. What they share: [`signature`],
//! [`codes`], [`scan`]; what they need from outside: [`secrets`], [`keys`]. [`webhook`] leads the
//! way. What is known of each provider, and from where, says `README.md` beside this file.

use std::{str::FromStr, sync::Arc};

use domain::Timestamp;
use serde_json::Value;

pub mod aftership;
pub mod codes;
pub mod easypost;
pub mod kept;
pub mod keys;
pub mod scan;
pub mod secrets;
pub mod sendcloud;
pub mod shipengine;
pub mod shippo;
pub mod signature;
pub mod track17;
pub mod webhook;

use codes::Codes;
use kept::ReportedScans;
use keys::{CachedKeys, KeySet, Nowhere};
use scan::{Unreadable, Webhook};
use secrets::{CachedSecrets, FixedSecrets};
use signature::{SignatureError, WebhookRequest};

/// Who brings the scans of many carriers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// EasyPost.
    EasyPost,
    /// AfterShip Tracking.
    AfterShip,
    /// ShipEngine, or ShipStation API.
    ShipEngine,
    /// Shippo.
    Shippo,
    /// 17TRACK.
    Track17,
    /// Sendcloud.
    Sendcloud,
}

/// What webhooks are checked with, and what shipments are called by.
#[derive(Clone)]
pub struct Carriers {
    /// The secrets of the providers.
    pub secrets: Arc<CachedSecrets>,
    /// The keys of those that publish some.
    pub keys: Arc<CachedKeys>,
    /// The providers whose own reference field names the shipment.
    pub by_reference: Arc<[Provider]>,
    /// The scans that cannot be logged, and were kept by this process.
    pub kept: Arc<ReportedScans>,
}

impl Carriers {
    /// Nobody's: without a secret, no webhook is trusted.
    pub fn none() -> Self {
        Self {
            secrets: Arc::new(CachedSecrets::new(FixedSecrets::default())),
            keys: Arc::new(CachedKeys::new(Nowhere)),
            by_reference: Arc::new([]),
            kept: Arc::default(),
        }
    }
}

/// What a signature is checked against.
#[derive(Debug, Clone, Copy)]
pub struct SignatureContext<'a> {
    /// The values of the provider's secret.
    pub secrets: &'a [String],
    /// The keys that it publishes, where it does.
    pub keys: &'a KeySet,
    /// What time it is.
    pub now: Timestamp,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 6] = [
        Self::EasyPost,
        Self::AfterShip,
        Self::ShipEngine,
        Self::Shippo,
        Self::Track17,
        Self::Sendcloud,
    ];

    /// As it stands in a path and in a secret's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EasyPost => "easypost",
            Self::AfterShip => "aftership",
            Self::ShipEngine => "shipengine",
            Self::Shippo => "shippo",
            Self::Track17 => "17track",
            Self::Sendcloud => "sendcloud",
        }
    }

    /// Its table of codes.
    pub const fn codes(self) -> Codes {
        match self {
            Self::EasyPost => easypost::CODES,
            Self::AfterShip => aftership::CODES,
            Self::ShipEngine => shipengine::CODES,
            Self::Shippo => shippo::CODES,
            Self::Track17 => track17::CODES,
            Self::Sendcloud => sendcloud::CODES,
        }
    }

    /// Is this webhook the provider's own, and not kept by somebody to be sent again?
    pub fn verify(
        self,
        signed: &WebhookRequest<'_>,
        trust: SignatureContext<'_>,
    ) -> Result<(), SignatureError> {
        let SignatureContext { secrets, keys, now } = trust;
        match self {
            Self::EasyPost => easypost::verify(signed, secrets, now),
            Self::AfterShip => aftership::verify(signed, secrets),
            Self::ShipEngine => {
                let tokens = shipengine::ShipEngineSecret::of(secrets).tokens;
                shipengine::verify(signed, &tokens, keys, now)
            }
            Self::Shippo => shippo::verify(signed, secrets, now),
            Self::Track17 => track17::verify(signed, secrets),
            Self::Sendcloud => sendcloud::verify(signed, secrets),
        }
    }

    /// What the body of a webhook says.
    pub fn translate(self, body: &[u8]) -> Result<Webhook, Unreadable> {
        let event: Value = serde_json::from_slice(body).map_err(|_| Unreadable("not JSON"))?;
        match self {
            Self::EasyPost => easypost::translate(&event),
            Self::AfterShip => aftership::translate(&event),
            Self::ShipEngine => shipengine::translate(&event),
            Self::Shippo => shippo::translate(&event),
            Self::Track17 => track17::translate(&event),
            Self::Sendcloud => sendcloud::translate(&event),
        }
    }
}

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no provider is called {0:?}")]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        let mut all = Self::ALL.into_iter();
        all.find(|provider| provider.as_str() == name)
            .ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// The providers of these names; another name is said in the log, and passed over.
pub fn named(names: &[String]) -> Vec<Provider> {
    let named = names.iter().filter_map(|name| match name.parse() {
        Ok(provider) => Some(provider),
        Err(error) => {
            tracing::error!(%error, "a setting names a provider that is none");
            None
        }
    });
    named.collect()
}
