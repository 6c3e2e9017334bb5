//! What an event store promises.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use commands::execute::{Failure, Outcome, execute};
use domain::{
    AggregateId, Order, Refusal, Shipment,
    order::{Intent, Status},
};
use event_store::{Append, Commit, EventStore, Loaded, Policy, Snapshot, StoreError, SystemClock};
use futures::future::join_all;
use support::{
    envelopes::{at, item, place, placing, to_order, update},
    faulty::LosesAnswers,
};

use crate::World;

contract!(
    a_commit_is_stored_once,
    a_history_beyond_a_page_is_read_whole,
    forty_rivals_leave_no_gap_and_no_fork,
    a_command_is_known_again_for_ever,
    a_command_that_comes_twice_at_once_has_one_effect,
    a_command_id_with_another_content_is_refused,
    a_content_is_known_again_under_another_id,
    what_may_come_first_is_known_again_like_anything,
    a_refusal_leaves_no_trace,
    our_own_lost_answer_is_no_conflict,
    a_snapshot_of_another_shape_is_passed_over,
    a_damaged_snapshot_is_passed_over,
    an_unreadable_item_is_an_error_never_a_short_history,
    a_gap_is_an_error_never_a_short_history,
    an_order_of_1114_items_comes_back_as_it_was,
    a_commit_beyond_the_limit_is_refused_before_it_is_sent,
    an_aggregate_takes_as_many_commits_as_it_may,
    an_aggregate_takes_as_many_bytes_as_it_may,
    time_never_goes_back_within_an_aggregate,
    a_version_that_moved_on_is_told,
);

pub async fn send(
    world: &World,
    command: commands::execute::Envelope<domain::shipment::Intent>,
) -> Result<Outcome, Failure> {
    execute::<Shipment>(&world.store, &SystemClock, command).await
}

pub async fn order(
    world: &World,
    command: commands::execute::Envelope<Intent>,
) -> Result<Outcome, Failure> {
    execute::<Order>(&world.store, &SystemClock, command).await
}

pub fn shipment(id: &str) -> AggregateId {
    AggregateId::Shipment(id.parse().unwrap())
}

fn order_id(id: &str) -> AggregateId {
    AggregateId::Order(id.parse().unwrap())
}

/// Sequences and ordinals are 1..n, and so is what a load makes of them.
pub async fn assert_whole(world: &World, id: &AggregateId, events: u64) {
    let history = world.store.whole_history(id).await.unwrap();
    let sequences: Vec<u64> = history.iter().map(|commit| commit.sequence).collect();
    assert_eq!(sequences, (1..=events).collect::<Vec<_>>());
    assert!(
        history
            .iter()
            .zip(1..)
            .all(|(commit, ordinal)| commit.ordinal == ordinal)
    );
    let loaded: Loaded<Shipment> = world.store.load(id).await.unwrap();
    let folded = Loaded::<Shipment>::from_history(id.clone(), history).unwrap();
    assert_eq!(
        (loaded.version, loaded.state),
        (folded.version, folded.state)
    );
}

/// A commit of one update, as it would follow `loaded`.
pub async fn next(world: &World, id: &str, command_id: &str) -> Commit {
    let command = update(id, command_id, command_id, None);
    let loaded: Loaded<Shipment> = world.store.load(&command.aggregate).await.unwrap();
    let decided = domain::EventSourced::decide(
        &loaded.state,
        &domain::aggregate::Command {
            at: at("2024-01-15T12:00:00Z"),
            intent: command.intent,
        },
    );
    loaded
        .next_commit(decided.unwrap(), at("2024-01-15T12:00:00Z"), command.cause)
        .unwrap()
}

async fn a_commit_is_stored_once(world: World) {
    let commit = next(&world, "S", "c-1").await;
    assert!(matches!(
        world.store.append(&commit).await,
        Ok(Append::Done)
    ));
    let Ok(Append::Occupied(other)) = world.store.append(&commit).await else {
        unreachable!()
    };
    assert_eq!(other.cause, commit.cause);
    assert_eq!(other.events[0].data.get(), commit.events[0].data.get());
    assert_whole(&world, &shipment("S"), 1).await;
}

async fn a_history_beyond_a_page_is_read_whole(world: World) {
    // 60 commits of 40 KB and more: over two pages of 1 MB.
    let text = "x".repeat(40_000);
    for number in 0..60 {
        let id = format!("c-{number}");
        send(&world, update("S", &id, &format!("{text}{number}"), None))
            .await
            .unwrap();
    }
    assert_whole(&world, &shipment("S"), 60).await;
}

