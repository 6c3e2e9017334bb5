//! The keys of personal data. Each owner, a customer or an order without one, has a data key; it is
//! stored wrapped, and an erasure destroys it.
//!
//! - `cipher`: seals and opens a text; [`record`]: the table of keys; [`wrapping`]: how a data key
//!   is encrypted before it is stored
//!
//! A data key is kept in memory for some minutes, which saves calls of KMS. Sealing uses a kept key
//! without asking the table: an order that is placed while its customer is erased ends sealed with
//! a destroyed key, which is erased. Opening always asks the table first, so that no key is used
//! after its destruction.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_config::SdkConfig;
use domain::{
    Timestamp,
    personal::{Field, Owner, Sealed, UnsealedPersonalData},
};

use crate::{
    Clock, SystemClock,
    limits::{CACHED_KEYS_MAX, KEY_ATTEMPTS, KEY_CACHE_TIME},
    table::Unavailable,
};

mod cipher;
pub mod record;
pub mod wrapping;

pub use cipher::{DataKey, KEY_BYTES, NotOpened};
pub use record::{DynamoDbKeys, KeyRecord, KeyTable, MemoryKeys};
pub use wrapping::{KmsWrapping, MemoryWrapping, NewKey, Wrapping};

/// The keys of an environment's personal data.
#[derive(Clone)]
pub struct Keys {
    table: Arc<dyn KeyTable>,
    wrapping: Arc<dyn Wrapping>,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Kept>>,
}

/// An owner's keys, as they are when the table is asked.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The present key with its version; `None` where there is none.
    pub key: Option<(u32, Arc<DataKey>)>,
    /// The version of the latest key that was ever made, 0 where there was none.
    pub latest: u32,
    /// The time of the latest erasure. Personal data from before it are erased.
    pub erased_at: Option<Timestamp>,
}

/// The result of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destroyed {
    /// The version of the key that is destroyed, 0 where there was none.
    pub version: u32,
    /// Whether this call destroyed it, or found it destroyed.
    pub now: bool,
    /// The time from before which all personal data of the owner are erased.
    pub erased_at: Timestamp,
}

impl Keys {
    /// The keys in `table`, wrapped by `wrapping`.
    pub fn new(table: Arc<dyn KeyTable>, wrapping: Arc<dyn Wrapping>) -> Self {
        Self {
            table,
            wrapping,
            clock: Arc::new(SystemClock),
            kept: Arc::default(),
        }
    }

