//! One run of a seed: the system under test, its clients and its operator, and the scheduler.
//!
//! [`run`] has three parts. First, faults strike, for at most `STEPS_MAX` steps. Then faults are
//! switched off, and the run continues until nothing is left to do. At last every order's history
//! is read once. A step advances time, lets chance start activities, and then either starts an
//! invocation or polls a running one up to its next suspended call (see `schedule.rs`).

mod clients;
mod operator;
mod persons;
mod schedule;
mod spoiling;
mod stream;
mod watcher;
mod works;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use commands::{
    Commands,
    carriers::{Carriers, secrets::CachedSecrets},
};
use domain::Json;
use event_store::{Commit, EventStore, Policy, commit::Item, memory::MemoryTable};
use lambda::{
    Answer, Failed, Invocation,
    metrics::{LatestLines, Metrics},
};
use projectors::{
    Environment, Projectors, Role,
    ports::{Row, Rows, Table},
    rebuild::Rebuilds,
    shipment_log,
};
use serde_json::{Value, json, value::RawValue};
use support::{
    files::{BUCKET, MemoryFiles},
    ledger::MemoryLedger,
    rows::{MemoryRows, RowKey},
    stream::{batch_of_items, batch_of_records},
};

use operator::{NOTIFY, Operator, PROJECT};
use persons::INSTANCES;
use works::Work;

pub(crate) use clients::post;

use crate::{
    core::{Chooser, Core, Fault, Seeded, Tally},
    defects::{Defect, Remembered, plain},
    observed::{Answered, Elapsed, HistoryRead, Observed, Uploaded},
    plan::{self, MARKER, PlannedRequest, Way},
    platform::{
        CONSUMERS, DeadLetter, Delivery, Platform, RETENTION_HOURS, SHARDS, Streamed, aggregate_of,
        event,
    },
    ports::{KeyStore, SimClock, SimFiles, SimLedger, SimOutbox, SimRows, SimSecrets, SimTable},
};

/// Returns the environment of this world. Its indexes have four shards.
pub fn environment() -> Environment {
    Environment {
        shards: "4".parse().unwrap(),
        ..Environment::of_one_shard("sim")
    }
}

/// The number of clients. They send at the same time, each its own requests in order.
const CLIENTS: usize = 4;

/// The most attempts of a client at a request that gets no answer, or a `503`.
const CLIENT_ATTEMPTS: u32 = 12;

/// The most attempts at an event, as in Lambda's asynchronous invocation.
const DELIVERY_ATTEMPTS: u32 = 3;

/// The most attempts at a record of the stream.
const RECORD_ATTEMPTS: u32 = 4;

/// The most records of a batch.
const BATCH_MAX: usize = 6;

/// The most steps with faults. This limit is hardly ever reached.
const STEPS_MAX: u64 = 20_000;

/// The most steps without faults until nothing is left to do. More are a violation.
const STEPS_TO_REST: u64 = 20_000;

/// The size of the chunks in which a file is read, in bytes. It is smaller than an order.
const FILE_CHUNK: usize = 100;

/// The most lines of metrics of a seed. This limit is not reached.
const LINES_MAX: usize = 100_000;

/// The length of an outage, in hours: one more than the stream keeps its records.
const OUTAGE_HOURS: i64 = RETENTION_HOURS + 1;

/// The number of segments of a sweep.
const SWEEP_SEGMENTS: u32 = 2;

/// The order that has a commit of a version which this code cannot read.
pub const POISONED: &str = "order#poison";

/// What to run: a seed and its options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// The seed from which every choice is drawn.
    pub seed: u64,
    /// The defect that is planted, if any.
    pub defect: Option<Defect>,
    /// The faults that never strike.
    pub without: Vec<Fault>,
    /// The most requests of the plan; 0 is no limit.
    pub commands: usize,
    /// Whether to record a trace.
    pub traced: bool,
}

/// The outcome of a run.
pub struct Run {
    /// What an outside observer has seen.
    pub observed: Observed,
    /// The counts of what happened.
    pub tally: Tally,
    /// The trace, a line for each thing that happened. It is empty where none was recorded.
    pub trace: Vec<String>,
}

/// The purpose of a running invocation, which decides what happens when it ends.
enum Job {
    /// An attempt at the first request of a client, which waits for the answer.
    Client { client: usize },
    /// The delivery of an event to a command function.
    Delivery(Delivery),
    /// A batch of the stream for a consumer.
    Batch { consumer: usize, shard: usize },
    /// An invocation whose answer nobody waits for. Where it fails, the work that it has left is
    /// found again later.
    Background,
    /// The retry of a dead letter.
    DeadLetter(DeadLetter),
    /// One piece of the work with this number. `piece` is its input.
    Piece { number: u64, piece: Value },
}

type Running = Pin<Box<dyn Future<Output = Answer>>>;

