//! What can go wrong between the function and its surroundings.

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

/// Burns through at one of the calls: the function never hears of it again, and crashes.
#[derive(Default)]
pub struct Fuse {
    /// 0 for never.
    left: AtomicUsize,
    passed: AtomicUsize,
    burnt: AtomicBool,
}

impl Fuse {
    /// Burns through at the `strike`-th strike from here, from 1.
    pub fn at(&self, strike: usize) {
        self.left.store(strike, Ordering::SeqCst);
        self.passed.store(0, Ordering::SeqCst);
    }

    pub fn is_burnt(&self) -> bool {
        self.burnt.load(Ordering::SeqCst)
    }

    pub fn mend(&self) {
        if self.burnt.swap(false, Ordering::SeqCst) {
            self.left.store(0, Ordering::SeqCst);
        }
    }

    /// A strike lies before and another one behind every call.
    async fn strike(&self) {
        let passed = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_burnt() || passed == self.left.load(Ordering::SeqCst) {
            self.burnt.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

/// All surroundings of the function, with a fuse.
#[derive(Clone)]
pub struct Breakable {
    pub fuse: Arc<Fuse>,
    pub files: MemoryFiles,
    pub table: Arc<MemoryTable>,
    pub operator: Arc<MemoryOperator>,
}

macro_rules! with_fuse {
    ($self:ident, $call:expr) => {{
        $self.fuse.strike().await;
        let answer = $call.await;
        $self.fuse.strike().await;
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
        let fuse = self.fuse.clone();
        Ok(Box::new(BreakableChunks { chunks, fuse }))
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
    fuse: Arc<Fuse>,
}

#[async_trait]
impl Chunks for BreakableChunks {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        self.fuse.strike().await;
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

/// A table that lets others go first, and is unavailable for some of its puts.
pub struct Slow {
    pub table: Arc<dyn CommitTable>,
    /// Puts that are answered, each after some of everybody else's steps,
    pub answered: AtomicUsize,
    /// before so many are not.
    pub unavailable: AtomicUsize,
    /// The most steps that others may take first.
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
