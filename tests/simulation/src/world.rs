//! One run of a seed.

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
    observed::{Answered, Begun, Observed, Read, Uploaded},
    plan::{self, MARKER, Wanted, Way},
    platform::{
        CONSUMERS, Delivery, Letter, Platform, RETENTION_HOURS, SHARDS, Streamed, aggregate_of,
        event,
    },
    ports::{KeyStore, SimClock, SimFiles, SimLedger, SimOutbox, SimRows, SimSecrets, SimTable},
};

/// What rows hold of this world's environment: its indexes are spread.
pub fn environment() -> Environment {
    Environment {
        shards: "4".parse().unwrap(),
        ..Environment::of_one_shard("sim")
    }
}

/// Clients at the same time, each with its commands in order.
const CLIENTS: usize = 4;

/// Attempts of a client at a command that is not answered, or answered `503`.
const CLIENT_ATTEMPTS: u32 = 12;

/// Attempts at an event, as Lambda's asynchronous invocation has them.
const DELIVERY_ATTEMPTS: u32 = 3;

/// Attempts at a record of the stream.
const RECORD_ATTEMPTS: u32 = 4;

/// Records of a batch.
const BATCH_MAX: usize = 6;

/// Steps while things go wrong: a bound, hardly ever reached.
const STEPS_MAX: u64 = 20_000;

/// Steps within which everything is at rest once nothing goes wrong any more.
const STEPS_TO_REST: u64 = 20_000;

/// Bytes of a file that come at a time: less than an order.
const FILE_CHUNK: usize = 100;

/// Lines of metrics of a seed: a bound, not reached.
const LINES_MAX: usize = 100_000;

/// Hours of an outage: one more than the stream keeps its records.
const OUTAGE_HOURS: i64 = RETENTION_HOURS + 1;

/// In how many segments the store is swept.
const SWEEP_SEGMENTS: u32 = 2;

/// The order that a commit from newer code is of.
pub const POISONED: &str = "order#poison";

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// What everything is drawn from.
    pub seed: u64,
    /// The defect that is planted.
    pub defect: Option<Defect>,
    /// Faults that do not strike.
    pub without: Vec<Fault>,
    /// Commands at most; 0 is no limit.
    pub commands: usize,
    /// Whether to write down what happens.
    pub traced: bool,
}

/// A run's outcome.
pub struct Run {
    /// What an observer has seen.
    pub observed: Observed,
    /// How much has happened.
    pub tally: Tally,
    /// What happened, where it was to be written down.
    pub trace: Vec<String>,
}

/// What an invocation is about, and so what follows from its end.
enum Job {
    Client {
        client: usize,
    },
    Delivery(Delivery),
    Batch {
        consumer: usize,
        shard: usize,
    },
    /// What nobody waits for: whoever asked for it sees what is left to do.
    Errand,
    Letter(Letter),
    Piece {
        number: u64,
        piece: Value,
    },
}

type Running = Pin<Box<dyn Future<Output = Answer>>>;

/// A world on its way.
pub struct World {
    core: Core,
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    went_back: Arc<Mutex<Vec<String>>>,
    spoilt: Arc<Mutex<BTreeMap<RowKey, Row>>>,
    lines: Arc<LatestLines>,
    platform: Arc<Platform>,
    files: MemoryFiles,
    ledger: Arc<SimLedger>,
    keys: Arc<KeyStore>,
    /// The instances of the command functions, and of the projectors.
    commands: Vec<Commands>,
    projectors: Vec<Projectors>,
    remembered: Arc<Remembered>,
    running: Vec<(Job, Running)>,
    clients: Vec<Client>,
    operator: Operator,
    observed: Observed,
    /// Scans that a webhook brought which was answered that they are logged.
    acknowledged: BTreeSet<(String, String)>,
    /// Orders whose personal data are erased, as an answer has said.
    hidden: BTreeSet<String>,
    reads: Arc<Mutex<Vec<Read>>>,
    /// Turns of the schedule since nothing goes wrong any more.
    turns: u32,
}

/// A client: what it still wants, and how often it has tried the first of it.
#[derive(Default)]
struct Client {
    wanted: VecDeque<Wanted>,
    attempts: u32,
    waiting: bool,
    /// Had every scan of the webhook that it sends been acknowledged before?
    known: bool,
    /// Puts of commits that it has taken so far.
    puts: u64,
    /// When the first attempt began.
    begun: Begun,
    /// The erasure that it asks for, by its place among all.
    asked: usize,
}

/// Which commits carry a snapshot: of every second seed's as everywhere, which of few commits are
/// all, with everything in it. The others have every second one, and seals as soon as half of
/// all is behind the last, so that a load is of several commits and a repeat may be behind a seal.
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

/// Runs a seed.
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
    world.go_on(STEPS_MAX);
    world.core.end_faults();
    world.observed.at_rest = world.go_on(STEPS_TO_REST);
    world.read_all();
    world.observed.at_rest &= world.go_on(STEPS_TO_REST);
    world.finished()
}

/// Runs given commands with choices of somebody else's, and no fault but what `prepare` allows.
pub fn run_with(
    chooser: Box<dyn Chooser>,
    clients: Vec<Vec<Wanted>>,
    crashes: usize,
    traced: bool,
) -> Run {
    let mut world = World::new(Core::coarse(chooser, traced), Vec::new(), Policy::default());
    world.clients = clients
        .into_iter()
        .map(|wanted| Client {
            wanted: wanted.into(),
            ..Client::default()
        })
        .collect();
    world.observed.wanted = world
        .clients
        .iter()
        .flat_map(|client| client.wanted.iter().cloned())
        .collect();
    world.core.end_faults();
    world.commands_only(crashes);
    world.observed.commands_only = true;
    world.observed.at_rest = true;
    world.finished()
}

impl World {
    fn new(core: Core, plan: Vec<Wanted>, policy: Policy) -> Self {
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
        for (number, wanted) in plan.iter().enumerate() {
            clients[number % CLIENTS].wanted.push_back(wanted.clone());
        }
        let observed = Observed {
            wanted: plan,
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
            hidden: BTreeSet::new(),
            reads: Arc::default(),
            turns: 0,
        }
    }

    fn finished(mut self) -> Run {
        self.running.clear();
        let mut kept = self.platform.kept();
        let mut observed = std::mem::take(&mut self.observed);
        for file in &mut observed.files {
            let (key, version) = (&file.object.key, file.object.version());
            let report = self
                .files
                .content(&format!("reports/{key}/{version}/report.json"));
            file.report = report.map(|report| serde_json::from_slice(&report).unwrap());
        }
        observed.stored = self.table.all();
        self.opened(&mut observed);
        observed.written = std::mem::take(&mut kept.written);
        observed.shown = std::mem::take(&mut kept.shown);
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
        observed.announced = std::mem::take(&mut kept.announced);
        observed.alerted = std::mem::take(&mut kept.alerted);
        observed.told = std::mem::take(&mut kept.told);
        observed.set_aside = std::mem::take(&mut kept.set_aside);
        observed.lost = std::mem::take(&mut kept.lost);
        observed.letters = std::mem::take(&mut kept.letters);
        observed.letters.append(&mut kept.left);
        drop(kept);
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