    /// The keys of an environment on AWS, or in the emulator: in the table `table`, wrapped by the
    /// KMS key with the id, ARN or alias `key_id`.
    pub fn on_aws(config: &SdkConfig, table: impl Into<String>, key_id: impl Into<String>) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        Self::new(
            Arc::new(DynamoDbKeys::new(dynamodb, table)),
            Arc::new(KmsWrapping::new(config, key_id)),
        )
    }

    /// Keys in memory, for tests.
    pub fn in_memory() -> Self {
        Self::new(
            Arc::new(MemoryKeys::default()),
            Arc::new(MemoryWrapping::default()),
        )
    }

    /// The same keys with another source of time, by which kept keys expire.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Seals the personal data of an order that is to be placed. The owner's key is made where
    /// there is none: one more read and write of the table, and one call of KMS.
    pub async fn seal(&self, unsealed: &UnsealedPersonalData) -> Result<Sealed, Unavailable> {
        let (version, key) = self.for_sealing(&unsealed.owner).await?;
        let mut sealed = Sealed {
            key: version,
            customer_name: None,
            personal: None,
        };
        for (field, text) in &unsealed.fields {
            let text = key.seal(&unsealed.order_id, *field, text);
            let text = text.map_err(|error| Unavailable(error.to_string()))?;
            match field {
                Field::CustomerName => sealed.customer_name = Some(text),
                Field::Personal => sealed.personal = Some(text),
            }
        }
        Ok(sealed)
    }

    /// The owner's keys. The table is always asked.
    pub async fn held(&self, owner: &Owner) -> Result<Held, Unavailable> {
        let name = owner.to_string();
        let Some(record) = self.table.get(&name).await? else {
            return Ok(Held::default());
        };
        let key = match &record.wrapped {
            Some(wrapped) => Some((
                record.version,
                self.unwrapped(&name, record.version, wrapped).await?,
            )),
            None => None,
        };
        Ok(Held {
            key,
            latest: record.version,
            erased_at: record.erased_at,
        })
    }

    /// The record of the owner's key as the table holds it; `None` where there never was a key and
    /// nothing was erased.
    pub async fn record(&self, owner: &Owner) -> Result<Option<KeyRecord>, Unavailable> {
        self.table.get(&owner.to_string()).await
    }

    /// Destroys the owner's key, for ever. Where there is none, the erasure is noted all the same:
    /// it counts for what older builds have stored without a key. Repeating it is no error; a key
    /// that was made since is destroyed, too.
    ///
    /// `up_to` limits it to keys up to that version, so that a late repeat does not destroy the key
    /// that a customer who has come back was given since.
    pub async fn destroy(
        &self,
        owner: &Owner,
        up_to: Option<u32>,
        at: Timestamp,
    ) -> Result<Destroyed, Unavailable> {
        let name = owner.to_string();
        for _ in 0..KEY_ATTEMPTS {
            let before = self.table.get(&name).await?;
            let known = before.is_some();
            let before = before.unwrap_or_default();
            let newer = up_to.is_some_and(|up_to| before.version > up_to);
            if known
                && let Some(erased_at) = before.erased_at
                && (before.wrapped.is_none() || newer)
                && erased_at >= at
            {
                return Ok(Destroyed {
                    version: before.version,
                    now: false,
                    erased_at,
                });
            }
            let record = KeyRecord {
                version: before.version,
                revision: before.revision + 1,
                wrapped: before.wrapped.filter(|_| newer),
                erased_at: Some(at),
            };
            if self.table.put(&name, &record).await? {
                self.kept().forget(&name);
                return Ok(Destroyed {
                    version: record.version,
                    now: true,
                    erased_at: at,
                });
            }
        }
        Err(rivals())
    }

    /// The key that seals the owner's data, with its version.
    async fn for_sealing(&self, owner: &Owner) -> Result<(u32, Arc<DataKey>), Unavailable> {
        let name = owner.to_string();
        let now = self.clock.now();
        if let Some(kept) = self.kept().latest(&name, now) {
            return Ok(kept);
        }
        for _ in 0..KEY_ATTEMPTS {
            let before = self.table.get(&name).await?.unwrap_or_default();
            if let Some(wrapped) = &before.wrapped {
                let key = self.unwrapped(&name, before.version, wrapped).await?;
                return Ok((before.version, key));
            }
            let NewKey { key, wrapped } = self.wrapping.make(&name).await?;
            let record = KeyRecord {
                version: before.version + 1,
                revision: before.revision + 1,
                wrapped: Some(wrapped),
                erased_at: before.erased_at,
            };
            // A put whose answer is lost may have been made: then the next attempt finds its key.
            if self.table.put(&name, &record).await? {
                let key = Arc::new(key);
                self.kept()
                    .keep(&name, record.version, &key, self.clock.now());
                return Ok((record.version, key));
            }
        }
        Err(rivals())
    }

    async fn unwrapped(
        &self,
        name: &str,
        version: u32,
        wrapped: &[u8],
    ) -> Result<Arc<DataKey>, Unavailable> {
        let now = self.clock.now();
        let kept = self.kept().latest(name, now);
        if let Some((_, key)) = kept.filter(|(kept, _)| *kept == version) {
            return Ok(key);
        }
        let key = Arc::new(self.wrapping.unwrap(name, wrapped).await?);
        self.kept().keep(name, version, &key, now);
        Ok(key)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn rivals() -> Unavailable {
    Unavailable(format!(
        "{KEY_ATTEMPTS} times a rival changed the owner's key first"
    ))
}

/// The data keys in memory, each owner's latest.
#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<String, KeptKey>,
}

#[derive(Debug)]
struct KeptKey {
    version: u32,
    key: Arc<DataKey>,
    since: Timestamp,
}

impl Kept {
    fn latest(&mut self, owner: &str, now: Timestamp) -> Option<(u32, Arc<DataKey>)> {
        let kept = self.keys.get(owner)?;
        // A clock that was set back makes a key no younger.
        let age = now.millis().abs_diff(kept.since.millis());
        if u128::from(age) > KEY_CACHE_TIME.as_millis() {
            self.keys.remove(owner);
            return None;
        }
        Some((kept.version, kept.key.clone()))
    }

    fn keep(&mut self, owner: &str, version: u32, key: &Arc<DataKey>, now: Timestamp) {
        if self.keys.len() >= CACHED_KEYS_MAX {
            let oldest = self.keys.iter().min_by_key(|(_, kept)| kept.since);
            if let Some(oldest) = oldest.map(|(owner, _)| owner.clone()) {
                self.keys.remove(&oldest);
            }
        }
        let kept = KeptKey {
            version,
            key: key.clone(),
            since: now,
        };
        self.keys.insert(owner.to_owned(), kept);
    }

    fn forget(&mut self, owner: &str) {
        self.keys.remove(owner);
    }
}
