//! One run of a seed.

mod clients;
mod stream;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use commands::Commands;
use event_store::{Commit, EventStore, commit::Item, memory::MemoryTable};
use lambda::{
    Answer, Failed, Invocation,
    metrics::{LatestLines, Metrics},
};
use projectors::{
    Environment, Projectors, Role,
    ports::{Rows, Table},
    rebuild,
};
use serde_json::{Value, json, value::RawValue};
use support::{
    files::{BUCKET, MemoryFiles},
    rows::MemoryRows,
    stream::{batch_of_items, batch_of_records},
};

use crate::{
    core::{Chooser, Core, Fault, Seeded, Tally},
    defects::{Defect, Remembered},
    observed::{Answered, Observed, Uploaded},
    plan::{self, MARKER, Wanted, Way},
    platform::{
        CONSUMERS, Delivery, Platform, RETENTION_HOURS, SHARDS, Streamed, aggregate_of, event,
    },
    ports::{SimClock, SimFiles, SimOutbox, SimRows, SimTable},
};

/// What rows hold of this world's environment: its indexes are spread.
pub fn environment() -> Environment {
    Environment {
        name: "sim".to_owned(),
        shards: "4".parse().unwrap(),
    }
}

/// Clients at the same time, each with its commands in order.
const CLIENTS: usize = 4;

/// Attempts of a client at a command that is not answered, or answered `503`.
const CLIENT_ATTEMPTS: u32 = 12;

/// Attempts at an event, as Lambda's asynchronous invocation has them.
const DELIVERY_ATTEMPTS: u32 = 3;

/// Attempts at a record of the stream.
const RECORD_ATTEMPTS: u32 = 8;

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
    Client { client: usize },
    Delivery(Delivery),
    Batch { consumer: usize, shard: usize },
    Rebuild,
}

type Running = Pin<Box<dyn Future<Output = Answer>>>;

/// A world on its way.
pub struct World {
    core: Core,
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    went_back: Arc<Mutex<Vec<String>>>,
    lines: Arc<LatestLines>,
    platform: Arc<Platform>,
    files: MemoryFiles,
    commands: Commands,
    projectors: Projectors,
    remembered: Arc<Remembered>,
    running: Vec<(Job, Running)>,
    clients: Vec<Client>,
    observed: Observed,
}

/// A client: what it still wants, and how often it has tried the first of it.
#[derive(Default)]
struct Client {
    wanted: VecDeque<Wanted>,
    attempts: u32,
    waiting: bool,
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
    let mut world = World::new(core, plan);
    world.poison();
    world.go_on(STEPS_MAX);
    world.core.end_faults();
    world.observed.at_rest = world.go_on(STEPS_TO_REST);
    world.finished()
}

/// Runs given commands with choices of somebody else's, and no fault but what `prepare` allows.
pub fn run_with(
    chooser: Box<dyn Chooser>,
    clients: Vec<Vec<Wanted>>,
    crashes: usize,
    traced: bool,
) -> Run {
    let mut world = World::new(Core::coarse(chooser, traced), Vec::new());
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
    world.observed.at_rest = true;
    world.finished()
}