/// The state of a run.
pub struct World {
    core: Core,
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    /// The keys of rows whose version went back.
    went_back: Arc<Mutex<Vec<String>>>,
    /// The rows that somebody has changed by hand, as they were left.
    spoilt: Arc<Mutex<BTreeMap<RowKey, Row>>>,
    /// The lines of metrics.
    lines: Arc<LatestLines>,
    platform: Arc<Platform>,
    files: MemoryFiles,
    ledger: Arc<SimLedger>,
    keys: Arc<KeyStore>,
    /// The instances of the command functions. Each caches keys of its own.
    commands: Vec<Commands>,
    /// The instances of the projectors. Each caches keys of its own.
    projectors: Vec<Projectors>,
    /// The memory of the planted defect `RememberedSequence`.
    remembered: Arc<Remembered>,
    /// The invocations that have begun and not ended.
    running: Vec<(Job, Running)>,
    clients: Vec<Client>,
    operator: Operator,
    observed: Observed,
    /// The scans, by aggregate and text, that an answer has acknowledged as logged.
    acknowledged: BTreeSet<(String, String)>,
    /// The orders whose personal data were erased by an erasure that was answered with 200.
    erased_orders: BTreeSet<String>,
    /// The answers to requests for the history of an order.
    reads: Arc<Mutex<Vec<HistoryRead>>>,
    /// The number of scheduled runs of the watcher since faults were switched off.
    turns: u32,
}

/// A client: its remaining requests, and the state of the first of them. `attempts` counts the
/// attempts at it; `waiting` is whether one is running.
#[derive(Default)]
struct Client {
    planned: VecDeque<PlannedRequest>,
    attempts: u32,
    waiting: bool,
    /// Whether each scan of the webhook that it sends had been acknowledged before this attempt.
    already_acknowledged: bool,
    /// The number of puts of commits so far; for a webhook, of this attempt.
    puts: u64,
    /// When the first attempt began.
    began_at: Elapsed,
    /// The index of the erasure that it requests, in [`Observed`].
    erasure: usize,
}

/// Returns the rule by which commits carry snapshots. Even seeds have the default rule: with
/// histories as short as here, every commit carries a full snapshot. Odd seeds have a snapshot
/// every second commit, and a full one as soon as half of the history came after the last full one.
/// So a load reads several commits, and a repeated command may be found in the full snapshot only.
fn policy(seed: u64) -> Policy {
    let policy = Policy::default();
    match seed.is_multiple_of(2) {
        true => policy,
        false => Policy {
            every: 2,
            unit_bytes: 1,
            full_snapshot_share: 2,
            ..policy
        },
    }
}

/// Runs a seed to its end and returns what was observed.
pub fn run(setup: &Setup) -> Run {
    let chooser = Box::new(Seeded(fastrand::Rng::with_seed(setup.seed)));
    let core = Core::new(chooser, setup.defect, setup.traced);
    core.draw_rates(&setup.without);
    let limit = if setup.commands == 0 {
        usize::MAX
    } else {
        setup.commands
    };
    let plan = plan::draw(&core, limit);
    let mut world = World::new(core, plan, policy(setup.seed));
    world.poison();
    world.run_until_idle(STEPS_MAX);
    world.core.end_faults();
    world.observed.at_rest = world.run_until_idle(STEPS_TO_REST);
    world.read_all();
    world.observed.at_rest &= world.run_until_idle(STEPS_TO_REST);
    world.finished()
}

/// Runs the requests of `clients` with the choices of `chooser`, as a small world: commands alone,
/// without any fault except at most `crashes` crashes.
pub fn run_with(
    chooser: Box<dyn Chooser>,
    clients: Vec<Vec<PlannedRequest>>,
    crashes: usize,
    traced: bool,
) -> Run {
    let mut world = World::new(Core::coarse(chooser, traced), Vec::new(), Policy::default());
    world.clients = clients
        .into_iter()
        .map(|planned| Client {
            planned: planned.into(),
            ..Client::default()
        })
        .collect();
    world.observed.planned = world
        .clients
        .iter()
        .flat_map(|client| client.planned.iter().cloned())
        .collect();
    world.core.end_faults();
    world.commands_only(crashes);
    world.observed.commands_only = true;
    world.observed.at_rest = true;
    world.finished()
}

