//! Ports with a trap at one of their calls: this call fails or never returns, before or after its
//! effect.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use event_store::{
    EventStore,
    commit::Item,
    table::{CommitTable, Page, Put, Unavailable},
};
use futures::future::BoxFuture;
use projectors::{
    Projectors,
    ports::{Announcement, Bus, RowError, Rows, Sent},
    rebuild::ledger::{Ledger, LedgerError},
};
use support::hooked::{Hooked, Hooks};
use tokio::sync::Notify;

/// What happens at the call with the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// This one call fails without an effect.
    Fails,
    /// This call has its effect, and answers an error.
    LosesItsAnswer,
    /// This call and all later ones fail, until the trap is taken away.
    Outage,
    /// This call never begins, and the task that awaits it is dropped.
    CutOffBefore,
    /// This call has its effect but never returns, and the task that awaits it is dropped.
    CutOffAfter,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 5] = [
        Self::Fails,
        Self::LosesItsAnswer,
        Self::Outage,
        Self::CutOffBefore,
        Self::CutOffAfter,
    ];
}

/// A function that runs before each call. Its argument is the call's name, such as `rows remove`.
pub type Before = Box<dyn Fn(&'static str) -> BoxFuture<'static, ()> + Send + Sync>;

/// A counter of the calls of all ports, with a trap at one of them.
pub struct Trap {
    at: u64,
    mode: Mode,
    calls: AtomicU64,
    by_name: Mutex<BTreeMap<&'static str, u64>>,
    gone: AtomicBool,
    sprung: Notify,
    before: Option<Before>,
}

impl Trap {
    /// Returns a trap at the call number `at`, counted from 1.
    pub fn at(at: u64, mode: Mode) -> Arc<Self> {
        Arc::new(Self::new(at, mode, None))
    }

    /// Returns a counter without a trap.
    pub fn none() -> Arc<Self> {
        Self::at(0, Mode::Fails)
    }

    /// Returns a counter that runs `before` before every call.
    pub fn before(before: Before) -> Arc<Self> {
        Arc::new(Self::new(0, Mode::Fails, Some(before)))
    }

    fn new(at: u64, mode: Mode, before: Option<Before>) -> Self {
        Self {
            at,
            mode,
            calls: AtomicU64::new(0),
            by_name: Mutex::default(),
            gone: AtomicBool::new(false),
            sprung: Notify::new(),
            before,
        }
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Returns the number of calls of this name so far.
    pub fn called(&self, name: &str) -> u64 {
        let by_name = self.by_name.lock().unwrap();
        by_name.get(name).copied().unwrap_or_default()
    }

    /// Takes the trap away.
    pub fn take_away(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Runs `work` to its end. Returns `None` where the trap interrupted it.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.sprung.notified() => None,
            done = work => Some(done),
        }
    }

    async fn call<T, E>(
        &self,
        name: &'static str,
        failure: impl FnOnce(String) -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        *self.by_name.lock().unwrap().entry(name).or_default() += 1;
        if let Some(before) = &self.before {
            before(name).await;
        }
        let here = number == self.at && !self.gone.load(Ordering::SeqCst);
        let behind = self.at > 0 && number >= self.at && !self.gone.load(Ordering::SeqCst);
        match self.mode {
            Mode::Fails if here => return Err(failure("scripted".to_owned())),
            Mode::Outage if behind => return Err(failure("scripted".to_owned())),
            Mode::CutOffBefore if here => self.never().await,
            _ => {}
        }
        let done = call.await;
        match self.mode {
            Mode::LosesItsAnswer if here => Err(failure("scripted".to_owned())),
            Mode::CutOffAfter if here => self.never().await,
            _ => done,
        }
    }

    async fn never<T>(&self) -> T {
        self.sprung.notify_one();
        std::future::pending().await
    }
}

/// A port with the trap.
struct Trapped<P: ?Sized> {
    trap: Arc<Trap>,
    port: Arc<P>,
}

/// Returns `projectors` whose events table, rows, ledger and bus have the trap.
pub fn trapped(
    projectors: &Projectors,
    events: Arc<dyn CommitTable>,
    trap: &Arc<Trap>,
) -> Projectors {
    let mut trapped = projectors.clone();
    let (table, rows) = (port(events, trap), port(projectors.rows.clone(), trap));
    trapped.store = EventStore::new(Arc::new(table));
    trapped.rows = Arc::new(Hooked(rows));
    trapped.bus = Arc::new(port(projectors.bus.clone(), trap));
    let ledger = projectors.rebuilds.ledger.clone();
    trapped.rebuilds.ledger = Arc::new(port(ledger, trap));
    trapped
}

fn port<P: ?Sized>(port: Arc<P>, trap: &Arc<Trap>) -> Trapped<P> {
    let trap = trap.clone();
    Trapped { trap, port }
}

#[async_trait]
impl CommitTable for Trapped<dyn CommitTable> {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        self.trap
            .call("events put_new", Unavailable, self.port.put_new(item))
            .await
    }

    async fn newest(
        &self,
        aggregate: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        let call = self.port.newest(aggregate, before, limit);
        self.trap.call("events newest", Unavailable, call).await
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        let call = self.port.oldest(aggregate, from, limit);
        self.trap.call("events oldest", Unavailable, call).await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        let call = self.port.segment(segment, segments, after);
        self.trap.call("events segment", Unavailable, call).await
    }
}

#[async_trait]
impl Ledger for Trapped<dyn Ledger> {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let call = self.port.put(path, bytes);
        self.trap.call("ledger put", LedgerError, call).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        self.trap
            .call("ledger list", LedgerError, self.port.list(prefix))
            .await
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        self.trap
            .call("ledger get", LedgerError, self.port.get(path))
            .await
    }
}

#[async_trait]
impl Bus for Trapped<dyn Bus> {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        let call = async { Ok(self.port.put(announcements).await) };
        let failed = |reason| vec![Sent::Failed(reason); announcements.len()];
        self.trap
            .call("bus put", failed, call)
            .await
            .unwrap_or_else(|failed| failed)
    }
}

impl Hooks for Trapped<dyn Rows> {
    fn rows(&self) -> &Arc<dyn Rows> {
        &self.port
    }

    async fn around<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, RowError>> + Send,
    ) -> Result<T, RowError> {
        self.trap.call(call, RowError::Unavailable, work).await
    }
}
