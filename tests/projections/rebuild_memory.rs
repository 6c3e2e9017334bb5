//! The memory of a rebuild does not grow with the number of aggregates. This test is alone in its
//! process, because it measures the memory of the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{EventSourced, Json, Number, Order, Timestamp, aggregate::Command, order::Intent};
use event_store::{
    Commit, EventStore, Loaded, SystemClock,
    commit::Item,
    table::{CommitTable, Page, Put, Unavailable},
};
use projectors::{
    Environment, Projectors, Role,
    indexes::Index,
    ports::{Direction, Row, RowError, RowPage, Rows, SegmentPage, Start, Table},
    rebuild::ledger::{Ledger, LedgerError},
    task::{Plan, Task},
};
use serde_json::{Value, value::to_raw_value};
use support::{envelopes, outbox::Outbox};

/// The most memory that a function may take, in bytes.
const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// How much more it may take for more aggregates, in bytes.
const GROWTH_MAX: u64 = 24 * 1024 * 1024;

const SEGMENTS: u32 = 4;
const PER_PAGE: u64 = 500;

/// Orders and their rows that are generated when they are read. Each row whose number is a multiple
/// of `wrong_every` is wrong.
struct Generated {
    orders: u64,
    wrong_every: u64,
    written: AtomicU64,
}

fn id(number: u64) -> String {
    format!("ORD-{number:012}")
}

/// Returns the commits of an order that was placed and completed.
fn history(number: u64) -> Vec<Commit> {
    let at = Timestamp::from_millis(1_705_312_800_000).unwrap();
    let mut loaded = Loaded::<Order>::new(envelopes::placing(&id(number), "c-1").aggregate);
    let mut history = Vec::new();
    let complete = envelopes::to_order(&id(number), "c-2", Intent::Complete);
    for command in [envelopes::placing(&id(number), "c-1"), complete] {
        let intent = command.intent;
        let events = EventSourced::decide(&loaded.state, &Command { at, intent });
        let commit = loaded.next_commit(events.unwrap(), at, command.cause);
        let commit = commit.unwrap();
        history.push(commit.clone());
        loaded = loaded.apply_newest_first(vec![commit]).unwrap();
    }
    history
}

/// Returns the numbers of a segment's orders that follow the order with this id.
fn numbers(orders: u64, segment: u32, segments: u32, behind: Option<&str>) -> Vec<u64> {
    let behind = behind.map(|id| id.trim_start_matches("ORD-").parse::<u64>().unwrap());
    let first = behind.map_or(u64::from(segment), |behind| behind + u64::from(segments));
    (first..orders)
        .step_by(segments as usize)
        .take(PER_PAGE as usize)
        .collect()
}

#[async_trait]
impl CommitTable for Generated {
    async fn put_new(&self, _: Item) -> Result<Put, Unavailable> {
        Err(Unavailable("a rebuild writes no events".to_owned()))
    }

    async fn newest(&self, _: &str, _: Option<u64>, _: u32) -> Result<Page, Unavailable> {
        Err(Unavailable(
            "a rebuild reads histories from their beginning".to_owned(),
        ))
    }

    async fn oldest(&self, aggregate: &str, _: u64, _: u32) -> Result<Page, Unavailable> {
        let number = aggregate.trim_start_matches("order#ORD-").parse().unwrap();
        let items = history(number).into_iter();
        Ok(Page {
            items: items.map(|commit| commit.to_item().unwrap()).collect(),
            ..Page::default()
        })
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        after: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        let after = after.map(|item| item["aggregate"].as_s().unwrap());
        let after = after.map(|name| name.trim_start_matches("order#"));
        let numbers = numbers(self.orders, segment, segments, after);
        let more = numbers.len() as u64 == PER_PAGE;
        let commits = numbers.into_iter().flat_map(history);
        Ok(Page {
            items: commits.map(|commit| commit.to_item().unwrap()).collect(),
            more,
            half_units: 256,
        })
    }
}

impl Generated {
    /// Returns the stored row of an order.
    fn row(&self, number: u64) -> Row {
        let commits = history(number);
        let version = commits.last().unwrap().version();
        let events = commits
            .iter()
            .flat_map(|commit| commit.decoded::<Order>().unwrap());
        let order = Order::default().folded(events);
        let environment = Environment::of_one_shard("test");
        let mut row = projectors::processed_orders::row(&order, version, &environment).unwrap();
        if number.is_multiple_of(self.wrong_every) {
            row.insert("status".to_owned(), "WRONG".into());
        }
        row
    }
}

fn unused<T>() -> Result<T, RowError> {
    Err(RowError::Refused("a rebuild does not ask this".to_owned()))
}

#[async_trait]
impl Rows for Generated {
    async fn put(&self, _: Table, _: Row) -> Result<(), RowError> {
        unused()
    }

    async fn put_newer(&self, _: Table, _: Row, _: u64) -> Result<(), RowError> {
        unused()
    }

