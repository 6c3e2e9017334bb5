//! One run of a seed.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use commands::Commands;
use event_store::{Commit, EventStore, commit::Item, memory::MemoryTable};
use lambda::{Answer, Failed};
use projectors::{
    Projectors, Role,
    ports::{Rows, Table},
    rebuild,
};
use serde_json::{Value, json, value::RawValue};
use support::{
    rows::MemoryRows,
    stream::{batch_of_items, batch_of_records},
};

use crate::{
    core::{Chooser, Core, Fault, Seeded, Tally},
    defects::{Defect, Remembered},
    observed::{Answered, Observed},
    plan::{self, Wanted, Way},
    platform::{
        CONSUMERS, Delivery, Platform, RETENTION_HOURS, SHARDS, Streamed, aggregate_of, event,
    },
    ports::{SimClock, SimOutbox, SimRows, SimTable},
};

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

type Invocation = Pin<Box<dyn Future<Output = Answer>>>;

/// A world on its way.
pub struct World {
    core: Core,
    table: Arc<MemoryTable>,
    rows: Arc<MemoryRows>,
    went_back: Arc<Mutex<Vec<String>>>,
    platform: Arc<Platform>,
    commands: Commands,
    projectors: Projectors,
    remembered: Arc<Remembered>,
    running: Vec<(Job, Invocation)>,
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
        let commands = Commands {
            store: store.clone(),
            clock: clock.clone(),
            operator: outbox.clone(),
            environment: "sim".to_owned(),
        };
        let projectors = Projectors {
            store,
            rows: Arc::new(sim_rows),
            bus: outbox.clone(),
            topic: outbox,
            clock,
            environment: "sim".to_owned(),
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
            platform,
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
                let handle = async move {
                    commands
                        .handle(commands::Role::Bus, payload, "request")
                        .await
                };
                self.running
                    .push((Job::Delivery(delivery), Box::pin(handle)));
            }
            Start::Batch { consumer, shard } => self.read(consumer, shard),
        }
    }

    // ---- Clients

    fn send(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let wanted = client.wanted[0].clone();
        client.attempts += 1;
        self.core
            .note(|| format!("client {number} sends {} {}", wanted.path, wanted.body));
        if wanted.way == Way::Bus {
            client.wanted.pop_front();
            client.attempts = 0;
            let detail = wanted.body.to_string();
            let event = event(
                &wanted.key,
                "logistics.shipments",
                "Shipment Update",
                &detail,
            );
            let twice = self.core.strikes(Fault::Duplicate);
            for _ in 0..1 + usize::from(twice) {
                let delivery = Delivery {
                    event: event.clone(),
                    attempts: 0,
                };
                self.platform.kept().deliveries.push(delivery);
            }
            return;
        }
        client.waiting = true;
        let request = match wanted.way {
            Way::Http => http_request(&wanted),
            _ => {
                let mut order = wanted.body.clone();
                order["commandId"] = wanted.key.clone().into();
                order
            }
        };
        let commands = self.commands.clone();
        let payload = payload(&request.to_string());
        if self.core.defect == Some(Defect::LeakyLog) {
            tracing::warn!(request = payload.get(), "a request came in");
        }
        let handle = async move {
            commands
                .handle(commands::Role::Api, payload, "request")
                .await
        };
        self.running
            .push((Job::Client { client: number }, Box::pin(handle)));
    }

    fn answered(&mut self, number: usize, answer: Answer) {
        let client = &mut self.clients[number];
        client.waiting = false;
        let settled = answer
            .ok()
            .map(|answer| status_and_body(&client.wanted[0], &answer));
        let settled = settled.filter(|(status, _)| *status != 503);
        if settled.is_none() && client.attempts < CLIENT_ATTEMPTS {
            return;
        }
        client.attempts = 0;
        let Some(wanted) = client.wanted.pop_front() else {
            return;
        };
        if let Some((status, body)) = settled {
            self.core
                .note(|| format!("client {number} is answered {status} {body}"));
            self.observed.answers.push(Answered {
                wanted,
                status,
                body,
            });
        }
    }

    // ---- The stream

    fn read(&mut self, consumer: usize, shard: usize) {
        let length = 1 + self.core.choose(BATCH_MAX);
        if self.core.strikes(Fault::Outage) {
            self.core.outage(OUTAGE_HOURS);
        }
        let mut kept = self.platform.kept();
        kept.trim(consumer, shard, self.core.elapsed());
        let (next, records) = (kept.cursors[consumer][shard].next, kept.shards[shard].len());
        let end = (next + length).min(records);
        let batch = kept.shards[shard][next..end].to_vec();
        if batch.is_empty() {
            return;
        }
        kept.cursors[consumer][shard].end = end;
        if self.core.defect == Some(Defect::EarlyCursor) {
            kept.cursors[consumer][shard].next = end;
        }
        drop(kept);
        self.core
            .note(|| format!("consumer {consumer} reads {next}..{end} of shard {shard}"));
        let handle = self.consume(consumer, batch);
        self.running.push((Job::Batch { consumer, shard }, handle));
    }

    fn consume(&self, consumer: usize, batch: Vec<Streamed>) -> Invocation {
        let projectors = self.projectors.clone();
        let role = [Role::Project, Role::Notify][consumer];
        if self.core.defect == Some(Defect::RememberedSequence) && consumer == 0 {
            let (remembered, rows) = (self.remembered.clone(), projectors.rows.clone());
            let items = batch
                .iter()
                .map(|streamed| (*streamed.item).clone())
                .collect();
            return Box::pin(usual_recipe(remembered, rows, projectors, items));
        }
        let payload = batch_of_records(batch.iter().map(|streamed| streamed.record.as_ref()));
        Box::pin(async move { projectors.handle(role, payload, "request").await })
    }

    fn consumed(&mut self, consumer: usize, shard: usize, answer: Answer) {
        let again = self.core.strikes(Fault::Duplicate);
        let defect = self.core.defect;
        let mut kept = self.platform.kept();
        let cursor = &mut kept.cursors[consumer][shard];
        if defect == Some(Defect::EarlyCursor) {
            return;
        }
        // Records are numbered from 1 within their batch.
        let failed_at = match &answer {
            Ok(answer) => answer["batchItemFailures"][0]["itemIdentifier"]
                .as_str()
                .map(|number| number.parse::<usize>().unwrap() - 1),
            Err(_) => Some(0),
        };
        let failed_at = match (failed_at, defect) {
            (_, Some(Defect::UnnamedFailures)) if answer.is_ok() => None,
            (Some(_), Some(Defect::LateFailure)) => Some(cursor.end - cursor.next - 1),
            (failed_at, _) => failed_at,
        };
        match failed_at {
            None if again => {}
            None => {
                cursor.next = cursor.end;
                cursor.attempts = 0;
            }
            Some(0) => cursor.attempts += 1,
            Some(place) => {
                cursor.next += place;
                cursor.attempts = 1;
            }
        }
        if cursor.attempts >= RECORD_ATTEMPTS {
            // To the failure destination, whole; the others go on.
            let lost = cursor.next;
            cursor.next += 1;
            cursor.attempts = 0;
            let aggregate = aggregate_of(&kept.shards[shard][lost].item);
            kept.given_up.push((consumer, aggregate));
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

fn http_request(wanted: &Wanted) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": wanted.path,
        "rawQueryString": "",
        "headers": { "idempotency-key": wanted.key, "content-type": "application/json" },
        "requestContext": {
            "http": { "method": "POST", "path": wanted.path, "protocol": "HTTP/1.1",
                      "sourceIp": "127.0.0.1", "userAgent": "sim" },
            "requestId": "request", "stage": "$default", "timeEpoch": 0,
        },
        "body": wanted.body.to_string(),
        "isBase64Encoded": false,
    })
}

