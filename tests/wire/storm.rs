//! A wire with random faults, drawn from a seed. Rival senders send commands, each until it is
//! answered; then the commits are projected and announced.

use std::{collections::BTreeSet, sync::Arc};

use commands::execute::{Envelope, Failure, Outcome};
use domain::{Refusal, order, shipment};
use event_store::Commit;
use futures::future::join_all;
use lambda::Invocation;
use projectors::{Environment, Projectors, Role, notifications, ports::Table, row::from_item};
use support::{
    embedded::Embedded,
    envelopes::{placing, to_order, update, update_of},
    outbox::Outbox,
    rows::MemoryRows,
    stream::batch,
};

use crate::{InstantClock, SHORT, World, proxy::Plan};

const SEEDS: u64 = 6;

/// The percentage of requests that meet a fault.
const PERCENT: u32 = 40;

/// The most attempts at a command or a batch before the test fails.
const ATTEMPTS_MAX: usize = 60;

/// The number of senders at the same time.
const RIVALS: usize = 3;

/// The order that some rivals complete and another cancels.
const ORDER: &str = "order-1";
/// The shipment that all rivals update.
const SHIPMENT: &str = "shipment-1";

#[derive(Debug, Clone)]
enum Command {
    Order(Box<Envelope<order::Intent>>),
    Shipment(Box<Envelope<shipment::Intent>>),
}

impl Command {
    fn id(&self) -> &str {
        match self {
            Self::Order(envelope) => &envelope.cause.command_id,
            Self::Shipment(envelope) => &envelope.cause.command_id,
        }
    }

    async fn send(&self, world: &World) -> Result<Outcome, Failure> {
        match self.clone() {
            Self::Order(envelope) => world.order(*envelope).await,
            Self::Shipment(envelope) => world.shipment(*envelope).await,
        }
    }
}

/// Returns the commands of one rival, in order. All rivals place the same order with the same
/// content, so that each but the first gets the answer that it is known.
fn commands_of(rival: usize) -> Vec<Command> {
    let id = |what: &str| format!("{rival}-{what}");
    let cancel = order::Intent::Cancel { reason: None };
    let end = match rival {
        0 => cancel,
        _ => order::Intent::Complete,
    };
    let own = format!("order-of-{rival}");
    let to = |envelope| Command::Order(Box::new(envelope));
    let mut commands = vec![
        to(placing(ORDER, &id("place"))),
        to(to_order(ORDER, &id("end"), end)),
        to(placing(&own, &id("own"))),
        to(to_order(&own, &id("done"), order::Intent::Complete)),
    ];
    commands.extend((0..5).map(|number| {
        let text = format!("{rival} {number}");
        let mut command = update(SHIPMENT, &id(&number.to_string()), &text, None);
        if number == 2 {
            update_of(&mut command).status = "LOST".to_owned().try_into().unwrap();
        }
        Command::Shipment(Box::new(command))
    }));
    commands
}

/// Returns the parts of an outcome that a sender sees: event, status and version.
fn answer_of(outcome: Outcome) -> (Option<String>, String, u64) {
    (outcome.event, outcome.status, outcome.version)
}

/// Sends a command until it gets an answer, as a client does.
async fn send_until_answered(world: &World, command: &Command) -> Result<Outcome, Failure> {
    for _ in 0..ATTEMPTS_MAX {
        match command.send(world).await {
            Err(Failure::Unavailable(_)) => {}
            answer => return answer,
        }
    }
    panic!("{} was never answered", command.id());
}

async fn after_a_storm(seed: u64) -> (World, Vec<(Command, Result<Outcome, Failure>)>) {
    let world = World::on(Arc::new(Embedded::start().await), SHORT).await;
    let random = fastrand::Rng::with_seed(seed);
    world.proxy.plan(Plan::Drawn(random, PERCENT));
    let rivals = (0..RIVALS).map(|rival| {
        let world = &world;
        async move {
            let mut answers = Vec::new();
            for command in commands_of(rival) {
                let answer = send_until_answered(world, &command).await;
                answers.push((command, answer));
            }
            answers
        }
    });
    let answers = join_all(rivals).await.concat();
    (world, answers)
}