async fn forty_rivals_leave_no_gap_and_no_fork(world: World) {
    // Bare appends: of those that aim at one place, just one hits it.
    let mut aimed = Vec::new();
    for number in 0..40 {
        aimed.push(next(&world, "S", &format!("c-{number}")).await);
    }
    let hits = join_all(aimed.iter().map(|commit| world.store.append(commit))).await;
    let done = hits
        .iter()
        .filter(|hit| matches!(hit, Ok(Append::Done)))
        .count();
    assert_eq!(done, 1);
    // With the loop around them, all of them come through in the end.
    let rivals =
        (0..40).map(|n| send(&world, update("S", &format!("r-{n}"), &n.to_string(), None)));
    let versions: BTreeSet<u64> = join_all(rivals)
        .await
        .into_iter()
        .map(|outcome| outcome.unwrap().version)
        .collect();
    assert_eq!(versions, (2..=41).collect());
    assert_whole(&world, &shipment("S"), 41).await;
}

async fn a_command_is_known_again_for_ever(world: World) {
    for number in 1..=30 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    // Young ones are found beside the snapshot, old ones by their fingerprints.
    for number in 1..=30 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    assert_whole(&world, &shipment("S"), 30).await;
}

/// What the sender is told.
fn answer_of(outcome: &Result<Outcome, Failure>) -> (Option<&str>, &str, u64) {
    let outcome = outcome.as_ref().unwrap();
    (outcome.event.as_deref(), &outcome.status, outcome.version)
}

async fn a_command_that_comes_twice_at_once_has_one_effect(world: World) {
    let repeats = (0..20).map(|_| order(&world, placing("1", "c-1")));
    let answers = join_all(repeats).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer_of(answer) == answer_of(&answers[0])),
        "{answers:?}"
    );
    assert_eq!(answers[0].as_ref().unwrap().status, "PROCESSING");
    let repeats = (0..20).map(|_| send(&world, update("S", "c-1", "x", None)));
    let answers = join_all(repeats).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer_of(answer) == answer_of(&answers[0])),
        "{answers:?}"
    );
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_whole(&world, &shipment("S"), 1).await;
}

async fn a_command_id_with_another_content_is_refused(world: World) {
    order(&world, placing("1", "c-1")).await.unwrap();
    let mut other = place("1", vec![item("prod1", 3, "29.99")]);
    other.customer_id = Some("somebody".to_owned());
    let other = || to_order("1", "c-1", Intent::Place(Box::new(other.clone())));
    assert_eq!(order(&world, other()).await, Err(Failure::IdReused));
    assert_eq!(
        order(&world, to_order("1", "c-1", Intent::Complete)).await,
        Err(Failure::IdReused)
    );
    for number in 1..=20 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), "y", None);
        assert_eq!(send(&world, command).await, Err(Failure::IdReused));
    }
    assert_whole(&world, &shipment("S"), 20).await;
}

