//! The costs of personal data: the calls of the table of keys and of KMS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::execute::execute;
use domain::{Order, order::Intent};
use event_store::{
    Clock, EventStore, Keys, SystemClock,
    keys::{DataKey, DynamoDbKeys, KeyRecord, KeyTable, MemoryWrapping, NewKey, Wrapping},
    table::Unavailable,
};
use support::{
    clock::PausedClock,
    embedded::Embedded,
    envelopes::{placing, placing_for, to_order},
};

#[derive(Default)]
struct Counts {
    gets: AtomicU32,
    puts: AtomicU32,
    made: AtomicU32,
    unwrapped: AtomicU32,
}

impl Counts {
    /// Returns the reads and writes of the table, the keys made and the keys unwrapped by KMS,
    /// since the last call.
    fn taken(&self) -> [u32; 4] {
        let all = [&self.gets, &self.puts, &self.made, &self.unwrapped];
        all.map(|count| count.swap(0, Ordering::Relaxed))
    }
}

fn count(of: &AtomicU32) {
    of.fetch_add(1, Ordering::Relaxed);
}

/// A table of keys, or a KMS, whose calls are counted.
struct Counted<T>(Arc<Counts>, T);

#[async_trait]
impl KeyTable for Counted<DynamoDbKeys> {
    async fn get(&self, owner: &str) -> Result<Option<KeyRecord>, Unavailable> {
        count(&self.0.gets);
        self.1.get(owner).await
    }

    async fn put(&self, owner: &str, record: &KeyRecord) -> Result<bool, Unavailable> {
        count(&self.0.puts);
        self.1.put(owner, record).await
    }
}

#[async_trait]
impl Wrapping for Counted<Arc<MemoryWrapping>> {
    async fn make(&self, owner: &str) -> Result<NewKey, Unavailable> {
        count(&self.0.made);
        self.1.make(owner).await
    }

    async fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Unavailable> {
        count(&self.0.unwrapped);
        self.1.unwrap(owner, wrapped).await
    }
}

struct World {
    counts: Arc<Counts>,
    clock: Arc<PausedClock>,
    wrapping: Arc<MemoryWrapping>,
    embedded: Embedded,
}

impl World {
    async fn start() -> Self {
        Self {
            counts: Arc::default(),
            clock: Arc::default(),
            wrapping: Arc::default(),
            embedded: Embedded::start().await,
        }
    }

    /// Returns the store of a new function instance, which has no key in memory yet.
    fn instance(&self) -> EventStore {
        let table = DynamoDbKeys::new(self.embedded.client(), "waybill-test-keys");
        let table = Arc::new(Counted(self.counts.clone(), table));
        let wrapping = Arc::new(Counted(self.counts.clone(), self.wrapping.clone()));
        let keys = Keys::new(table, wrapping).with_clock(self.clock.clone());
        EventStore::new(self.embedded.events()).with_keys(keys)
    }
}

async fn send(store: &EventStore, command: commands::execute::Envelope<Intent>) {
    let sent = execute::<Order>(store, &SystemClock, command).await;
    sent.unwrap();
}

#[tokio::test]
async fn an_order_of_a_known_customer_costs_what_it_did() {
    let world = World::start().await;
    let store = world.instance();
    send(&store, placing("0", "c")).await;
    assert_eq!(world.counts.taken(), [0, 0, 0, 0], "without personal data");
    send(&store, placing_for("1", "c", "Zoe")).await;
    assert_eq!(world.counts.taken(), [1, 1, 1, 0], "a new customer");
    send(&store, placing_for("2", "c", "Zoe")).await;
    assert_eq!(world.counts.taken(), [0, 0, 0, 0], "a known customer");
    send(&store, to_order("2", "d", Intent::Complete)).await;
    assert_eq!(world.counts.taken(), [0, 0, 0, 0], "a change");
    let other = world.instance();
    send(&other, placing_for("3", "c", "Zoe")).await;
    assert_eq!(
        world.counts.taken(),
        [1, 0, 0, 1],
        "known, and no key in memory"
    );
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    world.clock.run(world.clock.sleep(minutes(6))).await;
    send(&other, placing_for("4", "c", "Zoe")).await;
    assert_eq!(world.counts.taken(), [1, 0, 0, 1], "kept for five minutes");
}

#[tokio::test]
async fn opening_asks_the_table_each_time_and_kms_once() {
    let world = World::start().await;
    let store = world.instance();
    send(&store, placing_for("1", "c", "Zoe")).await;
    send(&store, placing("0", "c")).await;
    let other = world.instance();
    world.counts.taken();
    let open = async |id: &str| {
        let history = other.whole_history(&id.parse().unwrap()).await.unwrap();
        other.opened(history).await.unwrap();
        world.counts.taken()
    };
    assert_eq!(open("order#1").await, [1, 0, 0, 1], "the first time");
    assert_eq!(
        open("order#1").await,
        [1, 0, 0, 0],
        "with its key in memory"
    );
    assert_eq!(open("order#0").await, [0, 0, 0, 0], "without personal data");
}

#[tokio::test]
async fn a_sealed_order_takes_one_request_and_one_unit() {
    let world = World::start().await;
    let (store, table) = (world.instance(), world.embedded.events());
    let keys = store.keys().unwrap().clone();
    let store = EventStore::new(table.clone()).with_keys(keys);
    send(&store, placing_for("1", "c", "Aïcha Müller-Lüdenscheidt")).await;
    let usage = table.usage();
    assert_eq!((usage.requests, usage.write_units), (1, 1.0));
}