impl World {
    fn new(core: Core, plan: Vec<PlannedRequest>, policy: Policy) -> Self {
        let table = Arc::new(MemoryTable::default());
        let rows = Arc::new(MemoryRows::default());
        let went_back = Arc::new(Mutex::new(Vec::new()));
        let spoilt = Arc::new(Mutex::new(BTreeMap::new()));
        let platform = Arc::new(Platform::default());
        let clock = Arc::new(SimClock(core.clone()));
        let digests = match core.defect {
            Some(Defect::PlainDigest) => plain::digests(&plan),
            _ => plain::Digests::new(),
        };
        let store = EventStore::new(Arc::new(SimTable {
            core: core.clone(),
            table: table.clone(),
            platform: platform.clone(),
            digests,
        }))
        .under(policy);
        let outbox = Arc::new(SimOutbox {
            core: core.clone(),
            platform: platform.clone(),
        });
        let sim_rows = SimRows {
            core: core.clone(),
            rows: rows.clone(),
            went_back: went_back.clone(),
            spoilt: spoilt.clone(),
        };
        let lines = Arc::new(LatestLines::new(LINES_MAX));
        let files = MemoryFiles::in_chunks_of(FILE_CHUNK);
        let metrics = Metrics::new("sim", lines.clone());
        let commands = Commands {
            store: store.clone(),
            clock: clock.clone(),
            operator: outbox.clone(),
            files: Arc::new(SimFiles {
                core: core.clone(),
                files: files.clone(),
            }),
            carriers: Carriers {
                secrets: Arc::new(CachedSecrets::new(SimSecrets(core.clone()))),
                ..Carriers::none()
            },
            metrics: metrics.clone(),
            environment: "sim".to_owned(),
        };
        let ledger = Arc::new(SimLedger {
            core: core.clone(),
            ledger: MemoryLedger::default(),
        });
        let projectors = Projectors {
            store,
            rows: Arc::new(sim_rows),
            bus: outbox.clone(),
            topic: outbox,
            metrics,
            clock,
            environment: environment(),
            stalled_after: watcher::STALLED_AFTER.parse().unwrap(),
            rebuilds: Rebuilds {
                ledger: ledger.clone(),
                sweep_segments: SWEEP_SEGMENTS,
                ..support::ledger::rebuilds()
            },
            additional: Vec::new(),
        };
        let keys = Arc::new(KeyStore::default());
        let commands = (0..INSTANCES).map(|_| Commands {
            store: commands
                .store
                .clone()
                .with_keys(keys.instance(&core, false)),
            ..commands.clone()
        });
        let commands = commands.collect();
        let remembers = core.defect == Some(Defect::KeyRemembered);
        let projectors = (0..INSTANCES).map(|_| Projectors {
            store: (projectors.store.clone()).with_keys(keys.instance(&core, remembers)),
            ..projectors.clone()
        });
        let projectors = projectors.collect();
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::default()).collect();
        for (number, planned) in plan.iter().enumerate() {
            clients[number % CLIENTS].planned.push_back(planned.clone());
        }
        let observed = Observed {
            planned: plan,
            ..Observed::default()
        };
        Self {
            core,
            table,
            rows,
            went_back,
            spoilt,
            lines,
            platform,
            files,
            ledger,
            keys,
            commands,
            projectors,
            remembered: Arc::default(),
            running: Vec::new(),
            clients,
            operator: Operator::default(),
            observed,
            acknowledged: BTreeSet::new(),
            erased_orders: BTreeSet::new(),
            reads: Arc::default(),
            turns: 0,
        }
    }

    fn finished(mut self) -> Run {
        self.running.clear();
        let mut state = self.platform.state();
        let mut observed = std::mem::take(&mut self.observed);
        for file in &mut observed.files {
            let (key, version) = (&file.object.key, file.object.version());
            let report = self
                .files
                .content(&format!("reports/{key}/{version}/report.json"));
            file.report = report.map(|report| serde_json::from_slice(&report).unwrap());
        }
        observed.stored = self.table.all();
        self.observe_persons(&mut observed);
        observed.written = std::mem::take(&mut state.written);
        observed.clock_at_write = std::mem::take(&mut state.clock_at_write);
        observed.orders = self.rows.all(Table::ProcessedOrders);
        observed.shipments = self.rows.all(Table::ShipmentLog);
        let parked = self.rows.all(Table::Parked);
        observed.parked = parked
            .iter()
            .map(|row| row["id"].to_string().replace('"', ""))
            .collect();
        observed.parked_rows = parked
            .into_iter()
            .map(|row| Json::Object(row).to_string())
            .collect();
        observed.ledger = self.ledger.ledger.all();
        observed.went_back = self.went_back.lock().unwrap().clone();
        observed.metrics = self.lines.all();
        observed.announced = std::mem::take(&mut state.announced);
        observed.alerted = std::mem::take(&mut state.alerted);
        observed.operator_messages = std::mem::take(&mut state.operator_messages);
        observed.set_aside = std::mem::take(&mut state.set_aside);
        observed.expired = std::mem::take(&mut state.expired);
        observed.dead_letters = std::mem::take(&mut state.dead_letters);
        observed.dead_letters.append(&mut state.unresolved);
        drop(state);
        Run {
            observed,
            tally: self.core.tally(),
            trace: self.core.trace(),
        }
    }
}

fn payload(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