async fn a_content_is_known_again_under_another_id(world: World) {
    let first = order(&world, placing("1", "c-1")).await.unwrap();
    order(&world, to_order("1", "c-2", Intent::Complete))
        .await
        .unwrap();
    // How it stands today: whoever places it once more must not take it for an open one.
    let again = order(&world, placing("1", "c-3")).await.unwrap();
    assert_eq!(
        (again.event, again.status.as_str(), again.version),
        (None, "PROCESSED", 2)
    );
    assert!(again.repeated);
    // The very command has its own answer, for ever.
    let same = order(&world, placing("1", "c-1")).await.unwrap();
    assert_eq!(
        (same.event, same.status, same.version),
        (first.event, first.status, first.version)
    );
    assert!(first.own && !again.own);
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        2
    );
    let time = |number: u64| format!("2024-01-15T10:00:{number:02}Z");
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), "x", Some(&time(number)));
        send(&world, command).await.unwrap();
    }
    for number in 1..=20 {
        let command = update("S", &format!("again-{number}"), "x", Some(&time(number)));
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    assert_whole(&world, &shipment("S"), 20).await;
    // Without a time of its own, the same text is news.
    for number in 21..=22 {
        let command = update("S", &format!("c-{number}"), "x", None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
}

/// An update that is tried without a load must not be answered from the first commit alone.
async fn what_may_come_first_is_known_again_like_anything(world: World) {
    let created = |command_id: &str, text: &str| {
        let mut command = update("S", command_id, text, Some("2024-01-15T10:00:00Z"));
        support::envelopes::update_of(&mut command).status = domain::shipment::Status::created();
        command
    };
    let first = send(&world, created("c-1", "x")).await.unwrap();
    assert!((first.version, first.own, first.repeated) == (1, true, false));
    assert_eq!(send(&world, created("c-2", "y")).await.unwrap().version, 2);
    let again = send(&world, created("c-3", "x")).await.unwrap();
    assert!((again.version, again.own, again.repeated) == (1, false, true));
    // An id that made a later commit, with the content of the first.
    let reused = send(&world, created("c-2", "x")).await;
    assert_eq!(reused, Err(Failure::IdReused));
    let reused = send(&world, created("c-1", "z")).await;
    assert_eq!(reused, Err(Failure::IdReused));
    assert_whole(&world, &shipment("S"), 2).await;
    // Twice at once, and where something else came before.
    let rivals = (0..20).map(|_| send(&world, update("T", "c-1", "x", None)));
    join_all(rivals).await;
    let mut late = created("c-2", "y");
    late.aggregate = shipment("T");
    support::envelopes::update_of(&mut late).shipment_id = "T".parse().unwrap();
    assert_eq!(send(&world, late).await.unwrap().version, 2);
}

async fn a_refusal_leaves_no_trace(world: World) {
    let refused = order(&world, to_order("1", "c-1", Intent::Complete)).await;
    let Err(Failure::Refused {
        refusal: Refusal::NotFound { .. },
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .is_empty()
    );
    // Its id stays free, for another content even.
    assert!(order(&world, placing("1", "c-1")).await.is_ok());
    let nothing = order(&world, to_order("1", "c-2", Intent::Fulfil))
        .await
        .unwrap();
    assert_eq!((nothing.event, nothing.version), (None, 1));
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        order(&world, to_order("1", "c-2", Intent::Complete))
            .await
            .is_ok()
    );
}

async fn our_own_lost_answer_is_no_conflict(world: World) {
    let lossy = |losses| EventStore::new(Arc::new(LosesAnswers::new(world.table.clone(), losses)));
    let answer = execute::<Order>(&lossy(1), &SystemClock, placing("1", "c-1"))
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_str(), answer.version),
        (Status::Processing.as_str(), 1)
    );
    let complete = || to_order("1", "c-2", Intent::Complete);
    let answer = execute::<Order>(&lossy(1), &SystemClock, complete())
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_str(), answer.version),
        (Status::Processed.as_str(), 2)
    );
    // Lost for good: the sender hears of it, and the next attempt finds what was done.
    let lost = execute::<Shipment>(&lossy(9), &SystemClock, update("S", "c-1", "x", None)).await;
    assert!(matches!(lost, Ok(_) | Err(Failure::Unavailable(_))));
    let found = send(&world, update("S", "c-1", "x", None)).await.unwrap();
    assert_eq!(found.version, 1);
    assert_whole(&world, &shipment("S"), 1).await;
}

/// Writes 20 updates, the snapshots among them changed by `damage`.
async fn with_snapshots(world: &World, damage: fn(&mut Snapshot)) -> usize {
    let mut damaged = 0;
    for number in 1..=20 {
        let mut commit = next(world, "S", &format!("c-{number}")).await;
        if let Some(snapshot) = &mut commit.snapshot {
            damage(snapshot);
            damaged += 1;
        }
        assert!(matches!(
            world.store.append(&commit).await,
            Ok(Append::Done)
        ));
    }
    damaged
}

async fn a_snapshot_of_another_shape_is_passed_over(world: World) {
    let damaged = with_snapshots(&world, |snapshot| {
        // It reads well, and means something else.
        snapshot.shape = "shipment/0".to_owned();
        snapshot.state = snapshot.state.replace("\"updates\":", "\"updates\":1");
    });
    assert_eq!(damaged.await, 20, "of small commits each has one");
    assert_whole(&world, &shipment("S"), 20).await;
    // The next snapshot is of our own shape again, and whole.
    for number in 21..=25 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    assert_whole(&world, &shipment("S"), 25).await;
    let again = send(&world, update("S", "c-21", "x", None)).await.unwrap();
    assert_eq!(again.version, 21);
}

async fn a_damaged_snapshot_is_passed_over(world: World) {
    with_snapshots(&world, |snapshot| snapshot.state.truncate(10)).await;
    assert_whole(&world, &shipment("S"), 20).await;
    let world = World::in_memory();
    with_snapshots(&world, |snapshot| snapshot.fingerprints.truncate(9)).await;
    assert_whole(&world, &shipment("S"), 20).await;
}

async fn an_unreadable_item_is_an_error_never_a_short_history(world: World) {
    for number in 1..=3 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    let mut item = next(&world, "S", "c-4").await.to_item().unwrap();
    item.insert("events".to_owned(), AttributeValue::S("[{]".to_owned()));
    world.table.put_new(item).await.unwrap();
    let id = shipment("S");
    let corrupt = |error: StoreError| matches!(error, StoreError::Corrupt { sequence: 4, .. });
    assert!(corrupt(
        world.store.load::<Shipment>(&id).await.unwrap_err()
    ));
    assert!(corrupt(world.store.whole_history(&id).await.unwrap_err()));
    let refused = send(&world, update("S", "c-5", "x", None)).await;
    assert!(matches!(refused, Err(Failure::Corrupt(_))), "{refused:?}");
}

