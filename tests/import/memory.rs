//! The memory of an import does not grow with the file. This test is alone in its process, because
//! it measures the memory of the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use commands::{
    Commands, Role,
    import::files::{Chunks, FileError, Files, Object},
};
use event_store::{
    EventStore, SystemClock,
    commit::Item,
    table::{CommitTable, Page, Put, Unavailable},
};
use flate2::{Compression, write::GzEncoder};
use lambda::Invocation;
use serde_json::{Value, json, value::to_raw_value};
use support::operator::MemoryOperator;

/// The most memory that the function may take, in bytes.
const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// How much more it may take for ten times the orders, in bytes.
const GROWTH_MAX: u64 = 24 * 1024 * 1024;

/// A file of `orders` lines that are generated when they are read. Each line whose number is a
/// multiple of `rejected_every` is an order without items, which is rejected.
struct Generated {
    orders: u64,
    rejected_every: u64,
    /// Whether the file is compressed with gzip, in a member for each chunk.
    packed: bool,
    reports: std::sync::Mutex<Vec<(String, Vec<u8>)>>,
}

/// The length of every line in bytes, so that a line can be found by its offset.
const LINE: usize = 512;

fn line(number: u64, rejected_every: u64) -> Vec<u8> {
    let items = match number.is_multiple_of(rejected_every) {
        true => json!([]),
        false => json!([
            { "productId": "22423", "name": "REGENCY CAKESTAND 3 TIER", "quantity": 2, "price": 12.75 },
            { "productId": "85123A", "name": "WHITE HANGING HEART", "quantity": 6, "price": 2.55 },
        ]),
    };
    let order = json!({ "orderId": format!("A-{number}"), "customerId": "17850", "items": items });
    let mut line = order.to_string().into_bytes();
    line.resize(LINE - 1, b' ');
    line.push(b'\n');
    line
}

#[async_trait]
impl Files for Generated {
    fn bucket(&self) -> &str {
        "bucket"
    }

    async fn open(&self, _object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        Ok(Box::new(Lines {
            next: offset / LINE as u64,
            orders: self.orders,
            rejected_every: self.rejected_every,
            packed: self.packed,
        }))
    }

    async fn get(&self, _key: &str, _most: usize) -> Result<Option<Vec<u8>>, FileError> {
        Ok(None)
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        if key.ends_with("report.json") {
            self.reports.lock().unwrap().push((key.to_owned(), json));
        }
        Ok(())
    }
}

struct Lines {
    next: u64,
    orders: u64,
    rejected_every: u64,
    packed: bool,
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[async_trait]
impl Chunks for Lines {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let end = (self.next + 128).min(self.orders);
        let chunk: Vec<u8> = (self.next..end)
            .flat_map(|number| line(number, self.rejected_every))
            .collect();
        self.next = end;
        Ok(match (chunk.is_empty(), self.packed) {
            (true, _) => None,
            (false, true) => Some(packed(&chunk)),
            (false, false) => Some(chunk),
        })
    }
}

/// A table that counts the commits and stores none.
#[derive(Default)]
struct Counting {
    put: AtomicU64,
}

#[async_trait]
impl CommitTable for Counting {
    async fn put_new(&self, _item: Item) -> Result<Put, Unavailable> {
        self.put.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Put::Written)
    }

    async fn newest(&self, _: &str, _: Option<u64>, _: u32) -> Result<Page, Unavailable> {
        Ok(Page::default())
    }

    async fn oldest(&self, _: &str, _: u64, _: u32) -> Result<Page, Unavailable> {
        Ok(Page::default())
    }

    async fn segment(&self, _: u32, _: u32, _: Option<&Item>) -> Result<Page, Unavailable> {
        Ok(Page::default())
    }
}

/// Imports a file of this many orders. Returns the most memory that the process has ever taken, in
/// bytes.
async fn import(orders: u64, rejected_every: u64, packed: bool) -> u64 {
    let table = Arc::new(Counting::default());
    let files = Arc::new(Generated {
        orders,
        rejected_every,
        packed,
        reports: Default::default(),
    });
    let commands = Commands {
        store: EventStore::new(table.clone()),
        clock: Arc::new(SystemClock),
        operator: Arc::new(MemoryOperator::default()),
        files: files.clone(),
        carriers: commands::carriers::Carriers::none(),
        metrics: support::unread_metrics(),
        environment: "test".to_owned(),
    };
    let event = json!({
        "id": "event", "source": "aws.s3", "detail-type": "Object Created",
        "detail": {
            "bucket": { "name": "bucket" },
            "object": { "key": "orders/many.jsonl", "etag": "e", "version-id": "v" },
        },
    });
    let payload = to_raw_value(&event).unwrap();
    let invocation = Invocation::of("request");
    let answer = commands.handle(Role::Import, payload, &invocation).await;
    assert_eq!(answer, Ok(Value::Null));
    let rejected = orders.div_ceil(rejected_every);
    assert_eq!(table.put.load(Ordering::SeqCst), orders - rejected);
    let reports = files.reports.lock().unwrap();
    let report: Value = serde_json::from_slice(&reports[0].1).unwrap();
    assert_eq!(report["accepted"], orders - rejected);
    assert_eq!(report["rejected"], rejected);
    most_memory()
}

fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_hundred_thousand_orders_take_no_more_than_twenty_thousand() {
    for (rejected_every, packed) in [(1_000, false), (1_000, true), (1, false)] {
        let few = import(20_000, rejected_every, packed).await;
        let many = import(200_000, rejected_every, packed).await;
        println!("{few} bytes for 20,000 orders, {many} for 200,000");
        assert!(many < MEMORY_MAX, "{many} bytes");
        // The kernel's figure is exact to a few pages only, so it may even seem to go back.
        assert!(
            many.saturating_sub(few) < GROWTH_MAX,
            "{few} bytes, then {many}"
        );
    }
}