/// What an answer says, by either way.
fn status_and_body(wanted: &Wanted, answer: &Value) -> (u16, String) {
    if wanted.way == Way::Http {
        let status = answer["statusCode"].as_u64().unwrap_or(500) as u16;
        return (
            status,
            answer["body"].as_str().unwrap_or_default().to_owned(),
        );
    }
    match answer.get("error") {
        Some(error) => (
            error["status"].as_u64().unwrap_or(500) as u16,
            error.to_string(),
        ),
        None => (200, answer.to_string()),
    }
}

/// The planted recipe for orders; shipments go the right way.
async fn usual_recipe(
    remembered: Arc<Remembered>,
    rows: Arc<dyn Rows>,
    projectors: Projectors,
    batch: Vec<Item>,
) -> Answer {
    let mut shipments = Vec::new();
    for item in batch {
        let commit = Commit::from_item(item.clone()).map_err(|e| Failed(e.to_string()))?;
        if let Some(row) = remembered.row(&commit, "sim") {
            let put = rows.put(Table::ProcessedOrders, row).await;
            put.map_err(|error| Failed(error.to_string()))?;
        } else if commit.aggregate.to_string().starts_with("shipment#") {
            shipments.push(item);
        }
    }
    projectors
        .handle(Role::Project, batch_of_items(&shipments), "request")
        .await
}