async fn a_gap_is_an_error_never_a_short_history(world: World) {
    // At the beginning, and in the middle.
    for (id, before) in [("S", 0), ("T", 2)] {
        for number in 1..=before {
            let command = update(id, &format!("c-{number}"), "x", None);
            send(&world, command).await.unwrap();
        }
        let mut ahead = next(&world, id, "ahead").await;
        ahead.sequence += 1;
        ahead.ordinal += 1;
        world.store.append(&ahead).await.unwrap();
        let id = shipment(id);
        let loaded = world.store.load::<Shipment>(&id).await;
        assert!(matches!(loaded, Err(StoreError::Corrupt { .. })));
        let read = world.store.whole_history(&id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })));
    }
}

async fn an_order_of_1114_items_comes_back_as_it_was(world: World) {
    let items: Vec<_> = (0..1_114_u64)
        .map(|n| domain::order::Item {
            name: Some(format!("WHITE HANGING HEART T-LIGHT HOLDER {n}")),
            ..item(
                &format!("{n}A"),
                n % 50 + 1,
                &format!("{}.{:02}", n % 30, n % 100),
            )
        })
        .collect();
    let sent = place("1", items);
    order(
        &world,
        to_order("1", "c-1", Intent::Place(Box::new(sent.clone()))),
    )
    .await
    .unwrap();
    let loaded: Loaded<Order> = world.store.load(&order_id("1")).await.unwrap();
    let Order::Open(placed) = loaded.state else {
        unreachable!()
    };
    assert_eq!(placed.items, sent.items);
}

async fn a_commit_beyond_the_limit_is_refused_before_it_is_sent(world: World) {
    let command = update("S", "c-1", &"x".repeat(360 * 1024), None);
    let Err(Failure::Refused { refusal, .. }) = send(&world, command).await else {
        unreachable!()
    };
    assert!(
        matches!(
            refusal,
            Refusal::Invalid {
                code: "too_large",
                ..
            }
        ),
        "{refusal:?}"
    );
    assert!(
        world
            .store
            .whole_history(&shipment("S"))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn an_aggregate_takes_as_many_commits_as_it_may(mut world: World) {
    let policy = Policy {
        commits_max: 50,
        ..Policy::default()
    };
    world.store = world.store.under(policy);
    for number in 1..=50 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        send(&world, command).await.unwrap();
    }
    assert_whole(&world, &shipment("S"), 50).await;
    // The next one is refused, and every other is still known.
    let full = send(&world, update("S", "c-51", "x", None)).await;
    assert_eq!(full, Err(Failure::HistoryFull));
    for number in 1..=50 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
}

async fn an_aggregate_takes_as_many_bytes_as_it_may(mut world: World) {
    let policy = Policy {
        bytes_max: 100_000,
        ..Policy::default()
    };
    world.store = world.store.under(policy);
    // Nine commits of 10 KB, and what each has beside.
    let text = "x".repeat(10_000);
    for number in 1..=9 {
        let command = update("S", &format!("c-{number}"), &text, None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    let full = send(&world, update("S", "c-10", &text, None)).await;
    assert_eq!(full, Err(Failure::HistoryFull));
    assert_eq!(
        send(&world, update("S", "c-10", "x", None))
            .await
            .unwrap()
            .version,
        10
    );
    assert_whole(&world, &shipment("S"), 10).await;
}

async fn time_never_goes_back_within_an_aggregate(world: World) {
    let future = at("2099-01-01T00:00:00Z");
    let mut commit = next(&world, "S", "c-1").await;
    commit.at = future;
    world.store.append(&commit).await.unwrap();
    send(&world, update("S", "c-2", "x", None)).await.unwrap();
    let history = world.store.whole_history(&shipment("S")).await.unwrap();
    assert_eq!(history[1].at, future);
}

async fn a_version_that_moved_on_is_told(world: World) {
    order(&world, placing("1", "c-1")).await.unwrap();
    let mut complete = to_order("1", "c-2", Intent::Complete);
    complete.expected_version = Some(7);
    let Err(Failure::Moved(standing)) = order(&world, complete.clone()).await else {
        unreachable!()
    };
    assert_eq!(
        (standing.version, standing.status.as_deref()),
        (1, Some("PROCESSING"))
    );
    complete.expected_version = Some(1);
    assert_eq!(order(&world, complete.clone()).await.unwrap().version, 2);
    // Once done it is known again, whatever the version is now.
    assert_eq!(order(&world, complete).await.unwrap().version, 2);
    let mut place = placing("2", "c-1");
    place.expected_version = Some(3);
    assert!(matches!(order(&world, place).await, Err(Failure::Moved(_))));
}
