//! The table of the keys of personal data, and the master key that wraps them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
use domain::Timestamp;
use event_store::{
    Clock,
    keys::{DataKey, KeyRecord, KeyTable, Keys, MemoryKeys, MemoryWrapping, NewKey, Wrapping},
    table::Unavailable,
};

use super::{SimClock, after, before};
use crate::{
    core::{Core, Fault},
    defects::Defect,
};

/// By owner and version of a key: when the table last gave it to a caller, in milliseconds since
/// the world began.
pub type Served = BTreeMap<(String, u32), i64>;

/// The stored keys, shared by all instances of all functions.
#[derive(Default)]
pub struct KeyStore {
    /// The table of keys.
    pub table: Arc<MemoryKeys>,
    /// The master key that wraps them.
    pub wrapping: Arc<RotatedWrapping>,
    /// When the table last gave each key to a caller.
    pub served: Mutex<Served>,
}

impl KeyStore {
    /// Returns the keys as they are stored, without any fault.
    pub fn as_stored(&self) -> Keys {
        Keys::new(self.table.clone(), self.wrapping.clone())
    }

    /// Returns the keys as an instance of a function uses them, with a cache of its own. With
    /// `remembers` it reads each key from the table only once, which is a planted defect.
    pub fn instance(self: &Arc<Self>, core: &Core, remembers: bool) -> Keys {
        let table = SimKeys {
            core: core.clone(),
            store: self.clone(),
            remembered: remembers.then(Mutex::default),
        };
        let wrapping = SimWrapping(core.clone(), self.clone());
        let clock: Arc<dyn Clock> = match core.defect {
            Some(Defect::KeptForEver) => Arc::new(StoppedClock(SimClock(core.clone()))),
            _ => Arc::new(SimClock(core.clone())),
        };
        Keys::new(Arc::new(table), Arc::new(wrapping)).with_clock(clock)
    }
}

fn unavailable() -> Unavailable {
    Unavailable("fault".to_owned())
}

/// The table of keys as one instance sees it, under this world's faults.
struct SimKeys {
    core: Core,
    store: Arc<KeyStore>,
    /// The records read so far, where the defect not to read again is planted.
    remembered: Option<Mutex<BTreeMap<String, KeyRecord>>>,
}

impl SimKeys {
    fn served(&self, owner: &str, record: &KeyRecord) {
        if record.wrapped.is_some() {
            let key = (owner.to_owned(), record.version);
            let mut served = self.store.served.lock().unwrap();
            served.insert(key, self.core.elapsed());
        }
    }
}

#[async_trait]
impl KeyTable for SimKeys {
    async fn get(&self, owner: &str) -> Result<Option<KeyRecord>, Unavailable> {
        let remembered = self.remembered.as_ref();
        if let Some(known) = remembered.and_then(|all| all.lock().unwrap().get(owner).cloned()) {
            return Ok(Some(known));
        }
        if !before(&self.core, || format!("key of {owner}")).await {
            return Err(unavailable());
        }
        let record = self.store.table.get(owner).await?;
        if !after(&self.core).await {
            return Err(unavailable());
        }
        if let Some(record) = &record {
            self.served(owner, record);
            if let (Some(all), Some(_)) = (remembered, &record.wrapped) {
                all.lock().unwrap().insert(owner.to_owned(), record.clone());
            }
        }
        Ok(record)
    }

    async fn put(&self, owner: &str, record: &KeyRecord) -> Result<bool, Unavailable> {
        let what = || {
            format!(
                "put key {} of {owner}: {}",
                record.version,
                record.wrapped.is_some()
            )
        };
        if !before(&self.core, what).await {
            return Err(unavailable());
        }
        let put = self.store.table.put(owner, record).await?;
        if let Some(all) = &self.remembered {
            all.lock().unwrap().remove(owner);
        }
        if !after(&self.core).await {
            return Err(unavailable());
        }
        self.served(owner, record);
        Ok(put)
    }
}

/// A master key in memory that is rotated from time to time. What an earlier generation has
/// wrapped can still be unwrapped.
#[derive(Debug, Default)]
pub struct RotatedWrapping {
    keys: MemoryWrapping,
    generation: AtomicU8,
}

impl RotatedWrapping {
    fn rotate(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Wrapping for RotatedWrapping {
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable> {
        let generation = self.generation.load(Ordering::Relaxed);
        let NewKey { key, wrapped } = self.keys.make(owner).await?;
        let wrapped = wrapped.iter().map(|byte| byte ^ generation);
        let wrapped = [generation].into_iter().chain(wrapped).collect();
        Ok(NewKey { key, wrapped })
    }

    async fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable> {
        let (generation, wrapped) = wrapped.split_first().ok_or_else(unavailable)?;
        let wrapped: Vec<u8> = wrapped.iter().map(|byte| byte ^ generation).collect();
        self.keys.unwrap(owner, &wrapped).await
    }
}

/// The master key under this world's faults.
struct SimWrapping(Core, Arc<KeyStore>);

impl SimWrapping {
    /// Suspends the task as any call does, and fails where a fault strikes. In a small world it
    /// does neither, because the call has no effect that another task could see.
    async fn called(&self, what: &str) -> Result<(), Unavailable> {
        if self.0.coarse {
            return Ok(());
        }
        let reached = before(&self.0, || what.to_owned()).await && after(&self.0).await;
        reached.then_some(()).ok_or_else(unavailable)
    }
}

#[async_trait]
impl Wrapping for SimWrapping {
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable> {
        if self.0.strikes(Fault::Rotation) {
            self.1.wrapping.rotate();
        }
        self.called("make a key").await?;
        self.1.wrapping.make(owner).await
    }

    async fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable> {
        self.called("unwrap a key").await?;
        self.1.wrapping.unwrap(owner, wrapped).await
    }
}

/// A clock that always shows the same time, so that nothing expires by it.
struct StoppedClock(SimClock);

#[async_trait]
impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    async fn sleep(&self, duration: std::time::Duration) {
        self.0.sleep(duration).await;
    }

    fn jitter(&self, max: std::time::Duration) -> std::time::Duration {
        self.0.jitter(max)
    }
}
