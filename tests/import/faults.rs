//! Faults between the function and its ports.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use commands::{
    import::files::{Chunks, FileError, Files, Object},
    operator::{DeadLetterReason, Operator, Unreachable},
};
use event_store::{
    commit::Item,
    memory::MemoryTable,
    table::{CommitTable, Page, Put, Unavailable},
};
use support::{files::MemoryFiles, operator::MemoryOperator};

/// A switch that crashes the function at one of its calls: from then on no call ever returns.
#[derive(Default)]
pub struct CrashSwitch {
    /// The number of the check at which the function crashes; 0 is never.
    crash_at: AtomicUsize,
    passed: AtomicUsize,
    crashed: AtomicBool,
}

impl CrashSwitch {
    /// Lets the function crash at the `check`-th check from now on, counted from 1.
    pub fn crash_at(&self, check: usize) {
        self.crash_at.store(check, Ordering::SeqCst);
        self.passed.store(0, Ordering::SeqCst);
    }

    pub fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    pub fn reset(&self) {
        if self.crashed.swap(false, Ordering::SeqCst) {
            self.crash_at.store(0, Ordering::SeqCst);
        }
    }

    /// Waits for ever where the function has crashed or crashes here. There is one check before
    /// and one after the effect of each call.
    async fn pass(&self) {
        let passed = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if self.has_crashed() || passed == self.crash_at.load(Ordering::SeqCst) {
            self.crashed.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

/// All ports of the function, which can crash it.
#[derive(Clone)]
pub struct Breakable {
    pub crash_switch: Arc<CrashSwitch>,
    pub files: MemoryFiles,
    pub table: Arc<MemoryTable>,
    pub operator: Arc<MemoryOperator>,
}

macro_rules! with_fuse {
    ($self:ident, $call:expr) => {{
        $self.crash_switch.pass().await;
        let answer = $call.await;
        $self.crash_switch.pass().await;
        answer
    }};
}

#[async_trait]
impl Files for Breakable {
    fn bucket(&self) -> &str {
        self.files.bucket()
    }

    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        let chunks = with_fuse!(self, self.files.open(object, offset))?;
        let crash_switch = self.crash_switch.clone();
        Ok(Box::new(BreakableChunks {
            chunks,
            crash_switch,
        }))
    }

    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError> {
        with_fuse!(self, self.files.get(key, most))
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        with_fuse!(self, self.files.put(key, json))
    }
}

struct BreakableChunks {
    chunks: Box<dyn Chunks>,
    crash_switch: Arc<CrashSwitch>,
}

#[async_trait]
impl Chunks for BreakableChunks {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        self.crash_switch.pass().await;
        self.chunks.next().await
    }
}

#[async_trait]
impl CommitTable for Breakable {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        with_fuse!(self, self.table.put_new(item))
    }

    async fn newest(&self, of: &str, before: Option<u64>, limit: u32) -> Result<Page, Unavailable> {
        with_fuse!(self, self.table.newest(of, before, limit))
    }

    async fn oldest(&self, of: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        with_fuse!(self, self.table.oldest(of, from, limit))
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        self.table.segment(segment, segments, after).await
    }
}

#[async_trait]
impl Operator for Breakable {
    async fn keep_dead_letter(
        &self,
        event: &str,
        reason: &DeadLetterReason,
    ) -> Result<(), Unreachable> {
        with_fuse!(self, self.operator.keep_dead_letter(event, reason))
    }

    async fn alert(&self, subject: &str, text: &str, id: &str) -> Result<(), Unreachable> {
        with_fuse!(self, self.operator.alert(subject, text, id))
    }
}

/// A table whose calls let other tasks run first, and which is unavailable for some of its puts.
pub struct Slow {
    pub table: Arc<dyn CommitTable>,
    /// The number of puts that succeed first.
    pub answered: AtomicUsize,
    /// The number of puts that fail after those. Later ones succeed.
    pub unavailable: AtomicUsize,
    /// The most times that a call yields to other tasks.
    pub steps: usize,
    pub seed: AtomicUsize,
    pub under_way: AtomicUsize,
    pub most_under_way: AtomicUsize,
}

impl Slow {
    pub fn new(table: Arc<dyn CommitTable>, steps: usize, seed: usize) -> Self {
        Self {
            table,
            answered: AtomicUsize::new(usize::MAX),
            unavailable: AtomicUsize::new(0),
            steps,
            seed: AtomicUsize::new(seed),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        }
    }

    async fn wait(&self) {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        let seed = self.seed.fetch_add(1, Ordering::SeqCst);
        let steps = fastrand::Rng::with_seed(seed as u64).usize(0..=self.steps);
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    fn is_available(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let count = |counter: &AtomicUsize| {
            let updated = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
            updated.is_ok()
        };
        count(&self.answered) || !count(&self.unavailable)
    }
}

#[async_trait]
impl CommitTable for Slow {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        self.wait().await;
        if !self.is_available() {
            return Err(Unavailable("on purpose".to_owned()));
        }
        let put = self.table.put_new(item).await;
        self.wait().await;
        put
    }

    async fn newest(&self, of: &str, before: Option<u64>, limit: u32) -> Result<Page, Unavailable> {
        self.wait().await;
        self.table.newest(of, before, limit).await
    }

    async fn oldest(&self, of: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        self.wait().await;
        self.table.oldest(of, from, limit).await
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        self.table.segment(segment, segments, after).await
    }
}
