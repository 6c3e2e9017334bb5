//! Carriers' webhooks: `POST /carriers/{provider}`.
//!
//! ```text
//! webhook ─▶ verify (headers, bytes, secrets, time) ─▶ translate (body → scans) ─▶ updates
//! ```
//!
//! A provider is a file of pure functions and a table of codes: [`easypost`], [`aftership`],
//! [`shipengine`], [`shippo`], [`track17`], [`sendcloud`]. They share [`signature`], [`codes`] and
//! [`scan`]. [`secrets`] and [`keys`] read what comes from outside. [`webhook`] handles a webhook
//! with all of these. `README.md` beside this file says what is known of each provider, and from
//! which source.

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

/// A service that collects the scans of many carriers and sends them as webhooks.
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

/// What the role `carriers` needs to verify webhooks and to name shipments.
#[derive(Clone)]
pub struct Carriers {
    /// The secrets with which the providers sign.
    pub secrets: Arc<CachedSecrets>,
    /// The public keys of those providers that publish some.
    pub keys: Arc<CachedKeys>,
    /// The providers of whose parcels the reference, and not the tracking number, becomes the
    /// shipment's id.
    pub by_reference: Arc<[Provider]>,
    /// The scans that cannot be logged and that this process has already reported.
    pub kept: Arc<ReportedScans>,
}

impl Carriers {
    /// Has no secrets and no keys, so that every webhook is refused.
    pub fn none() -> Self {
        Self {
            secrets: Arc::new(CachedSecrets::new(FixedSecrets::default())),
            keys: Arc::new(CachedKeys::new(Nowhere)),
            by_reference: Arc::new([]),
            kept: Arc::default(),
        }
    }
}

/// What a webhook's signature is checked with.
#[derive(Debug, Clone, Copy)]
pub struct SignatureContext<'a> {
    /// The values of the provider's secret; more than one while a secret is rotated.
    pub secrets: &'a [String],
    /// The provider's public keys; empty where it publishes none.
    pub keys: &'a KeySet,
    /// The present time, against which the time of a signature is checked.
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

    /// The provider's name in a path and in the name of a secret, such as `easypost`.
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

    /// The provider's table of codes.
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

    /// Checks that the provider has signed this webhook. Where the provider signs a time, it must
    /// be at most [`SIGNATURE_AGE_SECONDS`](crate::limits::SIGNATURE_AGE_SECONDS) from now, so that
    /// nobody can send an old webhook again. Fails with [`SignatureError`].
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

    /// Reads the body of a webhook. Fails with [`Unreadable`] where it is no JSON or lacks what the
    /// provider's documentation promises.
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

/// The name of no provider.
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

/// The providers with these names. A name of no provider is logged as an error and ignored.
pub fn named(names: &[String]) -> Vec<Provider> {
    let named = names.iter().filter_map(|name| match name.parse() {
        Ok(provider) => Some(provider),
        Err(error) => {
            tracing::error!(%error, "an unknown provider in a setting is ignored");
            None
        }
    });
    named.collect()
}