    async fn put_rebuilt(
        &self,
        _: Table,
        row: Row,
        _: u64,
        _: Option<Number>,
    ) -> Result<(), RowError> {
        assert_eq!(row["status"], Json::from("PROCESSED"));
        self.written.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn remove(&self, _: Table, _: Row) -> Result<(), RowError> {
        unused()
    }

    async fn put_first(&self, _: Table, _: Row) -> Result<Option<Row>, RowError> {
        unused()
    }

    async fn get(&self, _: Table, _: Row) -> Result<Option<Row>, RowError> {
        unused()
    }

    async fn log(&self, _: &str, _: Option<&str>, _: u32) -> Result<RowPage, RowError> {
        unused()
    }

    async fn query_partition(
        &self,
        _: Table,
        partition: &str,
        _: Option<&str>,
        _: u32,
    ) -> Result<RowPage, RowError> {
        let number = partition.trim_start_matches("ORD-").parse().unwrap();
        Ok(RowPage {
            rows: vec![self.row(number)],
            more: false,
        })
    }

    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError> {
        if table != Table::ProcessedOrders {
            return Ok(SegmentPage::default());
        }
        let after = after.map(|row| table.key_of(&row)[0].clone());
        let numbers = numbers(self.orders, segment, segments, after.as_deref());
        let last = numbers.last().filter(|_| numbers.len() as u64 == PER_PAGE);
        Ok(SegmentPage {
            last: last.map(|number| table.key(&id(*number), "")),
            rows: numbers.iter().map(|number| self.row(*number)).collect(),
            half_units: 256,
        })
    }

    async fn list(
        &self,
        _: Index,
        _: &str,
        _: &Start,
        _: Direction,
        _: u32,
    ) -> Result<RowPage, RowError> {
        unused()
    }
}

/// A ledger in a folder of the file system.
struct Folder(PathBuf);

fn unavailable(error: std::io::Error) -> LedgerError {
    LedgerError(error.to_string())
}

#[async_trait]
impl Ledger for Folder {
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).map_err(unavailable)?;
        std::fs::write(path, bytes).map_err(unavailable)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let Ok(entries) = std::fs::read_dir(self.0.join(prefix)) else {
            return Ok(Vec::new());
        };
        let path = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.map_err(unavailable)?.file_name();
            Ok(format!("{prefix}{}", name.to_str().unwrap()))
        };
        entries.map(path).collect()
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError> {
        std::fs::read(self.0.join(path)).map_err(unavailable)
    }
}

/// Rebuilds the rows of this many orders. Returns the most memory that the process has ever taken,
/// in bytes.
async fn rebuild(folder: &Path, orders: u64, wrong_every: u64) -> u64 {
    let generated = Arc::new(Generated {
        orders,
        wrong_every,
        written: AtomicU64::new(0),
    });
    let mut rebuilds = support::ledger::rebuilds();
    rebuilds.ledger = Arc::new(Folder(folder.to_owned()));
    let projectors = Projectors {
        stalled_after: lambda::StalledAfter::default(),
        store: EventStore::new(generated.clone()),
        rows: generated.clone(),
        bus: Arc::new(Outbox::default()),
        topic: Arc::new(Outbox::default()),
        metrics: support::unread_metrics(),
        clock: Arc::new(SystemClock),
        environment: Environment::of_one_shard("test"),
        rebuilds,
        additional: Vec::new(),
    };
    let plan = Plan {
        run: format!("memory-{orders}-{wrong_every}"),
        segments: SEGMENTS,
        buckets: u32::try_from(orders / 20_000).unwrap().max(1),
        repair: true,
        only: None,
    };
    let (mut aggregates, mut written) = (0, 0);
    for piece in plan.gather().into_iter().map(Task::Gather) {
        done(&projectors, piece).await;
    }
    for piece in plan.settle().into_iter().map(Task::Settle) {
        let counted = done(&projectors, piece).await["counted"].take();
        aggregates += counted["aggregates"].as_u64().unwrap();
        written += counted["written"].as_u64().unwrap();
    }
    let wrong = orders.div_ceil(wrong_every);
    assert_eq!((aggregates, written), (orders, wrong));
    assert_eq!(generated.written.load(Ordering::SeqCst), wrong);
    std::fs::remove_dir_all(folder).unwrap();
    most_memory()
}

/// Does a piece of work, in as many invocations as it needs.
async fn done(projectors: &Projectors, piece: Task) -> Value {
    let mut piece = serde_json::to_value(piece).unwrap();
    while piece["done"] != true {
        let payload = to_raw_value(&piece).unwrap();
        let invocation = lambda::Invocation::of("request");
        let handled = projectors.handle(Role::Rebuild, payload, &invocation);
        piece = handled.await.unwrap();
    }
    piece
}

fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hundred_thousand_aggregates_take_no_more_than_twenty_thousand() {
    let folder = std::env::temp_dir().join(format!("rebuild-memory-{}", std::process::id()));
    for wrong_every in [1_000, 10] {
        let few = rebuild(&folder, 20_000, wrong_every).await;
        let many = rebuild(&folder, 100_000, wrong_every).await;
        println!("{few} bytes for 20,000 aggregates, {many} for 100,000");
        assert!(many < MEMORY_MAX, "{many} bytes");
        // The kernel's figure is exact to a few pages only, so it may even seem to go back.
        assert!(
            many.saturating_sub(few) < GROWTH_MAX,
            "{few} bytes, then {many}"
        );
    }
}