impl World {
    fn new(core: Core, plan: Vec<Wanted>) -> Self {
        let table = Arc::new(MemoryTable::default());
        let rows = Arc::new(MemoryRows::default());
        let went_back = Arc::new(Mutex::new(Vec::new()));
        let platform = Arc::new(Platform::default());
        let clock = Arc::new(SimClock(core.clone()));
        let store = EventStore::new(Arc::new(SimTable {
            core: core.clone(),
            table: table.clone(),
            platform: platform.clone(),
        }));
        let outbox = Arc::new(SimOutbox {
            core: core.clone(),
            platform: platform.clone(),
        });
        let sim_rows = SimRows {
            core: core.clone(),
            rows: rows.clone(),
            went_back: went_back.clone(),
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
            metrics: metrics.clone(),
            environment: "sim".to_owned(),
        };
        let projectors = Projectors {
            store,
            rows: Arc::new(sim_rows),
            bus: outbox.clone(),
            topic: outbox,
            metrics,
            clock,
            environment: environment(),
        };
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
            lines,
            platform,
            files,
            commands,
            projectors,
            remembered: Arc::default(),
            running: Vec::new(),
            clients,
            observed,
        }
    }

    /// A commit from newer code, of an order of its own: it parks, and nothing else does.
    fn poison(&mut self) {
        if !self.core.strikes(Fault::Poison) {
            return;
        }
        let envelope = support::envelopes::placing("poison", "poison");
        let loaded = event_store::Loaded::<domain::Order>::new(envelope.aggregate.clone());
        let command = domain::aggregate::Command {
            at: self.core.now(),
            intent: envelope.intent.clone(),
        };
        let events = domain::EventSourced::decide(&loaded.state, &command).unwrap();
        let mut commit = loaded
            .next_commit(events, self.core.now(), envelope.cause)
            .unwrap();
        commit.events[0].version = 99;
        let item = commit.to_item().unwrap();
        self.table.overwrite(item.clone()).unwrap();
        self.platform.written(&self.core, item);
    }

    /// Takes steps until nothing is left to do, at most `steps`; is nothing left?
    fn go_on(&mut self, steps: u64) -> bool {
        for _ in 0..steps {
            self.core.step();
            if self.core.strikes(Fault::Rebuild) {
                self.rebuild();
            }
            let startable = self.startable();
            let options = startable.len() + self.running.len();
            if options == 0 {
                return true;
            }
            let choice = self.core.choose(options);
            match startable.get(choice) {
                Some(start) => self.start(*start),
                None => self.advance(choice - startable.len()),
            }
        }
        false
    }

    /// Moves the commands of clients alone, each at every call, until all are settled; of the
    /// first so many holds, one may be a crash.
    fn commands_only(&mut self, mut crashes: usize) {
        for _ in 0..STEPS_MAX {
            let startable: Vec<Start> = (0..self.clients.len())
                .filter(|client| self.may_send(*client))
                .map(Start::Client)
                .collect();
            let options = startable.len() + self.running.len();
            if options == 0 {
                return;
            }
            let choice = if options == 1 {
                0
            } else {
                self.core.choose(options)
            };
            let Some(start) = startable.get(choice) else {
                let place = choice - startable.len();
                if crashes > 0 && self.core.choose(2) == 1 {
                    crashes -= 1;
                    let (job, _) = self.running.remove(place);
                    self.ended(job, Err(Failed("crash".to_owned())));
                } else {
                    self.advance(place);
                }
                continue;
            };
            self.start(*start);
        }
    }

    // ---- What can begin

    fn startable(&self) -> Vec<Start> {
        let clients = (0..CLIENTS)
            .filter(|client| self.may_send(*client))
            .map(Start::Client);
        let kept = self.platform.kept();
        let deliveries = (0..kept.deliveries.len().min(2)).map(Start::Delivery);
        let waiting = |consumer: usize, shard: usize| {
            let cursor = &kept.cursors[consumer][shard];
            let idle = !self.running.iter().any(|(job, _)| {
                matches!(job, Job::Batch { consumer: c, shard: s } if (*c, *s) == (consumer, shard))
            });
            idle && cursor.next < kept.shards[shard].len()
        };
        let batches = (0..CONSUMERS)
            .flat_map(|consumer| (0..SHARDS).map(move |shard| (consumer, shard)))
            .filter(|(consumer, shard)| waiting(*consumer, *shard))
            .map(|(consumer, shard)| Start::Batch { consumer, shard });
        clients.chain(deliveries).chain(batches).collect()
    }

    fn may_send(&self, client: usize) -> bool {
        let client = &self.clients[client];
        !client.waiting && !client.wanted.is_empty()
    }

    fn start(&mut self, start: Start) {
        match start {
            Start::Client(client) => self.send(client),
            Start::Delivery(place) => {
                let delivery = self.platform.kept().deliveries.remove(place);
                self.core.note(|| format!("deliver {}", delivery.event));
                let commands = self.commands.clone();
                let payload = payload(&delivery.event);
                let (role, invocation) = (delivery.role, Invocation::of("request"));
                let handle = async move { commands.handle(role, payload, &invocation).await };
                self.running
                    .push((Job::Delivery(delivery), Box::pin(handle)));
            }
            Start::Batch { consumer, shard } => self.read(consumer, shard),
        }
    }

    /// An operator has the rows of some aggregate made again.
    fn rebuild(&mut self) {
        let written: Vec<String> = self
            .platform
            .kept()
            .written
            .iter()
            .map(|item| aggregate_of(item))
            .collect();
        if written.is_empty() {
            return;
        }
        let name = &written[self.core.choose(written.len())];
        self.core.note(|| format!("rebuild {name}"));
        let (projectors, id) = (self.projectors.clone(), name.parse().unwrap());
        let handle = async move {
            let rebuilt = rebuild::aggregate(&projectors, &id).await;
            rebuilt
                .map(|_| Value::Null)
                .map_err(|error| Failed(error.to_string()))
        };
        self.running.push((Job::Rebuild, Box::pin(handle)));
    }

    // ---- Any invocation

    fn advance(&mut self, place: usize) {
        if self.core.strikes(Fault::Crash) {
            let (job, _) = self.running.remove(place);
            self.ended(job, Err(Failed("crash".to_owned())));
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = self.running[place].1.as_mut().poll(&mut context) {
            let (job, _) = self.running.remove(place);
            self.ended(job, answer);
        }
    }

    fn ended(&mut self, job: Job, answer: Answer) {
        match job {
            Job::Client { client } => self.answered(client, answer),
            Job::Batch { consumer, shard } => self.consumed(consumer, shard, answer),
            // Whoever asked for it asks again, or does not: live projection goes on either way.
            Job::Rebuild => {}
            Job::Delivery(mut delivery) => {
                delivery.attempts += 1;
                let again = answer.is_ok() && self.core.strikes(Fault::Duplicate);
                if answer.is_err() && delivery.attempts == DELIVERY_ATTEMPTS {
                    self.observed.undelivered.push(delivery.event.clone());
                    self.platform.dead_letter(&delivery.event);
                } else if answer.is_err() || (again && delivery.attempts < DELIVERY_ATTEMPTS) {
                    self.platform.kept().deliveries.push(delivery);
                }
            }
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
        observed.written = std::mem::take(&mut kept.written);
        observed.orders = self.rows.all(Table::ProcessedOrders);
        observed.shipments = self.rows.all(Table::ShipmentLog);
        let parked = self.rows.all(Table::Parked);
        observed.parked = parked
            .iter()
            .map(|row| row["id"].to_string().replace('"', ""))
            .collect();
        observed.went_back = self.went_back.lock().unwrap().clone();
        observed.metrics = self.lines.all();
        observed.announced = std::mem::take(&mut kept.announced);
        observed.alerted = std::mem::take(&mut kept.alerted);
        observed.told = std::mem::take(&mut kept.told);
        observed.given_up = std::mem::take(&mut kept.given_up);
        drop(kept);
        Run {
            observed,
            tally: self.core.tally(),
            trace: self.core.trace(),
        }
    }
}

/// What can begin.
#[derive(Debug, Clone, Copy)]
enum Start {
    Client(usize),
    Delivery(usize),
    Batch { consumer: usize, shard: usize },
}

fn payload(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