async fn commits(world: &World) -> Vec<Commit> {
    let ids = (0..RIVALS).map(|rival| format!("order-of-{rival}"));
    let mut commits = Vec::new();
    for id in ids.chain([ORDER.to_owned(), SHIPMENT.to_owned()]) {
        commits.extend(world.history(&id).await);
    }
    commits
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_command_exists_exactly_once_whatever_the_wire_does() {
    for seed in 0..SEEDS {
        let (world, answers) = after_a_storm(seed).await;
        let commits = commits(&world).await;
        for (command, answer) in &answers {
            let made = commits
                .iter()
                .filter(|commit| commit.cause.command_id == command.id());
            let made: Vec<&Commit> = made.collect();
            match answer {
                // One of the rivals has placed the order. The others got the answer that it is
                // known, with its version of that time: open, or closed already.
                Ok(answer) if made.is_empty() && command.id().ends_with("-place") => {
                    assert!((1..=2).contains(&answer.version), "seed {seed}: {answer:?}");
                }
                Ok(answer) => {
                    assert_eq!(made.len(), 1, "seed {seed}: {command:?}");
                    assert_eq!(answer.version, made[0].version(), "seed {seed}");
                }
                // Only a command that is too late for the contested order is refused, and it has
                // stored nothing.
                Err(Failure::Refused {
                    refusal: Refusal::Conflict { .. },
                    ..
                }) => {
                    assert!(command.id().ends_with("-end"), "seed {seed}: {command:?}");
                    assert_eq!(made.len(), 0, "seed {seed}: {command:?}");
                }
                Err(other) => panic!("seed {seed}: {command:?}: {other:?}"),
            }
        }
        // The contested order was placed and closed; each rival's own was placed and completed;
        // each rival has sent five updates.
        assert_eq!(commits.len(), 2 + 2 * RIVALS + 5 * RIVALS, "seed {seed}");
        world.proxy.plan(Plan::Fair);
        for (command, answer) in answers {
            let own = commits
                .iter()
                .any(|commit| commit.cause.command_id == command.id());
            if !own && command.id().ends_with("-place") {
                let known = command.send(&world).await.unwrap();
                assert_eq!(known.version, 2, "seed {seed}: as it stands now");
                continue;
            }
            let again = command.send(&world).await.map(answer_of);
            assert_eq!(again, answer.map(answer_of), "seed {seed}: repeated");
        }
        assert_eq!(self::commits(&world).await.len(), commits.len());
    }
}

/// Delivers a batch as the stream does: again from the record at which it stopped, until all of it
/// is processed.
async fn deliver_all(world: &World, role: Role, commits: &[Commit]) {
    let mut rest = commits;
    for _ in 0..ATTEMPTS_MAX {
        let payload = batch(rest);
        let answer = world
            .projectors
            .handle(role, payload, &Invocation::of("request"))
            .await;
        // After a failed invocation the whole batch is delivered again.
        let Ok(answer) = answer else { continue };
        let stopped = &answer["batchItemFailures"][0]["itemIdentifier"];
        match stopped.as_str().map(|number| number.parse::<usize>()) {
            None => return,
            Some(number) => rest = &rest[number.unwrap() - 1..],
        }
    }
    panic!("a batch never came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_messages_come_of_every_commit_whatever_the_wire_does() {
    for seed in 0..SEEDS {
        let (world, _) = after_a_storm(seed).await;
        let mut commits = commits(&world).await;
        fastrand::Rng::with_seed(seed).shuffle(&mut commits);
        deliver_all(&world, Role::Project, &commits).await;
        deliver_all(&world, Role::Notify, &commits).await;
        assert_eq!(
            world.parked().await,
            [],
            "seed {seed}: a bad wire parks nobody"
        );

        let expected = rows_of(&world, &commits).await;
        for (table, name) in [
            (
                Table::ProcessedOrders,
                world.embedded.names.processed_orders(),
            ),
            (Table::ShipmentLog, world.embedded.names.shipment_log()),
        ] {
            let rows = world.items(name).await.into_iter();
            let rows: BTreeSet<String> = rows.map(|row| format!("{:?}", from_item(row))).collect();
            let expected = expected.all(table).into_iter();
            let expected: BTreeSet<String> = expected.map(|row| format!("{row:?}")).collect();
            assert_eq!(rows, expected, "seed {seed}");
        }

        let accepted = world.proxy.services().accepted();
        let (mut events, mut alerts) = (BTreeSet::new(), BTreeSet::new());
        for commit in &commits {
            let said = notifications::messages(commit, "test").unwrap();
            events.extend(said.announcements.into_iter().map(|message| message.id));
            alerts.extend(said.alerts.into_iter().map(|message| message.id));
        }
        assert_eq!(BTreeSet::from_iter(accepted.events), events, "seed {seed}");
        assert_eq!(BTreeSet::from_iter(accepted.alerts), alerts, "seed {seed}");
    }
}

/// Returns the rows that follow from the commits, projected without the proxy.
async fn rows_of(world: &World, commits: &[Commit]) -> Arc<MemoryRows> {
    let rows = Arc::new(MemoryRows::default());
    let projectors = Projectors {
        store: world.direct_store(),
        rows: rows.clone(),
        bus: Arc::new(Outbox::default()),
        topic: Arc::new(Outbox::default()),
        metrics: support::unread_metrics(),
        clock: Arc::new(InstantClock),
        environment: Environment::of_one_shard("test"),
        stalled_after: lambda::StalledAfter::default(),
        rebuilds: support::ledger::rebuilds(),
        additional: Vec::new(),
    };
    let answer = projectors
        .handle(Role::Project, batch(commits), &Invocation::of("request"))
        .await;
    assert_eq!(answer.unwrap()["batchItemFailures"], serde_json::json!([]));
    rows
}
